"""Loops over the calls of a group, compiled (numba): what is looked at once for every cluster of a log must not sort all of its wordings."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.standing import grown, jit, scattered
from stillwatch.traffic import Ints


@jit
def _place(value: Any, keys: Any, held: Any) -> Any:
    """Where a value stands in a table of `held` (place of a key, or -1), or the empty place where it would."""
    mask = np.uint64(len(held) - 1)
    at = (scattered(value) >> np.uint64(20)) & mask
    while held[at] >= 0 and keys[held[at]] != value:
        at = (at + np.uint64(1)) & mask
    return at


@jit
def _table(most: int) -> Any:
    """An empty table for so many keys."""
    size = 16
    while size < 2 * most:
        size *= 2
    return np.full(size, -1, np.int64)


@jit
def _first_seen(values: Any) -> Any:
    """(distinct values as they come, place of each value among them)."""
    held, keys, used = _table(len(values)), np.empty(1024, np.int64), 0
    code = np.empty(len(values), np.int64)
    for i in range(len(values)):
        at = _place(values[i], keys, held)
        if held[at] < 0:
            if used == len(keys):
                keys = grown(keys)
            keys[used], held[at] = values[i], used
            used += 1
        code[i] = held[at]
    return keys[:used], code


def coded(values: Ints) -> tuple[Ints, Ints]:
    """The same as `np.unique(values, return_inverse=True)`, without sorting what occurs many times."""
    keys, code = _first_seen(values)
    order = np.argsort(keys)
    place = np.empty(len(keys), np.int64)
    place[order] = np.arange(len(keys))
    return keys[order], place[code]


@jit
def users_again(calls: Any, unit: Any, offsets: Any, values: Any, prompt: Any, wordings: Any) -> Any:
    """How many units use each of some wordings (each once) in two different prompts. `calls`: those of one unit after the other; `unit`: of each of them."""
    held = _table(len(wordings))
    for i in range(len(wordings)):
        held[_place(wordings[i], wordings, held)] = i
    first, stamp, users = np.zeros(len(wordings), np.int64), np.full(len(wordings), -1, np.int64), np.zeros(len(wordings), np.int64)
    for i in range(len(calls)):
        call, mine = calls[i], 2 * unit[i]
        for j in range(offsets[call], offsets[call + 1]):
            known = held[_place(values[j], wordings, held)]
            if known < 0:
                continue
            # A stamp tells the unit, and by one more that it was counted.
            if stamp[known] != mine and stamp[known] != mine + 1:
                stamp[known], first[known] = mine, prompt[call]
            elif stamp[known] == mine and first[known] != prompt[call]:
                stamp[known] = mine + 1
                users[known] += 1
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
