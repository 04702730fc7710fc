"""Loops over the calls of a group, compiled (numba): what is looked at once for every cluster of a log must not sort all of its wordings."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from stillwatch.standing import grown, jit, place, tabled
from stillwatch.traffic import Ints


def _size(count: int) -> int:
    """Places of a table for so many keys."""
    return 2 << count.bit_length()


@jit
def _first_seen(values: Any, table: Any) -> Any:
    """(distinct values as they come, place of each value among them). `table`: empty."""
    keys, used = np.empty(1024, np.int64), 0
    code = np.empty(len(values), np.int64)
    for i in range(len(values)):
        at = place(values[i], keys, table)
        if table[at] < 0:
            if used == len(keys):
                keys = grown(keys)
            keys[used], table[at] = values[i], used
            used += 1
        code[i] = table[at]
    return keys[:used], code


def coded(values: Ints) -> tuple[Ints, Ints]:
    """The same as `np.unique(values, return_inverse=True)`, without sorting what occurs many times."""
    keys, code = _first_seen(values, np.full(_size(len(values)), -1, np.int32))
    order = np.argsort(keys)
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys))
    return keys[order], rank[code]


@jit
def _users_again(calls: Any, unit: Any, offsets: Any, values: Any, prompt: Any, wordings: Any, table: Any) -> Any:
    first, stamp, users = np.zeros(len(wordings), np.int64), np.full(len(wordings), -1, np.int64), np.zeros(len(wordings), np.int64)
    for i in range(len(calls)):
        call, mine = calls[i], 2 * unit[i]
        for j in range(offsets[call], offsets[call + 1]):
            known = table[place(values[j], wordings, table)]
            if known < 0:
                continue
            # A stamp tells the unit, and by one more that it was counted.
            if stamp[known] != mine and stamp[known] != mine + 1:
                stamp[known], first[known] = mine, prompt[call]
            elif stamp[known] == mine and first[known] != prompt[call]:
                stamp[known] = mine + 1
                users[known] += 1
    return users


def users_again(calls: Ints, unit: Ints, offsets: Ints, values: Ints, prompt: Ints, wordings: Ints) -> Ints:
    """How many units use each of some wordings (each once) in two different prompts. `calls`: those of one unit after the other; `unit`: of each of them."""
    users: Ints = _users_again(calls, unit, offsets, values, prompt, wordings, tabled(wordings, _size(len(wordings))))
    return users


@jit
def smallest(account: Any, prompt: Any, name: Any, most: int) -> Any:
    """Places of at most `most` rows of each account (ascending), those with the smallest prompts, and of equal ones with the smallest names."""
    out, used, begin = np.empty(len(account), np.int64), 0, 0
    while begin < len(account):
        end = begin
        kept = out[used:]  # places so far, the smallest first
        count = 0
        while end < len(account) and account[end] == account[begin]:
            at = count
            while at > 0 and (prompt[end] < prompt[kept[at - 1]] or (prompt[end] == prompt[kept[at - 1]] and name[end] < name[kept[at - 1]])):
                at -= 1
            if at < most:
                count = min(most, count + 1)
                for i in range(count - 1, at, -1):
                    kept[i] = kept[i - 1]
                kept[at] = end
            end += 1
        used += count
        begin = end
    return out[:used]


@jit
def least(values: Any, most: int) -> Any:
    """Places of the `most` smallest values, the smallest first, of equal ones the first: as a stable sort of all would begin."""
    out, used = np.empty(most, np.int64), 0
    for i in range(len(values)):
        if used == most and values[i] >= values[out[used - 1]]:
            continue
        at = used if used < most else used - 1
        while at > 0 and values[i] < values[out[at - 1]]:
            out[at] = out[at - 1]
            at -= 1
        out[at] = i
        used = min(most, used + 1)
    return out[:used]


@jit
def first(starts: Any, values: Any, most: int) -> Any:
    """(the `most` smallest values of each row, ascending; how many there are, where it has fewer). `starts`: where each row's begin, and the last one's end."""
    out, count = np.zeros((len(starts) - 1, most), np.int64), np.zeros(len(starts) - 1, np.int64)
    for row in range(len(starts) - 1):
        mine = values[starts[row] : starts[row + 1]]
        at = least(mine, most)
        out[row, : len(at)], count[row] = mine[at], len(at)
    return out, count


class Said(NamedTuple):
    """Who says each term, and where."""

    begins: Any
    "Where the rows of each term begin, and those of the last end."
    rows: Any
    "Rows in which it stands, ascending."
    units: Any
    "How many units say it."


@jit
def _said(ends: Any, terms: Any, unit: Any, by_unit: Any, count: int) -> Any:
    begins, units, last = np.zeros(count + 1, np.int64), np.zeros(count, np.int64), np.full(count, -1, np.int64)
    for row in by_unit:
        for at in range(ends[row - 1] if row else 0, ends[row]):
            begins[terms[at] + 1] += 1
            if last[terms[at]] != unit[row]:
                last[terms[at]] = unit[row]
                units[terms[at]] += 1
    begins = np.cumsum(begins)
    free, rows = begins[:-1].copy(), np.empty(begins[-1], np.int64)
    for row in range(len(ends)):
        for at in range(ends[row - 1] if row else 0, ends[row]):
            rows[free[terms[at]]] = row
            free[terms[at]] += 1
    return begins, rows, units


def said(ends: Ints, terms: Ints, unit: Ints, count: int) -> Said:
    """`terms`: those of row 0, then 1... (numbers below `count`); `ends`: where each row's end; `unit`: of each row."""
    return Said(*_said(ends, terms, unit, np.argsort(unit, kind="stable"), count))


@jit
def goes_with(said: Any, wanted: Any, ends: Any, wordings: Any, carrying: Any, explained: float, often: float) -> Any:
    """Which of the wanted terms stand with one wording: it is in `explained` of the term's rows, and the term in `often` of all rows that carry it.

    `wordings`: those of row 0, then 1... (numbers); `ends`: where each row's end; `carrying`: rows that carry each.
    """
    begins, rows, _ = said
    out, count, stamp = np.zeros(len(wanted), np.bool_), np.zeros(len(carrying), np.int64), np.full(len(carrying), -1, np.int64)
    candidates = np.empty(len(carrying), np.int64)
    for term in range(len(wanted)):
        if not wanted[term]:
            continue
        many = begins[term + 1] - begins[term]
        least = explained * many - 1e-6
        used = 0
        for nth in range(many):
            row = rows[begins[term] + nth]
            new = many - nth >= least  # a wording that comes later is not in enough of the rows
            if not new and not used:
                break
            for at in range(ends[row - 1] if row else 0, ends[row]):
                wording = wordings[at]
                if stamp[wording] == term:
                    count[wording] += 1
                elif new:
                    stamp[wording], count[wording] = term, 1
                    candidates[used] = wording
                    used += 1
        for i in range(used):
            together = count[candidates[i]]
            if together >= least and together >= often * carrying[candidates[i]] - 1e-6:
                out[term] = True
                break
    return out
