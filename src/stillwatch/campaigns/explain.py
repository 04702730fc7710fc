"""Why one account is in, nearly in or not in a campaign, and the smallest change found that would turn the answer.

Membership is a rule, so the explanation is exact: an account is in a cluster when it uses enough of the cluster's
families and enough of its kin (what its members say besides), each in two different prompts, or when it is an end of a
replay between strangers. A case of several clusters is without whoever stands in one of them alone, at no end of a replay, with that as the smaller part of what it asks (decision 043). The
change is found greedily; to be in, nothing in it is superfluous; that no other change is smaller is not promised. It turns the answer as long as
the clusters stay what they are: a scan of the changed log forms them anew.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Rows = Sequence[Row]

AGAIN = 2
"Different prompts in which a family must be used to count."

JOINS = 2
"Members that must hold a key for it to join them."

Calls = frozenset[tuple[int, int]]
"(time, prompt) of some calls."

SEVERAL = 3
"Clusters of a case from which whoever stands in one of them alone may be left out."

MOSTLY = 0.5
"Share of its calls that such an account must make in that cluster's own wording to stay."


def weight(inside: int, inside_all: int, outside: int, outside_all: int) -> float:
    """Weight of evidence of a key (Good 1950), base 10: 0 when it is as common among innocents as among members, 2 when a hundredth as common.

    Below 0 it is commoner among innocents. Half a holder is added on both sides, so that a key of few holders never weighs without bound. It describes; no verdict
    is made from it.

    >>> round(weight(40, 50, 3, 4000), 2), round(weight(5, 50, 400, 4000), 2)
    (2.96, 0.03)
    """
    return math.log10((inside + 0.5) / (inside_all + 1)) - math.log10((outside + 0.5) / (outside_all + 1))


def _prompts(touches: Iterable[Row]) -> dict[int, set[int]]:
    """Family -> different prompts."""
    found: dict[int, set[int]] = {}
    for row in touches:
        found.setdefault(row["family"], set()).add(row["prompt"])
    return found


def of_clusters(touches: Rows, kin: Rows, clusters: Rows) -> list[dict[str, int]]:
    """The touches of an account as those of each cluster, families by their place in it: who carries only a cluster's kin has nothing to do with it.

    `touches`: number of the family, ts, prompt; `kin`: cluster, family (its place, own families first), number.
    """
    of: dict[int, list[Row]] = {}
    for row in touches:
        of.setdefault(row["number"], []).append(row)
    own = {each["cluster"]: each["families"] for each in clusters}
    here = {row["cluster"] for row in kin if row["family"] < own[row["cluster"]] and row["number"] in of}
    return [
        {"cluster": row["cluster"], "family": row["family"], "ts": each["ts"], "prompt": each["prompt"]}
        for row in kin if row["cluster"] in here
        for each in of.get(row["number"], [])
    ]  # fmt: skip


def carries(touches: Iterable[Row], cluster: Row) -> tuple[int, int]:
    """(the cluster's own families, those and its kin) that these calls use in two different prompts. Own families have the first numbers."""
    counting = [family for family, prompts in _prompts(touches).items() if len(prompts) >= AGAIN]
    return sum(family < cluster["families"] for family in counting), len(counting)


def is_member(touches: Iterable[Row], cluster: Row) -> bool:
    """Whether one account with these calls is in the cluster by wording."""
    own, kin = carries(touches, cluster)
    return bool(own >= cluster["needed"] and kin >= cluster["needed_kin"])


def least_share(clusters: int) -> float:
    """The share (0..1) of its calls that whoever stands in one cluster alone must make in its wording, in a case of so many; 0 where everybody stays."""
    return MOSTLY if clusters >= SEVERAL else 0.0


def standing(of: Rows, mine: Mapping[int, Rows], at_end: Container[int], asks: int) -> list[int]:
    """Numbers of a campaign's clusters (`of`: all of them) by which it names an account; none where the account is in none, or is left out.

    `mine`: its touches by cluster; `at_end`: clusters with an end of a replay of its; `asks`: its calls whose content is kept.
    """
    return _naming([each for each in of if each["cluster"] in at_end or is_member(mine.get(each["cluster"], ()), each)], mine, at_end, asks)


def _naming(inside: Rows, mine: Mapping[int, Rows], at_end: Container[int], asks: int) -> list[int]:
    """The same of those clusters of the campaign that the account is in."""
    if len(inside) == 1 and inside[0]["cluster"] not in at_end:
        (one,) = inside
        if len(_worded(mine[one["cluster"]], one)) / max(1, asks) < one["least_share"]:
            return []
    return [each["cluster"] for each in inside]


def _worded(touches: Iterable[Row], cluster: Row) -> set[tuple[int, int]]:
    """(time, prompt) of the calls that carry a cluster's own wording. A call whose prompt is not kept (below 0) is none of what the account asks."""
    return {(row["ts"], row["prompt"]) for row in touches if row["family"] < cluster["families"] and row["prompt"] >= 0}


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


def more(touches: Rows, model: Rows, cluster: Row) -> list[int]:
    """Times of a member's calls with which, were they its own as well, the account would be a member; empty when even all would not do.

    None of them can be spared. `model`: the member's calls, one row a call and family.
    """
    have = _prompts(touches)
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


def explain(account: Row, clusters: Rows, touches: Rows, ends: Rows, models: Rows) -> dict[str, Any]:
    """The explanation of one account.

    Args: its row of the accounts, all clusters, its touches and ends, and calls of a member of each cluster (`more`).
    Returns: answer ("in", "nearly" or "not in"), campaigns, hinges (campaigns that might not be listed without it), cases (campaign by campaign) and clusters
    (each with what the account carries and what a member must, and whether its case leaves the account out), change (the smallest found, or None) and other_changes.
    """
    mine, at_end = _by_cluster(touches), _by_cluster(ends)
    cases_of, has = _by_case(clusters), Has(mine, at_end, account["asks"], account["apart"])
    stands = {number for of in cases_of.values() for number in standing(of, mine, at_end, has.asks)}
    told = []
    for cluster in clusters:
        number = cluster["cluster"]
        if number not in mine and number not in at_end:
            continue
        have = mine.get(number, [])
        own, kin = carries(have, cluster)
        worded = _worded(have, cluster)
        told.append({
            **cluster, "carries": own, "carries_kin": kin, "replays": len(at_end.get(number, [])), "in": number in stands,
            "left_out": number not in stands and is_member(have, cluster), "calls": len(worded), "prompts": len({prompt for _, prompt in worded}),
        })  # fmt: skip
    inside = [each for each in told if each["in"]]
    campaigns = list(dict.fromkeys(each["campaign"] for each in inside))
    changes = [_out(told, cases_of, has)] if inside else _into({each["case"] for each in told}, cases_of, has, _by_cluster(models))
    return {
        "answer": "in" if inside else "nearly" if told else "not in", "campaigns": campaigns, "hinges": _hinging(campaigns, inside, clusters),
        "calls": account["calls"], "first_ts": account["first_ts"], "last_ts": account["last_ts"], "cases": _cases(told, mine, at_end), "clusters": told,
        "change": changes[0] if changes else None, "other_changes": changes[1:],
    }  # fmt: skip


def tied(clusters: Rows, touches: Rows, families: Rows, ties: Rows, holders: Rows, innocents: int) -> list[dict[str, Any]]:
    """Everything that the account shares, each with its weight and how common it is among innocents (accounts in no campaign), heaviest first.

    The account itself is left out of every count. Args: what `explain` told of the clusters, the account's touches and ties, the clusters' families, how
    many members of each campaign hold the account's keys, and how many innocents there are.
    """
    prompts: dict[tuple[int, int], set[int]] = {}
    for row in touches:
        prompts.setdefault((row["cluster"], row["family"]), set()).add(row["prompt"])
    of_cluster = {each["cluster"]: each for each in clusters}
    inside = {each["campaign"] for each in clusters if each["in"]}
    innocent = not inside
    told = []
    for row in families:
        if (row["cluster"], row["family"]) in prompts:
            one = of_cluster[row["cluster"]]
            counts = (row["members"], one["members"], row["outside"], innocents)
            told.append(
                _tie("wording", row["family"], one["campaign"], counts, one["in"], innocent)
                | {"cluster": row["cluster"], "prompts": len(prompts[row["cluster"], row["family"]])}
            )
    for one in clusters:
        if one["replays"]:
            counts = (one["ends"], one["members"], one["ends_outside"], innocents)
            told.append(_tie("replay", None, one["campaign"], counts, True, False) | {"cluster": one["cluster"], "prompts": None})
    asked = {each["campaign"] for each in clusters}
    for row in ties:
        held = [each for each in holders if (each["tie"], each["key"]) == (row["tie"], row["key"]) and (not asked or each["campaign"] in asked)]
        alike = max(held, key=lambda each: (each["members"] / each["members_all"], each["campaign"]), default=None)
        campaign, members, of = (None, 0, 0) if alike is None else (alike["campaign"], alike["members"], alike["members_all"])
        told.append(
            _tie(row["tie"], row["key"], campaign, (members, of, row["outside"], innocents), campaign in inside, innocent) | {"cluster": None, "prompts": None}
        )
    return sorted(told, key=lambda each: (each["weight"] is None, -(each["weight"] or 0.0), each["tie"], str(each["key"])))


def _tie(tie: str, key: int | None, campaign: str | None, counts: tuple[int, int, int, int], member: bool, innocent: bool) -> dict[str, Any]:
    """One tie without the account itself. A key that joins fewer than two members joins nobody: it has no campaign and no weight."""
    members, members_all, outside, outside_all = counts
    joins = campaign is not None and members >= JOINS
    others = (members - member, members_all - member, outside - innocent, outside_all - innocent)
    return {
        "tie": tie, "key": key, "campaign": campaign if joins else None, "weight": round(weight(*others), 2) if joins else None,
        "members": others[0] if joins else None, "members_all": others[1] if joins else None, "innocents": others[2], "innocents_all": others[3],
    }  # fmt: skip


@dataclass(frozen=True)
class Has:
    """What an account has of the clusters."""

    mine: Mapping[int, Rows]
    "Its touches by cluster."
    at_end: Mapping[int, Rows]
    "Its ends of replays by cluster."
    asks: int
    "Its calls whose content is kept."
    apart: bool
    "Whether each of its calls is at a time of its own."


def _by_case(clusters: Rows) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in clusters:
        found.setdefault(row["case"], []).append(row)
    return found


def _by_cluster(rows: Rows) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["cluster"], []).append(row)
    return found


def _cases(told: Rows, mine: Mapping[int, list[Row]], at_end: Mapping[int, list[Row]]) -> list[dict[str, Any]]:
    """What the account has of each campaign that it touches, those that it is in first. Carries and needed: of the cluster in which it gets furthest."""
    made = []
    for campaign in dict.fromkeys(each["campaign"] for each in told):
        of = [each for each in told if each["campaign"] == campaign]
        closest = max(of, key=lambda each: (min(each["carries"] / each["needed"], each["carries_kin"] / each["needed_kin"]), -each["cluster"]))
        worded = {row["ts"] for each in of for row in mine.get(each["cluster"], []) if row["family"] < each["families"]}
        replayed = {row["ts"] for each in of for row in at_end.get(each["cluster"], [])}
        made.append({
            "campaign": campaign, "verdict": of[0]["verdict"], "in": any(each["in"] for each in of), "left_out": any(each["left_out"] for each in of), "clusters": len(of),
            "clusters_in": sum(each["in"] for each in of), "carries": closest["carries"], "needed": closest["needed"],
            "carries_kin": closest["carries_kin"], "needed_kin": closest["needed_kin"],
            "calls": len(worded | replayed), "replays": len(replayed),
        })  # fmt: skip
    return sorted(made, key=lambda each: not each["in"])


def _hinging(campaigns: Sequence[str], inside: Rows, clusters: Rows) -> list[str]:
    """Of these campaigns those of which no cluster would surely be listed without this account: it is in each that would not."""
    weak = {each["cluster"] for each in inside if not each["stands"]}
    return [name for name in campaigns if all(each["cluster"] in weak for each in clusters if each["campaign"] == name)]


def _out(told: Rows, cases_of: Mapping[int, Rows], has: Has) -> dict[str, Any]:
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
    calls = sorted(_worded(has.mine[one["cluster"]], one))
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


def _into(near: Set[int], cases_of: Mapping[int, Rows], has: Has, models: Mapping[int, Rows]) -> list[dict[str, Any]]:
    """What would have to be there for the account to be in a campaign, fewest calls first: by wording, of cases that are `near` if any can be joined, and by replay, of any."""
    by_wording: list[dict[str, Any]] = []
    for asked in (near, cases_of.keys() - near):
        found = [way for case in sorted(asked) if (way := joining(cases_of[case], has, models)) is not None]
        by_wording = by_wording or sorted(found, key=lambda one: (one["calls"], one["cluster"]))[:1]
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
    into = _with(calls, of, now, has, models)
    number = next((each for each in into if each not in now), into[0])
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
    first, said = takes or Calls(), _worded(model, cluster)
    worded, asks, least = _worded(has.mine.get(cluster["cluster"], ()), cluster), has.asks + len(first), cluster["least_share"]
    lacks = max(0, math.ceil((least * asks - len(worded | (said & first))) / (1 - least)))
    rest = sorted(said - first - worded)[:lacks]
    return first.union(rest) if len(rest) == lacks else None


def _with(calls: Calls, of: Rows, now: Set[int], has: Has, models: Mapping[int, Rows]) -> list[int]:
    """The clusters by which a campaign names the account with some calls more (`standing`). `now`: those that it is in as it is, and stays in."""
    more_of = {each["cluster"]: [row for row in models.get(each["cluster"], ()) if (row["ts"], row["prompt"]) in calls] for each in of}
    mine = {number: [*has.mine.get(number, ()), *rows] for number, rows in more_of.items()}
    inside = [each for each in of if each["cluster"] in now or (more_of[each["cluster"]] and is_member(mine[each["cluster"]], each))]
    return _naming(inside, mine, has.at_end, has.asks + len(calls))


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
