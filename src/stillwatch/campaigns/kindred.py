"""Clusters of one campaign may say different things: which share their accounts, and what those say in all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

from stillwatch.codes import Bools, Ints
from stillwatch.records import Cluster
from stillwatch.traffic import Traffic

SAME_CASE = 0.5
"Share of the smaller cluster's accounts from which two clusters are one case."


def kindred(clusters: Sequence[Cluster]) -> Bools:
    """(clusters, clusters): of each cluster, itself and those that share at least SAME_CASE of the smaller one's accounts."""
    sizes = np.array([len(each.accounts) for each in clusters], np.int64)
    if not len(clusters):
        return np.zeros((0, 0), np.bool_)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    accounts = np.concatenate([each.accounts for each in clusters])
    holds = csr_matrix((np.ones(len(accounts), np.int64), accounts, ends), shape=(len(clusters), int(accounts.max(initial=-1)) + 1))
    common = (holds @ holds.T).toarray()
    return np.asarray(common >= SAME_CASE * np.minimum(sizes[:, None], sizes[None, :]))


@njit(cache=True, nogil=True)
def _said(call: Any, cluster: Any, starts: Any, accounts: Any, kin: Any) -> Any:
    """Calls of some accounts that belong to a cluster of the kin, each once. (call, cluster) are in order of calls; `starts`: where each account's begin."""
    total = 0
    for account in accounts:
        total += starts[account + 1] - starts[account]
    out, used = np.empty(total, np.int64), 0
    for account in accounts:
        last = -1
        for at in range(starts[account], starts[account + 1]):
            if kin[cluster[at]] and call[at] != last:
                last = call[at]
                out[used] = last
                used += 1
    return out[:used]


class Together:
    """The core calls of some clusters, by account."""

    def __init__(self, traffic: Traffic, clusters: Sequence[Cluster]) -> None:
        """`clusters`: with their calls."""
        self._clusters, self._kin = clusters, kindred(clusters)
        call = np.concatenate([np.zeros(0, np.int64), *(each.calls for each in clusters)])
        order = np.argsort(call, kind="stable")
        self._call = call[order]
        self._cluster = np.repeat(np.arange(len(clusters)), [len(each.calls) for each in clusters])[order]
        self._starts = np.searchsorted(self._call, traffic.starts)

    def __call__(self, number: int) -> Ints:
        """Core calls of the members of a cluster, in it and in its kindred, ascending."""
        found: Ints = _said(self._call, self._cluster, self._starts, self._clusters[number].accounts, self._kin[number])
        return found
