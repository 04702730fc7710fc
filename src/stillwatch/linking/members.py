"""Who belongs to a cluster: whoever uses enough of its families again, and enough of what its members say besides.

A campaign says many things, and each of its accounts most of them; an innocent who shares one sentence with it shares
that sentence only. So a member must also carry its part of the *kin*: the families that a good part of the cluster's
accounts use as well, whichever cluster those stand in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

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
        rows = np.repeat(np.arange(len(families)), [len(each.accounts) for each in families])
        columns = np.concatenate([each.accounts for each in families]) if families else np.zeros(0, np.int64)
        self._uses = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=(len(families), accounts))
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
        carried = self._carried(own)
        needed = _least(carried[carried > 0])
        base = np.flatnonzero(carried >= needed)
        besides = np.asarray(self._uses[:, base].sum(axis=1)).ravel() * self._new
        besides[own] = 0
        most = np.argsort(-besides, kind="stable")[:MOST_KIN]
        kin = np.concatenate([own, most[besides[most] >= KIN * len(base)]])
        all_of_it = self._carried(kin)[base]
        needed_kin = _least(all_of_it)
        return Told(own, kin, needed, needed_kin, base[all_of_it >= needed_kin])

    def _carried(self, families: Ints) -> Ints:
        return np.asarray(self._uses[families].sum(axis=0)).ravel()


def _least(carried: Ints) -> float:
    """Far fewer than the well-connected carry is too few."""
    return max(1.0, CARRIES * float(np.quantile(carried, 0.75))) if len(carried) else 1.0
