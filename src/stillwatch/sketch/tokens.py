"""Texts to hashed tokens, compiled (numba): UTF-8 bytes in, one hash and one kind a token out.

Tokens: a run of letters (folded to lower case where one code point does it), a run of digits, or one ideograph, kana
or Thai sign; `characters` says which is which, and `split` is all that knows what a token is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

BLOCK = 32
"Bytes that are looked at together where all are ASCII."

Array = Any
BASE = np.uint64(0x9E3779B97F4A7C15 | 1)
"Of the polynomial that hashes runs of tokens."

NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
"No shingle, or an empty place in a table."

ONE = np.uint64(1)
"Places are counted in unsigned numbers where speed counts: numba looks twice at an index that may be negative."

whole: Any = np.int64
"A number in 64 bits with a sign."

jit = njit(cache=True, nogil=True, error_model="numpy")
"For what allocates."

leaf = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]
"For what does not: without numba's counting of references, two locked instructions for every array at every call."


@leaf
def mix(x: np.uint64) -> np.uint64:
    """splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@leaf
def _decode(data: Array, at: int, end: int) -> tuple[int, int]:
    """One code point of valid UTF-8, and the index after it."""
    byte = data[at]
    if byte < 0x80:
        return whole(byte), at + 1
    if byte < 0xE0 and at + 1 < end:
        return ((byte & 0x1F) << 6) | (data[at + 1] & 0x3F), at + 2
    if byte < 0xF0 and at + 2 < end:
        return ((byte & 0x0F) << 12) | ((data[at + 1] & 0x3F) << 6) | (data[at + 2] & 0x3F), at + 3
    if at + 3 < end:
        return ((byte & 0x07) << 18) | ((data[at + 1] & 0x3F) << 12) | ((data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F), at + 4
    return 0xFFFD, end


@leaf
def _block(data: Array, at: int, codes: Array, kinds: Array, place: int) -> np.uint8:
    """BLOCK bytes as if all were ASCII: folded codes and kinds. Returns whether they were: a value below 128.

    Nothing here depends on a byte before, so the compiler does many at once.
    """
    highest = np.uint8(0)
    begin, into = np.uint64(at), np.uint64(place)
    for i in range(BLOCK):
        byte = data[begin + np.uint64(i)]
        low = np.uint8(byte | np.uint8(32))
        letter = np.uint8(low - np.uint8(97)) < np.uint8(26)
        digit = np.uint8(byte - np.uint8(48)) < np.uint8(10)
        kinds[into + np.uint64(i)] = np.uint8(letter) | np.uint8(np.uint8(digit) << np.uint8(1))
        codes[into + np.uint64(i)] = low if letter else byte
        highest |= byte
    return highest


@leaf
def _characters(data: Array, start: int, end: int, classes: Array, folded: Array, codes: Array, kinds: Array, scripts: Array) -> int:
    """Folded code points of a text and their kinds, from index 1 on; returns the index after the last.

    Counts letters by writing system where one is beyond ASCII: `split` knows how many there are in all.
    """
    at, place = start, 1
    while at < end:
        # A block may reach into the next text: what it finds there is written over.
        if at + BLOCK <= len(data) and _block(data, at, codes, kinds, place) < 128:
            at, place = at + BLOCK, place + BLOCK
            continue
        stop = min(at + BLOCK, end)
        while at < stop:
            code, after = _decode(data, at, end)
            cls = 11 if 0x20000 <= code <= 0x2FA1F else 1
            if code < 0x10000:
                cls, code = whole(classes[code]), whole(folded[code])
            scripts[cls >> 2] += cls & 1
            codes[place], kinds[place] = code, cls & 3
            at, place = after, place + 1
    return place - max(0, at - end)


@leaf
def _runs(kinds: Array, last: int, bounds: Array) -> int:
    """Indices at which a run of one kind begins, and `last`; returns the number of runs. Every sign is a run."""
    made, before = np.uint64(0), np.uint8(0)
    for i in range(1, last):
        kind = kinds[i]
        bounds[made] = i
        made += np.uint64((kind != before) | (kind == 3))
        before = kind
    bounds[made] = last
    return whole(made)


@leaf
def split(
    data: Array,
    start: int,
    end: int,
    seed: np.uint64,
    classes: Array,
    folded: Array,
    codes: Array,
    sorts: Array,
    bounds: Array,
    scripts: Array,
    states: Array,
    kinds: Array,
    count: int,
) -> tuple[int, np.uint64]:
    """Appends the state of every token of a text at `count`; returns the new count and the exact hash of the text (digits included).

    kinds: 1 word, 2 digits, 3 single sign, +8 right behind '<'. states and kinds must hold end - start more entries.
    """
    for i in range(len(scripts)):
        scripts[i] = 0
    runs = _runs(sorts, _characters(data, start, end, classes, folded, codes, sorts, scripts), bounds)
    exact, letters = seed, whole(0)
    for i in range(runs):
        begin, stop = bounds[i], bounds[i + 1]
        kind = sorts[begin]
        if kind == 0:
            continue
        state = seed
        for j in range(begin, stop):
            state = (state ^ np.uint64(codes[j])) * np.uint64(0x100000001B3)
            state ^= state >> np.uint64(29)
        exact = mix(exact ^ state) * BASE
        letters += whole(stop - begin) * (kind & 1)
        before = codes[begin - 1]
        states[count] = state
        kinds[count] = kind + 8 * ((before == 60) | ((before == 47) & (kind == 1)))
        count += 1
    for i in range(len(scripts)):
        letters -= scripts[i]
    scripts[1] += letters
    return count, exact


@leaf
def commonest(scripts: Array) -> int:
    """The writing system with the most letters, the first of equals; 0 where no letter has one."""
    best = 1
    for i in range(2, len(scripts)):
        if scripts[i] > scripts[best]:
            best = i
    return best if scripts[best] > 0 else 0


@leaf
def levelled(states: Array, kinds: Array, count: int, seed: np.uint64) -> None:
    """Token hashes proper, in place: all runs of digits are one token."""
    digits = mix(seed ^ np.uint64(0x30))
    for i in range(count):
        token = mix(states[i])
        states[i] = digits if kinds[i] & 7 == 2 else token


@leaf
def phrase(tokens: Array, start: int, end: int) -> np.uint64:
    """Hash of a run of tokens."""
    value = np.uint64(0)
    for i in range(start, end):
        value = value * BASE + tokens[i]
    return mix(value)


@leaf
def longest(starts: Array, others: Array) -> int:
    """Bytes of the longest text of a batch, two columns taken together."""
    longest = 0
    for i in range(len(starts) - 1):
        longest = max(longest, starts[i + 1] - starts[i] + others[i + 1] - others[i])
    return longest


@jit
def scratch(size: int) -> Any:
    """What `split` works in: code points and their kinds (one of no kind before the first), bounds of runs, letters by writing system."""
    return np.zeros(size + 1 + BLOCK, np.uint32), np.zeros(size + 1 + BLOCK, np.uint8), np.empty(size + 1, np.uint32), np.zeros(16, np.int64)
