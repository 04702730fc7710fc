"""A placebo: the test of strangers where there is nothing to find, because who is of today was dealt at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.strangers import LEAST_SHOWN, log10_e, most_shown

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
    "Wordings tested in each."
    alerts: int
    "Wordings that would have been alerts, over all rounds."
    reviews: int
    "Wordings that would have been reviews (alerts not counted)."


def placebo(wording: NDArray[np.int64], unit: NDArray[np.int64], share_now: float) -> Placebo:
    """Deal each organisation to today with probability `share_now`, by hash and round, and test every common wording.

    Args: reuse pairs (wording, unit) of today and of the reference together.

    >>> everywhere = np.repeat(np.arange(50), 40), np.tile(np.arange(40), 50)
    >>> placebo(*everywhere, 0.5)
    Placebo(rounds=5, wordings=50, alerts=0, reviews=0)
    """
    words, index, counts = np.unique(wording, return_inverse=True, return_counts=True)
    enough = counts >= LEAST_UNITS
    enough[enough] = [most_shown(int(count), share_now) >= LEAST_SHOWN for count in counts[enough]]
    tested = int(enough.sum())
    if not tested:
        return Placebo(0, 0, 0, 0)
    alerts = reviews = 0
    for round_ in range(ROUNDS):
        mixed = (unit.astype(np.uint64) ^ np.uint64(round_ << 56)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
        today = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53 < share_now
        now = np.bincount(index, weights=today, minlength=len(words)).astype(np.int64)
        # Most wordings have one carrier or two; only the distinct pairs of counts need a computation.
        pairs, multiplicity = np.unique(np.stack([now, counts - now])[:, enough], axis=1, return_counts=True)
        evidence = np.repeat([log10_e(int(n), int(b), share_now) for n, b in pairs.T], multiplicity)
        q = np.array(q_values(np.sort(evidence)[::-1][:2000].tolist(), float(tested)))
        alerts += int((q <= 0.01).sum())
        reviews += int(((q > 0.01) & (q <= 0.10)).sum())
    return Placebo(ROUNDS, tested, alerts, reviews)
