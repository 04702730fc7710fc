"""A placebo: the test of strangers where there is nothing to find, because who is of today was dealt at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.strangers import LEAST_SHOWN, log10_e, most_shown

Ints: TypeAlias = NDArray[np.int64]

ROUNDS = 5
"Random deals."

LEAST_UNITS = 4
"Carriers of a wording that is tested, as for clusters."


@dataclass(frozen=True)
class Placebo:
    """What the method says where nothing is."""

    rounds: int
    "Random deals made; 0 without history."
    wordings: int
    "Most wordings tested in one."
    alerts: int
    "Wordings that would have been alerts, over all rounds."
    reviews: int
    "Wordings that would have been reviews (alerts not counted)."


NOT_RUN = Placebo(0, 0, 0, 0)
"Without history there are no two sides to deal to."


def placebo(wording: Ints, unit: Ints, units: Ints, odds: float, shares: Callable[[NDArray[np.bool_]], Sequence[float]]) -> Placebo:
    """Deal each organisation to today with probability `odds`, by hash and round, and test every common wording as a scan would that day.

    Args: distinct reuse pairs (wording, unit) of today and of the reference together; names of all units, ascending; `shares`: today's share of
    the exposure by alphabet (the lowest three bits of a wording), given who is of today. Each wording is a hypothesis of its own here:
    families, clusters and replays are not dealt.

    >>> everywhere = np.repeat(np.arange(50) * 8, 40), np.tile(np.arange(40), 50)
    >>> placebo(*everywhere, np.arange(40), 0.5, lambda today: [today.mean()])
    Placebo(rounds=5, wordings=50, alerts=0, reviews=0)
    """
    words, index, counts = np.unique(wording, return_inverse=True, return_counts=True)
    common = np.flatnonzero(counts >= LEAST_UNITS)
    place = np.searchsorted(units, unit)
    most = alerts = reviews = 0
    for round_ in range(ROUNDS):
        today = _dealt(units, round_) < odds
        share = shares(today)
        now = np.bincount(index, weights=today[place], minlength=len(words)).astype(np.int64)
        # Most wordings have one carrier or two; only the distinct counts need a computation.
        kinds, times = np.unique(np.stack([now, counts - now, words & 7])[:, common], axis=1, return_counts=True)
        able = [most_shown(int(n + b), share[a]) >= LEAST_SHOWN for n, b, a in kinds.T]
        evidence = np.repeat([log10_e(int(n), int(b), share[a]) for n, b, a in kinds.T[able]], times[able])
        q = np.array(q_values(np.sort(evidence)[::-1][:2000].tolist(), float(len(evidence))))
        most = max(most, len(evidence))
        alerts += int((q <= 0.01).sum())
        reviews += int(((q > 0.01) & (q <= 0.10)).sum())
    return Placebo(ROUNDS, most, alerts, reviews) if most else NOT_RUN


def _dealt(units: Ints, round_: int) -> NDArray[np.float64]:
    """A number in 0..1 for each unit and round, from its name."""
    mixed = (units.astype(np.uint64) ^ np.uint64(round_ << 56)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
