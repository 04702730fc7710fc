"""From reuse pairs to the wordings that several organisations use again: counted without a sort of all pairs.

A long log has many more pairs than wordings that anybody shares. A counting filter over the pairs finds the few that may be common, and only those are counted
exactly: a small filter lets some through that are not, never loses one that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.linking.families import LEAST_UNITS
from stillwatch.linking.history import History
from stillwatch.standing import jit, scattered
from stillwatch.traffic import Bools, Ints

SHARED_UNITS = 2
"Units that use a wording again from which a cluster's features may ask for it (features.slots.AGAIN_UNITS)."


@dataclass(frozen=True)
class Used:
    """Which wordings how many organisations use again."""

    wordings: Ints
    "Those that at least LEAST_UNITS units of this log use again, ascending."
    now: Ints
    "How many units do."
    shared: Ints
    "All that at least SHARED_UNITS units of this log use again, and perhaps some that fewer do, ascending."
    common: Ints
    "Those that as many units of this log and of the history together use again, ascending."
    common_now: Ints
    "Units of this log that do."
    common_before: Ints
    "Reference organisations that do."


@jit
def _counted(counts: Any, values: Any, bits: int, most: int) -> None:
    for value in values:
        at = scattered(value) >> np.uint64(64 - bits)
        if counts[at] < most:
            counts[at] += 1


@jit
def _enough(counts: Any, values: Any, bits: int, least: int) -> Any:
    out = np.zeros(len(values), np.bool_)
    for i in range(len(values)):
        out[i] = counts[scattered(values[i]) >> np.uint64(64 - bits)] >= least
    return out


def maybe_common(*pairs: Ints, least: int = LEAST_UNITS) -> list[Bools]:
    """For each array of the wordings of pairs: which may occur at least so many times in all of them together. All that do are among them."""
    bits = max(12, min(30, int(sum(map(len, pairs))).bit_length() + 1))
    counts = np.zeros(1 << bits, np.uint8)
    for values in pairs:
        _counted(counts, values, bits, least)
    return [_enough(counts, values, bits, least) for values in pairs]


def used(pairs: pa.Table, history: History) -> Used:
    """From the reuse pairs of a log (`carriers.reused`, of its parts in any order) and its history."""
    here, there = pairs["wording"].to_numpy(), history.wording
    some, earlier = maybe_common(here, there)
    wordings, inverse = np.unique(np.concatenate([here[some], there[earlier]]), return_inverse=True)
    now = np.bincount(inverse[: int(some.sum())], minlength=len(wordings)).astype(np.int64)
    before = np.bincount(inverse[int(some.sum()) :], minlength=len(wordings)).astype(np.int64)
    mine, both = now >= LEAST_UNITS, now + before >= LEAST_UNITS
    (shared,) = maybe_common(here, least=SHARED_UNITS)
    return Used(wordings[mine], now[mine], np.unique(here[shared]), wordings[both], now[both], before[both])
