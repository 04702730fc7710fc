"""Where some wordings stand in a log (compiled), and what is left of a log that has no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from stillwatch.records import MARKS
from stillwatch.traffic import Bools, Ints, Traffic, lists

jit = njit(cache=True, nogil=True)

FEW = ("account", "prompt", "wordings")
"Columns of a log of which only what stands by some wordings is left."

SCREEN_BITS, MOST_SCREEN = 20, 24
"Least and largest size of the screen before a lookup, one bit for each hash of a candidate: it must lie in the processor's cache."


@jit
def scattered(value: Any) -> Any:
    """A hash's bits mixed upwards: the upper ones are a place in a table."""
    return np.uint64(value) * np.uint64(0x9E3779B97F4A7C15)


@jit
def grown(array: Any) -> Any:
    """An array of twice the length that begins as it does."""
    bigger = np.empty(2 * len(array), array.dtype)
    bigger[: len(array)] = array
    return bigger


@jit
def _screened(candidates: Any, bits: int) -> Any:
    """A bit for each candidate's hash, in words of 64."""
    screen = np.zeros((1 << bits) // 64, np.uint64)
    for value in candidates:
        at = scattered(value) >> np.uint64(64 - bits)
        screen[at >> np.uint64(6)] |= np.uint64(1) << (at & np.uint64(63))
    return screen


@jit
def place(value: Any, candidates: Any, table: Any) -> Any:
    """Where a hash stands in a table of the numbers of candidates (open addressing), or the place that is free for it, which holds -1."""
    mask = np.uint64(len(table) - 1)
    at = (scattered(value) >> np.uint64(20)) & mask
    while table[at] >= 0 and candidates[table[at]] != value:
        at = (at + np.uint64(1)) & mask
    return at


@jit
def tabled(candidates: Any, size: int) -> Any:
    """A table of `size` places, a power of two, from a candidate's hash to its number; -1 where there is none."""
    table = np.full(size, -1, np.int32)
    for i in range(len(candidates)):
        table[place(candidates[i], candidates, table)] = i
    return table


@jit
def _standing(offsets: Any, values: Any, candidates: Any, table: Any, screen: Any, bits: int) -> Any:
    """(call, number of the candidate) of every occurrence of a candidate, in order of calls and of appearance. `table`: their numbers by hash."""
    out_call, out_index, used = np.zeros(1024, np.int64), np.zeros(1024, np.int64), 0
    for call in range(len(offsets) - 1):
        for j in range(offsets[call], offsets[call + 1]):
            at = scattered(values[j]) >> np.uint64(64 - bits)
            if (screen[at >> np.uint64(6)] >> (at & np.uint64(63))) & np.uint64(1) == 0:
                continue
            known = table[place(values[j], candidates, table)]
            if known >= 0:
                if used == len(out_call):
                    out_call, out_index = grown(out_call), grown(out_index)
                out_call[used], out_index[used] = call, known
                used += 1
    return out_call[:used], out_index[:used]


def standing(traffic: Traffic, candidates: Ints) -> tuple[Ints, Ints]:
    """(call, number of the candidate) of every occurrence of some wordings (ascending), in order of calls and of appearance in the call."""
    return standing_in(*traffic.wordings, candidates)


def standing_in(offsets: Ints, values: Ints, candidates: Ints) -> tuple[Ints, Ints]:
    """The same of lists of wordings: call i has `values[offsets[i]:offsets[i + 1]]`."""
    enough = len(candidates).bit_length()
    bits = min(MOST_SCREEN, max(SCREEN_BITS, enough + 3))
    found: tuple[Ints, Ints] = _standing(offsets, values, candidates, tabled(candidates, 1 << (enough + 2)), _screened(candidates, bits), bits)
    return found


def said(column: pa.ChunkedArray, wordings: Ints) -> Bools:
    """Of each call, by its list of wordings, whether it has one of some (ascending)."""
    array, offsets, values = lists(column)
    call, _ = standing_in(offsets, values, wordings)
    return np.bincount(call, minlength=len(array)) > 0


def with_wordings(marks: pa.Table, wordings: Ints, numbers: bool = False) -> pa.Table:
    """The marks without any other wordings than these (ascending), or with their numbers in their place."""
    array, offsets, values = lists(marks["wordings"])
    call, index = standing_in(offsets, values, wordings)
    limits = np.concatenate([[0], np.cumsum(np.bincount(call, minlength=len(array)))]).astype(np.int32)
    kept = pa.ListArray.from_arrays(pa.array(limits), pa.array(index if numbers else wordings[index]), mask=pa.array(np.asarray(array.is_null())))
    return marks.set_column(marks.column_names.index("wordings"), MARKS.field("wordings"), kept)


def few(marks: pa.Table, wordings: Ints) -> pa.Table:
    """Of some calls the columns FEW, with the numbers of some wordings (ascending) for wordings, and without the calls that have none of them."""
    numbered = with_wordings(marks.select(FEW), wordings, numbers=True)
    return numbered.filter(pc.fill_null(pc.greater(pc.list_value_length(numbered["wordings"]), 0), False))


def numbers(traffic: Traffic) -> tuple[Ints, Ints]:
    """(call, number of the wording) of every occurrence in what `few` left, in order of calls and of appearance in the call."""
    offsets, values = traffic.wordings
    return np.repeat(np.arange(traffic.calls), np.diff(offsets)), values
