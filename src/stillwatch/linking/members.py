"""Who belongs to a cluster: whoever uses enough of its families again, and enough of what its members say besides.

A campaign says many things, and each of its accounts most of them; an innocent who shares one sentence with it shares
that sentence only. So a member must also carry its part of the *kin*: the families that a good part of the cluster's
accounts use as well, whichever cluster those stand in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.linking.families import Family
from stillwatch.linking.history import History
from stillwatch.traffic import Ints

CARRIES = 0.3
"Share of the families that the well-connected carry which a member must carry: fewer, and it was swept in."

KIN = 0.3
"Share of a cluster's accounts that use a family from which it is kin."

MOST_KIN = 12
"Families looked at besides a cluster's own, those that most of its accounts use."


@dataclass(frozen=True)
class Told:
    """By which families the members of a cluster are told; families are numbers in the log's list."""

    own: Ints
    "The cluster's own families that tell, ascending."
    kin: Ints
    "Those, and after them the families that go with them, the most used first."
    needed: float
    "How many of its own a member must carry."
    needed_kin: float
    "How many of the kin."
    accounts: Ints
    "The members (account codes, ascending)."


NOBODY = Told(np.zeros(0, np.int64), np.zeros(0, np.int64), 1.0, 1.0, np.zeros(0, np.int64))


class Members:
    """The families of a log beside the accounts that use each again."""

    def __init__(self, families: list[Family], accounts: int, history: History) -> None:
        """`families`: by number; `accounts`: how many there are."""
        self._users = [each.accounts for each in families]
        family = np.repeat(np.arange(len(families)), [len(each) for each in self._users])
        account = np.concatenate(self._users) if families else np.zeros(0, np.int64)
        self._families = family[np.argsort(account, kind="stable")]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(account, minlength=accounts))]).astype(np.int64)
        # A phrase that others used before makes nobody a member, unless there is nothing else.
        self._new = np.array([(history.before(each.wordings) > 0).mean() < 0.5 for each in families], np.bool_)
        self._history = history

    def of(self, families: Ints, replays: bool) -> Told:
        """Members of a cluster of these families. Without history nobody knows which are new, so where there are replays only their ends are members."""
        if replays and not self._history.known:
            return NOBODY
        new = families[self._new[families]]
        own = new if len(new) or replays else families
        if not len(own):
            return NOBODY
        accounts, carried = self._carried(own)
        needed = _least(carried)
        base = accounts[carried >= needed]
        besides, uses = np.unique(self._of_accounts(base), return_counts=True)
        other = self._new[besides] & ~np.isin(besides, own)
        besides, uses = besides[other], uses[other]
        most = np.argsort(-uses, kind="stable")[:MOST_KIN]
        kin = np.concatenate([own, besides[most[uses[most] >= KIN * len(base)]]])
        accounts, carried = self._carried(kin)
        all_of_it = carried[np.searchsorted(accounts, base)]
        needed_kin = _least(all_of_it)
        return Told(own, kin, needed, needed_kin, base[all_of_it >= needed_kin])

    def _carried(self, families: Ints) -> tuple[Ints, Ints]:
        """(accounts that carry any of some families, ascending; how many each carries)."""
        accounts, times = np.unique(np.concatenate([self._users[family] for family in families]), return_counts=True)
        return accounts, times.astype(np.int64)

    def _of_accounts(self, accounts: Ints) -> Ints:
        """Every family of every one of some accounts."""
        starts, counts = self._starts[accounts], self._starts[accounts + 1] - self._starts[accounts]
        at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(starts, counts)
        found: Ints = self._families[at]
        return found


def _least(carried: Ints) -> float:
    """Far fewer than the well-connected carry is too few."""
    return max(1.0, CARRIES * float(np.quantile(carried, 0.75))) if len(carried) else 1.0
