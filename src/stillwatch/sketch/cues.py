"""Which cues of the lexicon a text holds, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.sketch.tokens import ONE, Array, jit, leaf, levelled, longest, phrase, scratch, split, whole

STEP_BIT, VERDICT_BIT, TAG_BIT, TOPIC_BIT, TOPICS = 16, 17, 18, 32, 16
"Bits of the cue table beyond the elicitation groups."

CUE_TOKENS = 700
"Tokens from the start in which cues are looked for."


@jit
def phrase_hashes(starts: Array, data: Array, seed: np.uint64, characters: Any) -> tuple[Array, Array, Array]:
    """Of each phrase: the hash as `cues` will meet it, the hash of its first token, and its length in tokens."""
    n = len(starts) - 1
    phrases, firsts, lengths = np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.int64)
    size = longest(starts, starts) + 4
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    classes, folded = characters
    codes, sorts, bounds, scripts = scratch(size)
    for i in range(n):
        count, _ = split(data, starts[i], starts[i + 1], seed, classes, folded, codes, sorts, bounds, scripts, tokens, kinds, 0)
        levelled(tokens, kinds, count, seed)
        phrases[i], firsts[i], lengths[i] = phrase(tokens, 0, count), tokens[0], count
    return phrases, firsts, lengths


@leaf
def _bits(slots: Array, value: np.uint64) -> np.uint64:
    """The bits of the cue with this hash; 0 where there is none."""
    mask = np.uint64(len(slots) - 1)
    at = value & mask
    while slots[at, 0] != 0 and slots[at, 0] != value:
        at = (at + ONE) & mask
    return slots[at, 1]  # an empty place has no bits


@leaf
def cues(tokens: Array, kinds: Array, count: int, lengths: Array, slots: Array, hits: Array, places: Array) -> tuple[np.uint64, bool]:
    """Counts the cues of a text: all bits seen, and whether an inline tag was; hits counts steps, verdicts and topics.

    `lengths` has, for the low bits of a cue's first token, the lengths of cues that begin so: few places get that far.
    """
    for i in range(len(hits)):
        hits[i] = 0
    low = np.uint64(len(lengths) - 1)
    made = 0
    for i in range(min(count, CUE_TOKENS)):
        places[made] = i
        made += lengths[tokens[i] & low] != 0
    seen, tag = np.uint64(0), False
    for i in range(made):
        start = places[i]
        wanted, end = whole(lengths[tokens[start] & low]), start + 1
        while wanted and end <= count:
            found = _bits(slots, phrase(tokens, start, end)) if wanted & 1 else np.uint64(0)
            seen |= found
            tag |= kinds[start] >= 8 and found >> np.uint64(TAG_BIT) & ONE != 0
            counted, bit = found >> np.uint64(STEP_BIT), STEP_BIT
            while counted:
                hits[bit] += whole(counted & ONE)
                counted >>= ONE
                bit += 1
            wanted >>= 1
            end += 1
    return seen, tag


@leaf
def most(hits: Array) -> int:
    """The topic with the most hits, the first of equals; 0 unless there are two hits."""
    best = 0
    for i in range(TOPICS):
        if hits[TOPIC_BIT + i] > hits[TOPIC_BIT + best]:
            best = i
    return best if hits[TOPIC_BIT + best] > 1 else 0
