"""Who uses which wording again in other prompts, and where candidates of a list stand (compiled).

Both are linear in the occurrences: organisations are looked at one after another, each in a table of its own size, and nothing is sorted but what was found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from stillwatch.traffic import Ints, Traffic

_jit = njit(cache=True, nogil=True)

MOST_SLOTS = 1 << 22
"Slots of the table of one organisation; one with more occurrences is looked at in several turns, each over a share of the wordings."

SCREEN_BITS, MOST_SCREEN = 20, 24
"Least and largest size of the screen before a lookup, one bit for each hash of a candidate: it must lie in the processor's cache."


@_jit
def _scattered(value: Any) -> Any:
    return np.uint64(value) * np.uint64(0x9E3779B97F4A7C15)


@_jit
def _again(calls: Any, ends: Any, offsets: Any, values: Any, prompt: Any, most: int) -> Any:
    """(wording, group) of every wording that stands in two different prompts of a group of calls. `calls`: those of group 0, then 1...; `ends`: where each ends."""
    size = 1 << 12
    key, first, stamp = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64)
    out_word, out_group, used = np.zeros(1024, np.int64), np.zeros(1024, np.int64), 0
    start, turn_number = 0, 0
    for group in range(len(ends)):
        total = 0
        for i in range(start, ends[group]):
            total += offsets[calls[i] + 1] - offsets[calls[i]]
        turns = 1
        while 2 * total > most * turns:
            turns *= 2
        while size < min(most, 2 * total):
            size *= 2
        if len(key) < size:
            key, first, stamp = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64)
        room = 16
        while room < min(size, 2 * total):
            room *= 2
        mask = np.uint64(room - 1)
        for turn in range(turns):
            turn_number += 1
            for i in range(start, ends[group]):
                call = calls[i]
                for j in range(offsets[call], offsets[call + 1]):
                    mixed = _scattered(values[j])
                    if turns > 1 and (mixed & np.uint64(turns - 1)) != np.uint64(turn):
                        continue
                    at = (mixed >> np.uint64(20)) & mask
                    # A stamp tells whose entry it is: of this turn, of this turn and told already (negative), or an old one.
                    while abs(stamp[at]) == turn_number and key[at] != values[j]:
                        at = (at + np.uint64(1)) & mask
                    if abs(stamp[at]) != turn_number:
                        stamp[at], key[at], first[at] = turn_number, values[j], prompt[call]
                    elif stamp[at] > 0 and first[at] != prompt[call]:
                        stamp[at] = -turn_number
                        if used == len(out_word):
                            out_word, out_group = _grown(out_word), _grown(out_group)
                        out_word[used], out_group[used] = values[j], group
                        used += 1
        start = ends[group]
    return out_word[:used], out_group[:used]


@_jit
def _grown(array: Any) -> Any:
    bigger = np.empty(2 * len(array), array.dtype)
    bigger[: len(array)] = array
    return bigger


@_jit
def _screened(candidates: Any, bits: int) -> Any:
    """A bit for each candidate's hash, in words of 64."""
    screen = np.zeros((1 << bits) // 64, np.uint64)
    for value in candidates:
        at = _scattered(value) >> np.uint64(64 - bits)
        screen[at >> np.uint64(6)] |= np.uint64(1) << (at & np.uint64(63))
    return screen


@_jit
def _tabled(candidates: Any, size: int) -> Any:
    """Open addressing from a candidate's hash to its number; -1 where there is none."""
    table = np.full(size, -1, np.int32)
    mask = np.uint64(size - 1)
    for i in range(len(candidates)):
        at = (_scattered(candidates[i]) >> np.uint64(20)) & mask
        while table[at] >= 0:
            at = (at + np.uint64(1)) & mask
        table[at] = i
    return table


@_jit
def _standing(offsets: Any, values: Any, candidates: Any, table: Any, screen: Any, bits: int) -> Any:
    """(call, number of the candidate) of every occurrence of a candidate, in order of calls and of appearance. `table`: their numbers by hash."""
    out_call, out_index, used = np.zeros(1024, np.int64), np.zeros(1024, np.int64), 0
    mask = np.uint64(len(table) - 1)
    for call in range(len(offsets) - 1):
        for j in range(offsets[call], offsets[call + 1]):
            at = _scattered(values[j]) >> np.uint64(64 - bits)
            if (screen[at >> np.uint64(6)] >> (at & np.uint64(63))) & np.uint64(1) == 0:
                continue
            at = (_scattered(values[j]) >> np.uint64(20)) & mask
            while table[at] >= 0 and candidates[table[at]] != values[j]:
                at = (at + np.uint64(1)) & mask
            if table[at] >= 0:
                if used == len(out_call):
                    out_call, out_index = _grown(out_call), _grown(out_index)
                out_call[used], out_index[used] = call, table[at]
                used += 1
    return out_call[:used], out_index[:used]


def grouped(label: Ints, groups: int) -> tuple[Ints, Ints]:
    """(rows in order of their group, where each group ends)."""
    return np.argsort(label, kind="stable").astype(np.int64), np.cumsum(np.bincount(label, minlength=groups)).astype(np.int64)


def again(traffic: Traffic, group: Ints, groups: int) -> tuple[Ints, Ints]:
    """(wording, group) of the wordings that a group of accounts uses in two different prompts. `group`: of each account."""
    offsets, values = traffic.wordings
    calls, ends = grouped(group[traffic.account], groups)
    found: tuple[Ints, Ints] = _again(calls, ends, offsets, values, traffic.prompts, MOST_SLOTS)
    return found


def reused(traffic: Traffic) -> pa.Table:
    """Reuse pairs as they are kept for later scans: (wording, name of a unit that uses it again in another prompt), in order."""
    wording, unit = again(traffic, traffic.unit, traffic.units)
    name = traffic.unit_hash[unit]
    order = np.lexsort((name, wording))
    return pa.table({"wording": wording[order], "unit": name[order]})


def standing(traffic: Traffic, candidates: Ints) -> tuple[Ints, Ints]:
    """(call, number of the candidate) of every occurrence of some wordings (ascending), in order of calls and of appearance in the call."""
    return standing_in(*traffic.wordings, candidates)


def standing_in(offsets: Ints, values: Ints, candidates: Ints) -> tuple[Ints, Ints]:
    """The same of lists of wordings: call i has `values[offsets[i]:offsets[i + 1]]`."""
    enough = len(candidates).bit_length()
    bits = min(MOST_SCREEN, max(SCREEN_BITS, enough + 3))
    found: tuple[Ints, Ints] = _standing(offsets, values, candidates, _tabled(candidates, 1 << (enough + 2)), _screened(candidates, bits), bits)
    return found
