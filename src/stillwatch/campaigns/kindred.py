"""Clusters of one campaign may say different things: which share their accounts, and what those say in all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from stillwatch.codes import Bools, Ints
from stillwatch.records import Cluster
from stillwatch.traffic import Traffic

SAME_CASE = 0.5
"Share of the smaller cluster's accounts from which two clusters are one case."


@njit(cache=True, nogil=True)
def _kin(accounts: Any, starts: Any, held: Any, sizes: Any, least: float) -> Any:
    """Of each cluster, whether it shares at least `least` of the smaller one's accounts with these. `held[starts[a]:starts[a + 1]]`: clusters of account `a`."""
    common = np.zeros(len(sizes), np.int64)
    for account in accounts:
        for at in range(starts[account], starts[account + 1]):
            common[held[at]] += 1
    return common >= least * np.minimum(sizes, len(accounts))


class Kindred:
    """Which clusters share accounts, of one cluster at a time: of all pairs there may be billions."""

    def __init__(self, clusters: Sequence[Cluster]) -> None:
        self._accounts = [each.accounts for each in clusters]
        self._sizes = np.array([len(mine) for mine in self._accounts], np.int64)
        account = np.concatenate([np.zeros(0, np.int64), *self._accounts])
        order = np.argsort(account, kind="stable")
        self._held = np.repeat(np.arange(len(clusters)), self._sizes)[order]
        self._starts = np.searchsorted(account[order], np.arange(int(account.max(initial=-1)) + 2))

    def __call__(self, number: int) -> Bools:
        """(clusters,): a cluster, and those that share at least SAME_CASE of the smaller one's accounts with it."""
        found: Bools = _kin(self._accounts[number], self._starts, self._held, self._sizes, SAME_CASE)
        return found


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
        self._clusters, self._kindred = clusters, Kindred(clusters)
        call = np.concatenate([np.zeros(0, np.int64), *(each.calls for each in clusters)])
        order = np.argsort(call, kind="stable")
        self._call = call[order]
        self._cluster = np.repeat(np.arange(len(clusters)), [len(each.calls) for each in clusters])[order]
        self._starts = np.searchsorted(self._call, traffic.starts)

    def __call__(self, number: int) -> Ints:
        """Core calls of the members of a cluster, in it and in its kindred, ascending."""
        found: Ints = _said(self._call, self._cluster, self._starts, self._clusters[number].accounts, self._kindred(number))
        return found
