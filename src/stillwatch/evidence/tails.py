"""How rare a value is among innocent organisations: one's own, and those of other members, of which only the ends of a distribution are told.

A rank among n organisations cannot fall below 1 / (n + 1), so a small provider can call nothing rare. Members tell how few of theirs lie beyond fixed edges. Each one's tail
gives a p-value, and k-th smallest of M, times M / k, is one as well under every dependence (Rueger 1978): a firm that is everybody's customer does no harm. With k just
above the half, whatever a minority says lies between what honest members say.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST = 100
"Organisations with a known value from which a tail is told: below, it says more of them than of the distribution."

BODY = 0.25
"Share from which nothing is told: the ends of a distribution serve, and what most customers do is the member's own affair."

STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)

_SIZES = [step * 10.0**power for power in range(-3, 5) for step in STEPS]
GRID = tuple(sorted({0.0, 0.9, 0.95, 0.98, 0.99, *(round(size, 6) for size in _SIZES), *(-round(size, 6) for size in _SIZES)}))
"Edges at which tails may be told, the same for everybody and every statistic, so that no edge is anybody's value."

APART = 4.0
"Times as many, or as few, as all others have beyond an edge, from which a member's tail is unlike theirs."

Side = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Tail:
    """The ends of a statistic among a member's innocent organisations."""

    of: int
    "Organisations with a known value; of another member, at least."
    minimum: int
    "Where fewer than this, but anybody, lie beyond an edge, so many are told."
    above: Side
    "(edge, share of organisations at or above it, at most), edges ascending."
    below: Side
    "(edge, share at or below it, at most), edges descending."

    def high(self, value: float) -> float:
        """p of a value so high: the share of innocents at least as high, one added."""
        at = bisect.bisect_right(self.above, (value, math.inf)) - 1
        return 1.0 if at < 0 else (1 + self.above[at][1] * self.of) / (1 + self.of)

    def low(self, value: float) -> float:
        """p of a value so low."""
        at = bisect.bisect_right([(-edge, share) for edge, share in self.below], (-value, math.inf)) - 1
        return 1.0 if at < 0 else (1 + self.below[at][1] * self.of) / (1 + self.of)


@dataclass(frozen=True)
class Rank:
    """Where a value stands among innocents."""

    p: float
    "Share of innocents at least as far out, two-sided, 0..1; never below `p_floor`."
    p_floor: float
    "Least p that so many organisations could have shown."


def told(values: Floats, minimum: int, least: int = LEAST) -> Tail | None:
    """The tail of a statistic, as it may be told; None where fewer than `least` organisations have a value.

    Args: its value at each organisation (1-d, unknown ones left out); the fewest organisations that may be told apart, at least 1.

    >>> told(np.arange(1000) / 1000, 10).above[-3:]
    ((0.98, 0.02), (0.99, 0.01), (1.0, 0.0))
    """
    n = len(values)
    if n < least:
        return None
    ordered = np.sort(values)
    above = [(edge, n - int(np.searchsorted(ordered, edge, "left"))) for edge in GRID]
    below = [(edge, int(np.searchsorted(ordered, edge, "right"))) for edge in reversed(GRID)]
    return Tail(n, minimum, _end(above, n, minimum), _end(below, n, minimum))


def _end(counts: Sequence[tuple[float, int]], n: int, minimum: int) -> Side:
    """Counts beyond edges, falling, as shares: none of the body, none twice, nothing after the first edge beyond which nobody lies."""
    side: list[tuple[float, float]] = []
    for edge, count in counts:
        share = _up(max(minimum, count) / n) if count else 0.0
        if share <= BODY and (not side or share < side[-1][1]):
            side.append((edge, share))
    return tuple(side)


def _up(share: float) -> float:
    """Rounded up to two significant digits."""
    unit = 10.0 ** (math.floor(math.log10(share)) - 1)
    return round(math.ceil(share / unit - 1e-9) * unit, 12)


def rank(value: float, own: Floats | None, tails: Sequence[Tail]) -> Rank:
    """Where a value stands among one's own innocents and those of other members.

    Args: the value; the statistic at one's own organisations, ascending (None: there are none, which counts as a member who can call nothing rare); others' tails.

    >>> mine, theirs = np.arange(50) / 50, told(np.arange(5000) / 5000, 10)
    >>> rank(2.0, mine, ()), rank(2.0, mine, (theirs, theirs))
    (Rank(p=0.0392156862745098, p_floor=0.0392156862745098), Rank(p=0.0005998800239952009, p_floor=0.0005998800239952009))
    """
    n = 0 if own is None else len(own)
    high = 1.0 if own is None else (1 + n - int(np.searchsorted(own, value, "left"))) / (1 + n)
    low = 1.0 if own is None else (1 + int(np.searchsorted(own, value, "right"))) / (1 + n)
    p = min(together([high, *(each.high(value) for each in tails)]), together([low, *(each.low(value) for each in tails)]))
    floor = together([1 / (1 + n), *(1 / (1 + each.of) for each in tails)])
    return Rank(min(1.0, 2 * p), min(1.0, 2 * floor))


def together(ps: Sequence[float]) -> float:
    """One p-value of several that may depend on one another in whatever way: the one just above the middle, times M / k (Rueger 1978).

    >>> together([0.5]), together([0.001, 0.5]), round(together([0.0, 0.02, 0.04]), 6)
    (0.5, 0.5, 0.03)
    """
    k = len(ps) // 2 + 1
    return min(1.0, sorted(ps)[k - 1] * len(ps) / k)


def unlike(mine: Tail, others: Sequence[Tail]) -> float | None:
    """The first edge beyond which a member has APART times as many organisations as any other, or as few; None where there is none, or fewer than two others.

    A reason to ask: it tells a lie, another kind of traffic, or another way of counting.

    >>> a, b = told(np.arange(1000) / 1000, 10), told(np.arange(1000) / 5000, 10)
    >>> unlike(a, (a, a)), unlike(b, (a, a))
    (None, 0.2)
    """
    if len(others) < 2:
        return None
    for edges, share in ((GRID, Tail.high), (GRID[::-1], Tail.low)):
        for edge in edges:
            # What is not told is more than BODY; what is told as nobody may be as many as are never told apart.
            shares = [max(min(share(each, edge), BODY), each.minimum / each.of) for each in (mine, *others)]
            if shares[0] > APART * max(shares[1:]) or APART * shares[0] < min(shares[1:]):
                return edge
    return None
