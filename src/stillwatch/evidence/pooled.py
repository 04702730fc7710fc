"""Innocents of one's own and of other members, side by side: where a value stands among them, and whose tail is unlike everybody else's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stillwatch.evidence.tails import Floats, Rank, Tail, rank, told, unlike


@dataclass(frozen=True)
class Member:
    """What another member told of its innocents."""

    name: str
    "The member, or the id of its key where no directory names it."
    made: str
    "Day, YYYY-MM-DD."
    expires: str
    "First day on which it holds no longer."
    tails: Mapping[str, Tail]
    "Statistic -> tail; only those that are defined as they are here."
    other_version: tuple[str, ...] = ()
    "Statistics that it defines in another way: they were left out."


@dataclass(frozen=True)
class Pool:
    """What several members told, one statement each."""

    members: tuple[Member, ...] = ()
    "In order of their names."
    left_out: tuple[tuple[str, str], ...] = ()
    "(file, why) of statements that do not count."


NO_POOL = Pool()
"Nobody told anything."

ALONE = 2
"Other members that it takes: with one, either its word alone would make something rare, or it would add nothing."

FEW = 20
"Organisations of one's own from which they are compared with what others tell."


class Innocents:
    """Ranks among them."""

    def __init__(self, own: Mapping[str, Floats] | None, pool: Pool) -> None:
        """`own`: statistic -> its value at each organisation of one's own reference; None without one."""
        self._own = {} if own is None else {name: np.sort(values) for name, values in own.items()}
        self._pool = pool

    def rank(self, statistic: str, value: float) -> Rank | None:
        """Where a value stands; None where there is nobody to compare it with."""
        own, tails = self._own.get(statistic), [each.tails[statistic] for each in self._pool.members if statistic in each.tails]
        if own is None and len(tails) < ALONE:
            return None
        return rank(value, own, tails if len(tails) >= ALONE else ())

    def unlike(self) -> list[tuple[str, str, float]]:
        """(member, statistic, edge) where a member's tail is unlike that of all others, one's own among them. A reason to ask, and no more: it moves no rank beyond what others say."""
        found = []
        for each in self._pool.members:
            for statistic, mine in sorted(each.tails.items()):
                others = [other.tails[statistic] for other in self._pool.members if other is not each and statistic in other.tails]
                own = self._own.get(statistic)
                if own is not None and len(own) >= FEW:
                    others += filter(None, [told(own, 1, FEW)])  # it stays here, so nobody has to be hidden
                edge = unlike(mine, others)
                if edge is not None:
                    found.append((each.name, statistic, edge))
        return found

    def told(self) -> dict[str, object]:
        """What counted and what did not, for the summary of a scan."""
        return {
            "members": [
                {
                    "member": each.name, "made": each.made, "expires": each.expires, "organisations_at_least": max((tail.of for tail in each.tails.values()), default=0),
                    "statistics": len(each.tails), "other_version": list(each.other_version),
                }
                for each in self._pool.members
            ],
            "left_out": [list(each) for each in self._pool.left_out],
            "unlike": [list(each) for each in self.unlike()],
        }  # fmt: skip
