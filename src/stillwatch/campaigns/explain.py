"""Why one account is in, nearly in or not in a campaign, and the smallest change found that would turn the answer.

Membership is a rule, so the explanation is exact: an account is in a cluster when it uses enough of the cluster's
families, each in two different prompts, or when it is an end of a replay between strangers. The change is found
greedily: no smaller one is promised, but the one that is told does turn the answer when it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Rows = Sequence[Row]

AGAIN = 2
"Different prompts in which a family must be used to count."


def _prompts(touches: Rows) -> dict[int, set[int]]:
    """Family -> different prompts."""
    found: dict[int, set[int]] = {}
    for row in touches:
        found.setdefault(row["family"], set()).add(row["prompt"])
    return found


def carried(touches: Rows) -> int:
    """Families that these calls of one account and one cluster use in two different prompts."""
    return sum(len(prompts) >= AGAIN for prompts in _prompts(touches).values())


def fewer(touches: Rows, needed: float) -> list[int]:
    """Prompts without which the account would carry too few families to be a member."""
    have = _prompts(touches)
    gone: list[int] = []
    while sum(len(prompts) >= AGAIN for prompts in have.values()) >= needed:
        cheapest = min((family for family in have if len(have[family]) >= AGAIN), key=lambda family: (len(have[family]), family))
        # Of its prompts the one that stands in the most families that count.
        prompt = min(have[cheapest], key=lambda each: (-sum(each in have[f] for f in have if len(have[f]) >= AGAIN), each))
        gone.append(prompt)
        for prompts in have.values():
            prompts.discard(prompt)
    return gone


def more(touches: Rows, model: Rows, needed: float) -> list[int]:
    """Prompts of a member with which, were they its own as well, the account would be a member; empty when even all would not do."""
    have, theirs = _prompts(touches), _prompts(model)
    by_prompt: dict[int, set[int]] = {}
    for family, prompts in theirs.items():
        for prompt in prompts:
            by_prompt.setdefault(prompt, set()).add(family)
    added: list[int] = []
    while sum(len(prompts) >= AGAIN for prompts in have.values()) < needed:
        open_ = {prompt: sum(len(have.get(f, set())) < AGAIN and prompt not in have.get(f, set()) for f in by_prompt[prompt]) for prompt in by_prompt}
        best = min(open_, key=lambda each: (-open_[each], each), default=None)
        if best is None or open_[best] == 0:
            return []
        added.append(best)
        for family in by_prompt.pop(best):
            have.setdefault(family, set()).add(best)
    return added


def explain(account: Row, clusters: Rows, touches: Rows, ends: Rows, ties: Rows, models: Mapping[int, Rows]) -> dict[str, Any]:
    """The explanation of one account.

    Args: its row of the accounts, all clusters, its touches, ends and ties, and per cluster the touches of one typical member.
    Returns: answer ("in", "nearly" or "not in"), campaigns, clusters (each with what the account carries and what a member must), ties, change.
    """
    mine: dict[int, list[Row]] = {}
    for row in touches:
        mine.setdefault(row["cluster"], []).append(row)
    replays: dict[int, list[Row]] = {}
    for row in ends:
        replays.setdefault(row["cluster"], []).append(row)
    told = []
    for cluster in clusters:
        number = cluster["cluster"]
        if number not in mine and number not in replays:
            continue
        have = carried(mine.get(number, []))
        told.append({
            **cluster, "carries": have, "replays": len(replays.get(number, [])), "in": have >= cluster["needed"] or number in replays,
            "calls": len({(row["ts"], row["prompt"]) for row in mine.get(number, [])}),
            "prompts": len({row["prompt"] for row in mine.get(number, [])}),
        })  # fmt: skip
    inside = [each for each in told if each["in"]]
    answer = "in" if inside else "nearly" if told else "not in"
    change = _out(inside, mine, replays) if inside else _into(told or clusters, mine, models)
    return {
        "answer": answer, "campaigns": list(dict.fromkeys(each["campaign"] for each in inside)), "calls": account["calls"],
        "first_ts": account["first_ts"], "last_ts": account["last_ts"], "clusters": told, "ties": [dict(row) for row in ties], "change": change,
    }  # fmt: skip


def _out(inside: Rows, mine: Mapping[int, Rows], replays: Mapping[int, Rows]) -> dict[str, Any]:
    """What would have to be missing for the account to be in no campaign."""
    gone: set[int] = set()
    times: set[int] = set()
    for each in inside:
        left = [row for row in mine.get(each["cluster"], []) if row["prompt"] not in gone]
        gone.update(fewer(left, each["needed"]))
        times.update(row["ts"] for row in replays.get(each["cluster"], []))
    times.update(row["ts"] for rows in mine.values() for row in rows if row["prompt"] in gone)
    return {
        "to": "not in", "prompts": len(gone), "calls": len(times), "times": sorted(times),
        "text": f"Without {len(times)} of its calls ({len(gone)} different prompts that carry the wording"
        + (", and its replays of others' reasoning" if any(each["replays"] for each in inside) else "") + ") it would be in no campaign.",
    }  # fmt: skip


def _into(candidates: Rows, mine: Mapping[int, Rows], models: Mapping[int, Rows]) -> dict[str, Any] | None:
    """What would have to be there for the account to be in a campaign: the fewest prompts over all candidates."""
    best: tuple[int, int, list[int]] | None = None
    for each in candidates:
        added = more(mine.get(each["cluster"], []), models.get(each["cluster"], []), each["needed"])
        if added and (best is None or (len(added), each["cluster"]) < best[:2]):
            best = (len(added), each["cluster"], added)
    if best is None:
        return None
    count, number, added = best
    campaign = next(each["campaign"] for each in candidates if each["cluster"] == number)
    return {
        "to": "in", "campaign": campaign, "cluster": number, "prompts": count, "like": sorted(added),
        "text": f"With {count} more different prompt{'s' if count != 1 else ''} in the wording of campaign {campaign} it would be in it.",
    }  # fmt: skip
