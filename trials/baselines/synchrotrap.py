"""SynchroTrap (Cao, Yang, Yu, Palow: "Uncovering large groups of active malicious accounts in online social networks", CCS 2014).

An action is an account, a time and a constraint object (an address, a card, a wording). Two accounts' actions match if their object is the same and their times lie at most
an hour (or a day) apart. The similarity of two accounts is that of Jaccard over all objects of a kind: matched actions by matched and unmatched ones. Accounts at least as similar as
the threshold are tied, and connected ones make a cluster (single linkage). The paper then keeps large clusters; here the number of an account is the size of its cluster, so that the cut can
be laid anywhere.

Its authors' thresholds were set for each application by hand, so these are ours, fixed beforehand. The paper's implementation counts matches by overlapping windows of time; here
actions are matched one to one, as many as possible. It cannot see accounts that never do the same thing within that time, and it finds every fleet on one scheduler.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from baselines.accounts import Floats, Ints, Log

HOUR, DAY = 3_600_000_000, 86_400_000_000
"Microseconds within which two actions match."

SIMILAR = 0.5
"Similarity from which two accounts are tied."

MATCHES = 2
"Matched actions that two accounts need to be tied: one is chance."


@numba.njit(cache=True)
def _matched(times, first, second, window):  # type: ignore[no-untyped-def]
    """Most pairs, one to one, of two sorted runs whose times lie at most `window` apart."""
    at, end, other, other_end = first[0], first[1], second[0], second[1]
    found = 0
    while at < end and other < other_end:
        apart = times[at] - times[other]
        if abs(apart) <= window:
            found += 1
            at += 1
            other += 1
        elif apart < 0:
            at += 1
        else:
            other += 1
    return found


@numba.njit(cache=True)
def _pairs(times, runs, run_account, run_object, total, window, similar):  # type: ignore[no-untyped-def]
    """(pair of accounts, matches on one object), for pairs that could be similar at all: that needs one to have at least `similar` times the other's actions."""
    keys, found = np.empty(1024, np.int64), np.empty(1024, np.int64)
    filled, accounts, begin = 0, len(total), 0
    while begin < len(runs):
        end = begin
        while end < len(runs) and run_object[end] == run_object[begin]:
            end += 1
        for one in range(begin, end):
            for other in range(one + 1, end):
                mine, theirs = total[run_account[one]], total[run_account[other]]
                if min(mine, theirs) < similar * max(mine, theirs):
                    continue
                count = _matched(times, runs[one], runs[other], window)
                if count == 0:
                    continue
                if filled == len(keys):
                    keys, found = np.concatenate((keys, np.empty_like(keys))), np.concatenate((found, np.empty_like(found)))
                low, high = min(run_account[one], run_account[other]), max(run_account[one], run_account[other])
                keys[filled], found[filled] = low * accounts + high, count
                filled += 1
        begin = end
    return keys[:filled], found[:filled]


def similarities(accounts: int, who: Ints, ts: Ints, objects: Ints, window: int = HOUR, similar: float = 0.0) -> tuple[Ints, Ints, Ints, Floats]:
    """Pairs of accounts with matched actions: the two, their matched actions and their similarity (0 to 1). Pairs that cannot reach `similar` may be left out.

    All actions of one kind; an object of -1 is no action.
    """
    has = objects >= 0
    who, ts, objects = who[has], ts[has], objects[has]
    order = np.lexsort((ts, who, objects))
    who, ts, objects = who[order], ts[order], objects[order]
    total = np.bincount(who, minlength=accounts)
    begins = np.flatnonzero((np.diff(who, prepend=-1) != 0) | (np.diff(objects, prepend=-1) != 0))
    runs = np.stack([begins, np.append(begins[1:], len(who))[: len(begins)]], axis=1)
    keys, found = _pairs(ts, runs, who[begins], objects[begins], total, window, similar)
    pairs, place = np.unique(keys, return_inverse=True)
    matched = np.bincount(place, weights=found, minlength=len(pairs)).astype(np.int64)
    one, other = pairs // accounts, pairs % accounts
    return one, other, matched, matched / np.maximum(total[one] + total[other] - matched, 1)


def sizes(accounts: int, who: Ints, ts: Ints, objects: Ints, window: int = HOUR) -> Floats:
    """Accounts in each account's cluster; NaN where it is in none."""
    one, other, matched, alike = similarities(accounts, who, ts, objects, window, SIMILAR)
    tied = (alike >= SIMILAR) & (matched >= MATCHES)
    graph = sparse.coo_matrix((np.ones(int(tied.sum())), (one[tied], other[tied])), shape=(accounts, accounts))
    _, cluster = connected_components(graph, directed=False)
    size = np.bincount(cluster)[cluster].astype(np.float64)
    return np.where(size > 1, size, np.nan)


def scores(log: Log, history: Log | None, kinds: tuple[str, ...], window: int = HOUR) -> Floats:
    """The largest cluster of each account over several kinds of object. With a history, objects that it holds too are left out: new ones remain."""
    best: NDArray[Any] = np.full(len(log.names), np.nan)
    for kind in kinds:
        objects = log.objects(kind).of
        if history is not None:
            objects = np.where(np.append(log.known(kind, history), False)[objects], -1, objects)
        best = np.fmax(best, sizes(len(log.names), log.of, log.ts, objects, window))
    return best
