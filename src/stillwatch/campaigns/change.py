"""The smallest change found that would turn whether an account is in a campaign: calls that would have to be missing, or to be its own as well.

Found greedily. In what joins a campaign nothing is superfluous; that no other change is smaller is not promised. It turns the answer as long as the clusters stay what they are: a scan of the changed log
forms them anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any

from stillwatch.campaigns.rule import AGAIN, Has, Row, Rows, is_member, naming, prompts_of, standing, worded_calls

Calls = frozenset[tuple[int, int]]
"(time, prompt) of some calls."


def out(told: Rows, cases_of: Mapping[int, Rows], has: Has) -> dict[str, Any]:
    """What would have to be missing for the account to be in no campaign."""
    inside = [each for each in told if each["in"]]
    made = min((_without(inside, has), *_smaller_part(inside, has)), key=lambda one: one["calls"])
    for case in dict.fromkeys(each["case"] for each in inside if each["least_share"] and has.apart):
        # It may stay in one cluster of a case, with the smaller part of what it asks, where that is known of what would be left.
        stays = max((each for each in inside if each["case"] == case), key=lambda each: (each["calls"], -each["cluster"]))
        others = [each for each in inside if each is not stays]
        if others and (less := _without(others, has))["calls"] < made["calls"] and not _named(less, cases_of, has):
            made, inside = less, others
    if _named(made, cases_of, has):
        # With less besides, what was the smaller part is the larger one: a case that left it out would name it.
        made = _without([each for each in told if each["in"] or each["left_out"]], has)
    return made


def _named(made: Mapping[str, Any], cases_of: Mapping[int, Rows], has: Has) -> bool:
    """Whether any campaign would name the account without the calls of a change."""
    gone = set(made["times"])
    mine = {number: [row for row in rows if row["ts"] not in gone] for number, rows in has.mine.items()}
    at_end = {number: left for number, rows in has.at_end.items() if (left := [row for row in rows if row["ts"] not in gone])}
    return any(standing(of, mine, at_end, has.asks - made["calls"]) for of in cases_of.values())


def _smaller_part(inside: Rows, has: Has) -> list[dict[str, Any]]:
    """Where the account stands in one cluster alone: the calls without which that is less than the least share of what it asks.

    Calls are told by their times: where others are at the same ones, what would be left is not known.
    """
    one, least = inside[0], inside[0]["least_share"]
    if len(inside) > 1 or not least or one["cluster"] in has.at_end or not has.apart:
        return []
    calls = sorted(worded_calls(has.mine[one["cluster"]], one))
    gone = calls[: math.floor((len(calls) - least * has.asks) / (1 - least)) + 1]
    return [_told_out(set(), set(gone))]


def _without(inside: Rows, has: Has) -> dict[str, Any]:
    """What would have to be missing for the account to be in none of some clusters."""
    replayed = {row["ts"] for each in inside for row in has.at_end.get(each["cluster"], [])}
    # Calls at an end of a replay have to go in any case, and their wording goes with them.
    own = {each["cluster"]: each["families"] for each in inside}
    left = [row for number, rows in has.mine.items() for row in rows if number in own and row["family"] < own[number] and row["ts"] not in replayed]
    gone = fewer(left, {each["cluster"]: each["needed"] for each in inside})
    return _told_out(
        replayed, {(row["ts"], row["prompt"]) for rows in has.mine.values() for row in rows if row["prompt"] in gone and row["ts"] not in replayed}
    )


def _told_out(replayed: set[int], worded: set[tuple[int, int]]) -> dict[str, Any]:
    """A change that takes calls out: times of those at an end of a replay; (time, prompt) of the others."""
    prompts = len({prompt for _, prompt in worded})
    parts = [f"the {_count(len(replayed), 'call')} that stand at an end of a replay of reasoning"] if replayed else []
    parts += [f"{_count(len(worded), 'call')} ({_count(prompts, 'different prompt')}) in the wording"] if worded else []
    return {
        "to": "not in", "by": [*(["replay"] if replayed else []), *(["wording"] if worded else [])], "calls": len(replayed) + len(worded), "prompts": prompts,
        "times": sorted(replayed | {ts for ts, _ in worded}), "text": f"Without {' and '.join(parts)} it would be in no campaign.",
    }  # fmt: skip


def fewer(touches: Rows, needed: Mapping[int, float]) -> set[int]:
    """Prompts without which the account would carry too few families of every cluster to be a member; none of them can be spared.

    `needed`: cluster -> families that a member must carry. Families with the fewest prompts go first, each down to the one prompt that stands in
    the fewest other families and in the most calls. Linear but for sorting, for an account may have many thousands.
    """
    have: dict[tuple[int, int], set[int]] = {}
    stands: dict[int, set[tuple[int, int]]] = {}
    calls: dict[int, set[int]] = {}
    for row in touches:
        if row["cluster"] in needed:
            family = (row["cluster"], row["family"])
            have.setdefault(family, set()).add(row["prompt"])
            stands.setdefault(row["prompt"], set()).add(family)
            calls.setdefault(row["prompt"], set()).add(row["ts"])
    left = {family: set(prompts) for family, prompts in have.items()}
    for cluster, least in needed.items():
        counting = sorted((f for f in left if f[0] == cluster and len(left[f]) >= AGAIN), key=lambda f: (len(left[f]), f))
        for family in counting[: _to_drop(len(counting), least)]:
            for prompt in sorted(left[family], key=lambda p: (len(stands[p]), -len(calls[p]), p))[AGAIN - 1 :]:
                for each in stands[prompt]:
                    left[each].discard(prompt)
    kept: set[int] = set().union(*left.values()) if left else set()
    gone = sorted(set(stands) - kept, key=lambda p: (-len(calls[p]), p))
    spare = {cluster: least - sum(f[0] == cluster and len(left[f]) >= AGAIN for f in left) for cluster, least in needed.items()}
    for prompt in list(gone):
        crossing = [family for family in stands[prompt] if len(left[family]) == AGAIN - 1]
        if all(spare[cluster] - sum(f[0] == cluster for f in crossing) > 0 for cluster in {f[0] for f in stands[prompt]}):
            gone.remove(prompt)
            for family in stands[prompt]:
                left[family].add(prompt)
            for family in crossing:
                spare[family[0]] -= 1
    return set(gone)


def _to_drop(carries: int, least: float) -> int:
    """How many of the families carried must go, so that fewer than `least` are left."""
    return max(0, carries - math.ceil(least) + 1)


def into(near: Set[int], cases_of: Mapping[int, Rows], has: Has, models: Mapping[int, Rows]) -> list[dict[str, Any]]:
    """What would have to be there for the account to be in a campaign, fewest calls first: by wording, of cases that are `near` if any can be joined, and by replay, of any."""
    # Cases that are not near are costly, there may be many, and they are asked for where no near one can be joined.
    found = ([way for case in sorted(asked) if (way := joining(cases_of[case], has, models)) is not None] for asked in (near, cases_of.keys() - near))
    by_wording = sorted(next(filter(None, found), []), key=lambda one: (one["calls"], one["cluster"]))[:1]
    by_replay = [
        {
            "to": "in", "by": ["replay"], "campaign": each["campaign"], "cluster": each["cluster"], "calls": 1, "times": [each["replay_ts"]],
            "text": f"With 1 call that replays reasoning issued to a member of campaign {each['campaign']}, a stranger, it would be in it.",
        }
        for of in cases_of.values() for each in of if each["replay_ts"] is not None
    ][:1]  # fmt: skip
    return sorted([*by_wording, *by_replay], key=lambda one: one["calls"])


def joining(of: Rows, has: Has, models: Mapping[int, Rows]) -> dict[str, Any] | None:
    """Calls of members with which, were they its own as well, a campaign would name an account that it does not; None where there are none. None of them can be spared.

    `of`: the campaign's clusters; `models`: calls of a member of each. Where the account would stand in one cluster alone: as many more in its wording as make that the larger part of what
    it asks, or what a second cluster takes, whichever is less.
    """
    now = {each["cluster"] for each in of if each["cluster"] in has.at_end or is_member(has.mine.get(each["cluster"], ()), each)}
    takes = {each["cluster"]: _takes(each, has.mine.get(each["cluster"], []), models.get(each["cluster"], [])) for each in of if each["cluster"] not in now}
    cheapest = sorted(((len(calls), number, calls) for number, calls in takes.items() if calls), key=lambda one: one[:2])
    if of[0]["least_share"]:
        two = [*(Calls() for _ in now), *(calls for _, _, calls in cheapest)][:2]
        ways = [Calls().union(*two)] if len(two) == 2 else []
        ways += [way for each in of if (way := _larger_part(each, takes.get(each["cluster"]), has, models.get(each["cluster"], []))) is not None]
    else:
        ways = [cheapest[0][2]] if cheapest else []
    if not ways:
        return None
    calls = min(ways, key=lambda way: (len(way), sorted(way)))
    for call in sorted(calls):
        if _with(calls - {call}, of, now, has, models):
            calls = calls - {call}
    named_by = _with(calls, of, now, has, models)
    number = next((each for each in named_by if each not in now), named_by[0])
    more_of = f"{_count(len(calls), 'more call' if any(each['cluster'] in has.mine for each in of) else 'call')} of {'another prompt' if len(calls) == 1 else 'different prompts'}"
    return {
        "to": "in", "by": ["wording"], "campaign": of[0]["campaign"], "cluster": number, "calls": len(calls), "times": sorted({ts for ts, _ in calls}),
        "text": f"With {more_of} in the wording of campaign {of[0]['campaign']} it would be in it.",
    }  # fmt: skip


def _takes(cluster: Row, touches: Rows, model: Rows) -> Calls:
    """Calls of a cluster's model with which the account would be in the cluster; none where all would not do."""
    times = set(more(touches, model, cluster))
    return Calls((row["ts"], row["prompt"]) for row in model if row["ts"] in times)


def _larger_part(cluster: Row, takes: Calls | None, has: Has, model: Rows) -> Calls | None:
    """The calls with which the account would be in a cluster by the larger part of what it asks; None where the model has too few. `takes`: those for the cluster; None: it is in."""
    if takes is not None and not takes:
        return None
    first, said = takes or Calls(), worded_calls(model, cluster)
    worded, asks, least = worded_calls(has.mine.get(cluster["cluster"], ()), cluster), has.asks + len(first), cluster["least_share"]
    lacks = max(0, math.ceil((least * asks - len(worded | (said & first))) / (1 - least)))
    rest = sorted(said - first - worded)[:lacks]
    return first.union(rest) if len(rest) == lacks else None


def _with(calls: Calls, of: Rows, now: Set[int], has: Has, models: Mapping[int, Rows]) -> list[int]:
    """The clusters by which a campaign names the account with some calls more (`standing`). `now`: those that it is in as it is, and stays in."""
    more_of = {each["cluster"]: [row for row in models.get(each["cluster"], ()) if (row["ts"], row["prompt"]) in calls] for each in of}
    mine = {number: [*has.mine.get(number, ()), *rows] for number, rows in more_of.items()}
    inside = [each for each in of if each["cluster"] in now or (more_of[each["cluster"]] and is_member(mine[each["cluster"]], each))]
    return naming(inside, mine, has.at_end, has.asks + len(calls))


def more(touches: Rows, model: Rows, cluster: Row) -> list[int]:
    """Times of a member's calls with which, were they its own as well, the account would be a member; empty when even all would not do.

    None of them can be spared. `model`: the member's calls, one row a call and family.
    """
    have = prompts_of(touches)
    by_call: dict[int, list[tuple[int, int]]] = {}
    for row in model:
        by_call.setdefault(row["ts"], []).append((row["family"], row["prompt"]))
    rows = {ts: [row for row in model if row["ts"] == ts] for ts in by_call}
    added: list[int] = []
    while not is_member([*touches, *(row for ts in added for row in rows[ts])], cluster):
        own_first = sum(f < cluster["families"] and len(p) >= AGAIN for f, p in have.items()) < cluster["needed"]
        gain = {
            ts: sum(_gains(have, f, p) * (1 if f >= cluster["families"] or not own_first else len(model)) for f, p in pairs) for ts, pairs in by_call.items()
        }
        best = min(gain, key=lambda ts: (-gain[ts], ts), default=None)
        if best is None or gain[best] == 0:
            return []
        added.append(best)
        for family, prompt in by_call.pop(best):
            have.setdefault(family, set()).add(prompt)
    for ts in list(added):
        if is_member([*touches, *(row for other in added if other != ts for row in rows[other])], cluster):
            added.remove(ts)
    return added


def _gains(have: Mapping[int, set[int]], family: int, prompt: int) -> bool:
    """Whether one more prompt brings a family nearer to counting."""
    return len(have.get(family, ())) < AGAIN and prompt not in have.get(family, ())


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
