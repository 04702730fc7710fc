"""Tokens to a sample of terms: the smallest hashes of the distinct words, compiled."""

from __future__ import annotations

import numpy as np

from stillwatch.sketch.tokens import BASE, NONE, ONE, Array, leaf, mix, whole

BUCKETS = 128
"Buckets in which terms are put into order."


@leaf
def term_values(tokens: Array, kinds: Array, first: int, count: int, values: Array) -> int:
    """A 63-bit hash of each word, and of each pair of ideographs side by side; returns how many there are."""
    made = 0
    for i in range(first, count):
        kind = kinds[i] & 7
        if kind == 3:
            values[made] = mix(tokens[i] * BASE + tokens[i + 1]) >> np.uint64(1)
            made += i + 1 < count and kinds[i + 1] & 7 == 3
        else:
            values[made] = mix(tokens[i] ^ np.uint64(0xA5A5)) >> np.uint64(1)
            made += kind == 1
    return made


@leaf
def terms(values: Array, made: int, limit: int, buckets: Array, near: Array, out: Array, used: int) -> int:
    """Appends the `limit` smallest of the distinct values, ascending; returns the new end of `out`.

    Values are spread evenly, so a bucket by size is nearly a value's place in their order: larger neighbours move up.
    Only a range that should hold twice the limit is looked at; where repetition leaves too few, twice that range.
    `buckets` is empty (all ones) before and after; `out` has room for one value more.
    """
    if made == 0:
        return used
    scale = np.uint64(BUCKETS * max(2 * limit, made) // (2 * limit))
    while True:
        close = 0
        for i in range(made):
            near[close] = values[i]
            close += whole(((values[i] >> np.uint64(31)) * scale) >> np.uint64(32) < BUCKETS)
        reach = BUCKETS
        for i in range(close):
            value = near[i]
            at = ((value >> np.uint64(31)) * scale) >> np.uint64(32)
            while buckets[at] < value:
                at += ONE
            if buckets[at] != value:
                while value != NONE:
                    buckets[at], value = value, buckets[at]
                    at += ONE
                reach = max(reach, whole(at))
        end = used
        for at in range(reach):
            value = buckets[at]
            buckets[at] = NONE
            out[end] = whole(value)
            end += whole(value != NONE) & whole(end < used + limit)
        if end == used + limit or close == made:
            return end
        scale = max(scale >> ONE, np.uint64(BUCKETS))
