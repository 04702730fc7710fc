"""Who carries which wording, and who uses it again in other prompts (compiled)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from stillwatch.traffic import Ints, Traffic

_jit = njit(cache=True, nogil=True)

FILTER_BITS = 23
"Size of the counting filter that drops wordings seen once; too small a filter costs time, never a wording."


@_jit
def _repeated(values: Any, bits: int) -> Any:
    """Marks the occurrences of values that occur at least twice (a few that occur once pass as well)."""
    seen = np.zeros(1 << bits, np.uint8)
    mask = np.uint64((1 << bits) - 1)
    for value in values:
        at = (np.uint64(value) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits) & mask
        if seen[at] < 2:
            seen[at] += 1
    keep = np.zeros(len(values), np.bool_)
    for i in range(len(values)):
        at = (np.uint64(values[i]) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits) & mask
        keep[i] = seen[at] >= 2
    return keep


@_jit
def _reuse(word: Any, owner: Any, prompt: Any) -> Any:
    """Of occurrences sorted by (word, owner): first index of each pair, and whether it has two different prompts."""
    n = len(word)
    first = np.zeros(n, np.int64)
    again = np.zeros(n, np.bool_)
    pairs = 0
    for i in range(n):
        if i == 0 or word[i] != word[i - 1] or owner[i] != owner[i - 1]:
            first[pairs] = i
            pairs += 1
        elif prompt[i] != prompt[first[pairs - 1]]:
            again[pairs - 1] = True
    return first[:pairs], again[:pairs]


@dataclass(frozen=True)
class Carriers:
    """Occurrences of repeated wordings, and the (wording, unit) pairs in which the unit uses it again."""

    call: Ints
    "Call of each occurrence, in order of calls and of appearance within the call."
    wording: Ints
    "Wording of each occurrence."
    pair_wording: Ints
    "Wording of each reuse pair, ascending."
    pair_unit: Ints
    "Unit of each reuse pair, ascending within the wording."


def carriers(traffic: Traffic) -> Carriers:
    """Find the reuse pairs of a log: linear but for one sort of the repeated occurrences."""
    offsets, values = traffic.wordings
    call = np.repeat(np.arange(traffic.calls), np.diff(offsets))
    keep = _repeated(values, FILTER_BITS)
    call, wording = call[keep], values[keep]
    unit = traffic.unit[traffic.account[call]]
    order = np.lexsort((unit, wording))
    first, again = _reuse(wording[order], unit[order], traffic.prompt[call[order]])
    reused = order[first[again]]
    return Carriers(call, wording, wording[reused], unit[reused])


def carriers_by_name(traffic: Traffic, found: Carriers, wordings: Ints) -> Ints:
    """How many organisations by name use each of some wordings (ascending) again.

    By name: what the log calls one organisation is one, but several that share a card are several.
    """
    at = np.minimum(np.searchsorted(wordings, found.wording), max(0, len(wordings) - 1))
    mine = wordings[at] == found.wording if len(wordings) else np.zeros(len(at), np.bool_)
    call, index = found.call[mine], at[mine].astype(np.int64)
    org = traffic.org[traffic.account[call]]
    order = np.lexsort((org, index))
    first, again = _reuse(index[order], org[order], traffic.prompt[call[order]])
    return np.bincount(index[order][first[again]], minlength=len(wordings)).astype(np.int64)


def pairs_table(found: Carriers, traffic: Traffic) -> pa.Table:
    """Reuse pairs as they are kept for later scans: (wording, unit hash)."""
    return pa.table({"wording": found.pair_wording, "unit": traffic.unit_hash[found.pair_unit]})
