"""Tokens to winnowed shingles, compiled; `text` says what they are for."""

from __future__ import annotations

import numpy as np

from stillwatch.sketch.tokens import BASE, NONE, ONE, Array, leaf, mix, whole

ALPHABETS = ("Latin and digits", "ideographs and kana", "other alphabets")
"Alphabet codes in the lowest three bits of a wording, counted by tokens of the shingle."

SHINGLE_WEIGHT, WORD_WEIGHT = 10, 2
"A shingle spans tokens up to this weight; a word weighs two, an ideograph one."

NARROW, WIDE, HEAD, TAIL = 4, 24, 160, 64
"Winnowing window near the ends (first HEAD and last TAIL tokens) and in between, in shingles."

_THREE = np.uint64(3)


@leaf
def shingles(tokens: Array, kinds: Array, first: int, count: int, sums: Array, powers: Array, hashes: Array) -> int:
    """Hash of the shingle that starts at each token from `first`; those mostly of digits are 'none' (all ones)."""
    sums[first] = 0
    signs = 0
    for i in range(first, count):
        sums[i + 1] = sums[i] * BASE + tokens[i]
        signs += kinds[i] & 7 == 3
    if signs:
        return _mixed_shingles(kinds, first, count, sums, powers, hashes)
    words = SHINGLE_WEIGHT // WORD_WEIGHT
    digits = 0
    for i in range(first, min(count, first + words - 1)):
        digits += kinds[i] & 7 == 2
    for start in range(first, count - words + 1):
        digits += kinds[start + words - 1] & 7 == 2
        value = mix(sums[start + words] - sums[start] * powers[words]) & ~np.uint64(7)
        hashes[start - first] = NONE if digits > 2 else value
        digits -= kinds[start] & 7 == 2
    return max(0, count - words + 1 - first)


@leaf
def _mixed_shingles(kinds: Array, first: int, count: int, sums: Array, powers: Array, hashes: Array) -> int:
    """The same where signs, which weigh less, make shingles of differing length."""
    made, end, weight, digits, signs, letters = 0, first, 0, 0, 0, 0
    for start in range(first, count):
        while end < count and weight < SHINGLE_WEIGHT:
            kind = kinds[end] & 7
            weight += 1 if kind == 3 else WORD_WEIGHT
            digits += kind == 2
            signs += kind == 3
            letters += kind == 1
            end += 1
        if weight < SHINGLE_WEIGHT:
            break
        value = mix(sums[end] - sums[start] * powers[end - start]) & ~np.uint64(7)
        value |= np.uint64(signs > letters)
        hashes[made] = NONE if digits > 2 else value
        made += 1
        kind = kinds[start] & 7
        weight -= 1 if kind == 3 else WORD_WEIGHT
        digits -= kind == 2
        signs -= kind == 3
        letters -= kind == 1
    return made


@leaf
def _smallest_of(hashes: Array, made: int, i: int, window: int) -> bool:
    """Whether shingle i is the smallest of some window that holds it (rightmost of equals)."""
    value = hashes[i]
    left, right = 1, 1
    while left < window and i - left >= 0 and hashes[i - left] >= value:
        left += 1
    while right < window and i + right < made and hashes[i + right] > value:
        right += 1
    return left + right - 1 >= min(window, made)


@leaf
def _narrow(hashes: Array, made: int, keep: Array) -> None:
    """Marks the shingles that are the smallest of some window of NARROW (4)."""
    near = min(NARROW - 1, made)
    for i in range(near):
        keep[i] = _smallest_of(hashes, made, i, NARROW)
    for i in range(max(0, made - 2 * near)):
        at = np.uint64(near) + np.uint64(i)
        value = hashes[at]
        one, two, three = hashes[at - ONE] >= value, hashes[at - ONE - ONE] >= value, hashes[at - _THREE] >= value
        left = np.uint8(one) + np.uint8(one & two) + np.uint8(one & two & three)
        one, two, three = hashes[at + ONE] > value, hashes[at + ONE + ONE] > value, hashes[at + _THREE] > value
        right = np.uint8(one) + np.uint8(one & two) + np.uint8(one & two & three)
        keep[at] = np.uint8(left + right) >= NARROW - 1
    for i in range(max(near, made - near), made):
        keep[i] = _smallest_of(hashes, made, i, NARROW)


@leaf
def _wide(hashes: Array, start: int, end: int, keep: Array) -> None:
    """The same in start..end, far from both ends, of windows of WIDE: the smallest is carried along, and looked for again when it drops out."""
    for i in range(start, end):
        keep[i] = 0
    best = start - WIDE
    for right in range(start, end + WIDE - 1):
        if best <= right - WIDE:
            best = right - WIDE + 1
            for i in range(best + 1, right + 1):
                best = i if hashes[i] <= hashes[best] else best
        elif hashes[right] <= hashes[best]:
            best = right
        if start <= best < end:
            keep[best] = 1


@leaf
def winnow(hashes: Array, made: int, other: bool, seen: Array, room: int, stamp: int, keep: Array, places: Array, out: Array, used: int) -> int:
    """Appends the winnowed shingles to `out`, each once; the window widens away from the ends.

    `seen` is a table of (stamp, shingle) that is never cleared: other stamps are other calls'. Only its first `room`
    places are used, a power of two above the call's tokens and the same for both of its texts: of short ones they stay near.
    """
    _narrow(hashes, made, keep)
    if made > HEAD + TAIL:
        _wide(hashes, HEAD, made - TAIL, keep)
    kept = 0
    for i in range(made):
        places[kept] = i
        kept += whole(keep[i])
    mark, mask = np.uint64(stamp), np.uint64(room - 1)
    for i in range(kept):
        value = hashes[places[i]]
        if value == NONE:
            continue
        if other and value & np.uint64(7) == 0:
            value |= np.uint64(2)
        at = (value >> np.uint64(8)) & mask
        while seen[at, 0] == mark and seen[at, 1] != value:
            at = (at + np.uint64(1)) & mask
        if seen[at, 0] != mark:
            seen[at, 0], seen[at, 1] = mark, value
            out[used] = whole(value)
            used += 1
    return used
