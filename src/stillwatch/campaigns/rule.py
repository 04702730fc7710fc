"""The rule of membership: who is in a cluster, and whom a case of several clusters leaves out. From kept touches alone, so that it holds without the log.

An account is in a cluster when it uses enough of the cluster's families and enough of its kin (what its members say besides), each in two different prompts, or when it is an end of a
replay between strangers. A case of several clusters is without whoever stands in one of them alone, at no end of a replay, with that as the smaller part of what it asks (decision 043).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Rows = Sequence[Row]

AGAIN = 2
"Different prompts in which a family must be used to count."

SEVERAL = 3
"Clusters of a case from which whoever stands in one of them alone may be left out."

MOSTLY = 0.5
"Share of its calls that such an account must make in that cluster's own wording to stay."


def prompts_of(touches: Iterable[Row]) -> dict[int, set[int]]:
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
    counting = [family for family, prompts in prompts_of(touches).items() if len(prompts) >= AGAIN]
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
    return naming([each for each in of if each["cluster"] in at_end or is_member(mine.get(each["cluster"], ()), each)], mine, at_end, asks)


def naming(inside: Rows, mine: Mapping[int, Rows], at_end: Container[int], asks: int) -> list[int]:
    """The same of those clusters of the campaign that the account is in."""
    if len(inside) == 1 and inside[0]["cluster"] not in at_end:
        (one,) = inside
        if len(worded_calls(mine[one["cluster"]], one)) / max(1, asks) < one["least_share"]:
            return []
    return [each["cluster"] for each in inside]


def worded_calls(touches: Iterable[Row], cluster: Row) -> set[tuple[int, int]]:
    """(time, prompt) of the calls that carry a cluster's own wording. A call whose prompt is not kept (below 0) is none of what the account asks."""
    return {(row["ts"], row["prompt"]) for row in touches if row["family"] < cluster["families"] and row["prompt"] >= 0}


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


def by_case(clusters: Rows) -> dict[int, list[Row]]:
    """The clusters of each case."""
    found: dict[int, list[Row]] = {}
    for row in clusters:
        found.setdefault(row["case"], []).append(row)
    return found


def by_cluster(rows: Rows) -> dict[int, list[Row]]:
    """The rows of each cluster."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["cluster"], []).append(row)
    return found
