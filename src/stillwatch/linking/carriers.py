"""Who uses which wording again in other prompts (compiled).

Linear in the occurrences: organisations are looked at one after another, each in a table of its own size, and nothing is sorted but what was found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.standing import grown, jit, scattered
from stillwatch.traffic import Ints, Traffic

MOST_SLOTS = 1 << 22
"Slots of the table of one organisation; one with more occurrences is looked at in several turns, each over a share of the wordings."


@jit
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
                    mixed = scattered(values[j])
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
                            out_word, out_group = grown(out_word), grown(out_group)
                        out_word[used], out_group[used] = values[j], group
                        used += 1
        start = ends[group]
    return out_word[:used], out_group[:used]


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
