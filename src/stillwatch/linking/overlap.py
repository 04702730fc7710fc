"""Which sets have most of their members in common: a set-similarity join, compiled.

Exact, and without the product of all sets with all: two sets of Jaccard index t share one of the rarest members of each, and neither is smaller than t times the other
(prefix and size filters: Chaudhuri, Ganti, Kaushik, "A primitive operator for similarity joins in data cleaning", ICDE 2006; Bayardo, Ma, Srikant, "Scaling up all
pairs similarity search", WWW 2007). What very many sets have in common, such as an account that uses every phrase, is looked at last and mostly never.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.codes import Ints
from stillwatch.standing import grown, jit


@jit
def _kept(size: int, least: float) -> int:
    """How many members of a set, the rarest first, one must look at to meet every set that has enough in common with it."""
    # A set that shares fewer than `least` of these members cannot reach that index. The margin is for rounding: looking at one more is never wrong.
    return min(size, size - int(np.ceil(least * size - 1e-9)) + 1)


@jit
def _common(members: Any, one: int, one_end: int, other: int, other_end: int) -> int:
    """Members of two ascending runs that stand in both."""
    count = 0
    while one < one_end and other < other_end:
        a, b = members[one], members[other]
        count += a == b
        one += a <= b
        other += b <= a
    return count


@jit
def _joined(starts: Any, members: Any, heads: Any, least: float) -> Any:
    """(earlier set, later set, members in common) of all that reach `least`. Sets ascend in size, their members in rank; `heads`: where each rank's list of sets begins."""
    sets = len(starts) - 1
    held, ends, begins = np.empty(heads[-1], np.int32), heads[:-1].copy(), heads[:-1].copy()
    met = np.full(sets, -1, np.int32)
    left, right, shared = np.empty(1024, np.int32), np.empty(1024, np.int32), np.empty(1024, np.int32)
    used = 0
    for mine in range(sets):
        begin, end = starts[mine], starts[mine + 1]
        size = end - begin
        for at in range(begin, begin + _kept(size, least)):
            rank = members[at]
            # Sets come in order of size: one too small for this is too small for all that follow.
            while begins[rank] < ends[rank] and starts[held[begins[rank]] + 1] - starts[held[begins[rank]]] < least * size - 1e-9:
                begins[rank] += 1
            for place in range(begins[rank], ends[rank]):
                other = held[place]
                if met[other] == mine:
                    continue
                met[other] = mine
                common = _common(members, begin, end, starts[other], starts[other + 1])
                if common >= least * (size + starts[other + 1] - starts[other] - common) - 1e-9:
                    if used == len(left):
                        left, right, shared = grown(left), grown(right), grown(shared)
                    left[used], right[used], shared[used] = other, mine, common
                    used += 1
            held[ends[rank]] = mine
            ends[rank] += 1
    return left[:used], right[:used], shared[:used]


@jit
def _sizes_of_lists(starts: Any, members: Any, ranks: int, least: float) -> Any:
    """In how many sets each member stands among those that are looked at."""
    out = np.zeros(ranks, np.int64)
    for mine in range(len(starts) - 1):
        for at in range(starts[mine], starts[mine] + _kept(starts[mine + 1] - starts[mine], least)):
            out[members[at]] += 1
    return out


def overlapping(sets: list[Ints], universe: int, least: float) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """All pairs of sets with a Jaccard index of at least `least`, as (smaller number, larger number, index), in order.

    Args: sets of distinct numbers below `universe`, none empty; the least index, above 0.

    >>> one, other, index = overlapping([np.array([1, 2, 3]), np.array([7, 8]), np.array([1, 2, 3, 4])], 9, 0.6)
    >>> one.tolist(), other.tolist(), index.tolist()
    ([0], [2], [0.75])
    """
    sizes = np.array([len(each) for each in sets], np.int64)
    order = np.argsort(sizes, kind="stable")
    times = np.bincount(np.concatenate(sets), minlength=universe) if len(sets) else np.zeros(universe, np.int64)
    rank = np.empty(universe, np.int32)
    rank[np.argsort(times, kind="stable")] = np.arange(universe, dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum(sizes[order])]).astype(np.int64)
    members = np.concatenate([np.sort(rank[sets[each]]) for each in order.tolist()]) if len(sets) else np.zeros(0, np.int32)
    heads = np.concatenate([[0], np.cumsum(_sizes_of_lists(starts, members, universe, least))]).astype(np.int64)
    left, right, common = _joined(starts, members, heads, least)
    one, other = order[left], order[right]
    index = common / (sizes[one] + sizes[other] - common)
    exact = index >= least
    low, high, index = np.minimum(one, other)[exact], np.maximum(one, other)[exact], index[exact]
    ordered = np.lexsort((high, low))
    return low[ordered], high[ordered], index[ordered]
