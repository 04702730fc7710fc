"""Why one account is in, nearly in or not in a campaign, with the ties that it has and the smallest change found that would turn the answer.

Membership is a rule (`rule`), so the explanation is exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.campaigns.change import into, out
from stillwatch.campaigns.rule import Has, Row, Rows, by_case, by_cluster, carries, is_member, standing, worded_calls

JOINS = 2
"Members that must hold a key for it to join them."


def weight(inside: int, inside_all: int, outside: int, outside_all: int) -> float:
    """Weight of evidence of a key (Good 1950), base 10: 0 when it is as common among innocents as among members, 2 when a hundredth as common.

    Below 0 it is commoner among innocents. Half a holder is added on both sides, so that a key of few holders never weighs without bound. It describes; no verdict
    is made from it.

    >>> round(weight(40, 50, 3, 4000), 2), round(weight(5, 50, 400, 4000), 2)
    (2.96, 0.03)
    """
    return math.log10((inside + 0.5) / (inside_all + 1)) - math.log10((outside + 0.5) / (outside_all + 1))


def explain(account: Row, clusters: Rows, touches: Rows, ends: Rows, models: Rows) -> dict[str, Any]:
    """The explanation of one account.

    Args: its row of the accounts, all clusters, its touches and ends, and calls of a member of each cluster (`more`).
    Returns: answer ("in", "nearly" or "not in"), campaigns, hinges (campaigns that might not be listed without it), cases (campaign by campaign) and clusters
    (each with what the account carries and what a member must, and whether its case leaves the account out), change (the smallest found, or None) and other_changes.
    """
    mine, at_end = by_cluster(touches), by_cluster(ends)
    cases_of, has = by_case(clusters), Has(mine, at_end, account["asks"], account["apart"])
    stands = {number for of in cases_of.values() for number in standing(of, mine, at_end, has.asks)}
    told = []
    for cluster in clusters:
        number = cluster["cluster"]
        if number not in mine and number not in at_end:
            continue
        have = mine.get(number, [])
        own, kin = carries(have, cluster)
        worded = worded_calls(have, cluster)
        told.append({
            **cluster, "carries": own, "carries_kin": kin, "replays": len(at_end.get(number, [])), "in": number in stands,
            "left_out": number not in stands and is_member(have, cluster), "calls": len(worded), "prompts": len({prompt for _, prompt in worded}),
        })  # fmt: skip
    inside = [each for each in told if each["in"]]
    campaigns = list(dict.fromkeys(each["campaign"] for each in inside))
    changes = [out(told, cases_of, has)] if inside else into({each["case"] for each in told}, cases_of, has, by_cluster(models))
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


def _cases(told: Rows, mine: Mapping[int, list[Row]], at_end: Mapping[int, list[Row]]) -> list[dict[str, Any]]:
    """What the account has of each campaign that it touches, those that it is in first. Carries and needed: of the cluster in which it gets furthest."""
    made = []
    for campaign in dict.fromkeys(each["campaign"] for each in told):
        of = [each for each in told if each["campaign"] == campaign]
        closest = max(of, key=lambda each: (min(each["carries"] / each["needed"], each["carries_kin"] / each["needed_kin"]), -each["cluster"]))
        # Of a member its calls in the clusters that name it; of others those that would make them one.
        inside = [each for each in of if each["in"]]
        counted = inside or of
        worded = {row["ts"] for each in counted for row in mine.get(each["cluster"], []) if row["family"] < each["families"]}
        replayed = {row["ts"] for each in counted for row in at_end.get(each["cluster"], [])}
        made.append({
            "campaign": campaign, "verdict": of[0]["verdict"], "in": bool(inside), "left_out": any(each["left_out"] for each in of), "clusters": len(of),
            "clusters_in": len(inside), "carries": closest["carries"], "needed": closest["needed"],
            "carries_kin": closest["carries_kin"], "needed_kin": closest["needed_kin"],
            "calls": len(worded | replayed), "replays": len(replayed),
        })  # fmt: skip
    return sorted(made, key=lambda each: not each["in"])


def _hinging(campaigns: Sequence[str], inside: Rows, clusters: Rows) -> list[str]:
    """Of these campaigns those of which no cluster would surely be listed without this account: it is in each that would not."""
    weak = {each["cluster"] for each in inside if not each["stands"]}
    return [name for name in campaigns if all(each["cluster"] in weak for each in clusters if each["campaign"] == name)]
