"""Compiled kernels of the text sketch (numba): bytes of Arrow buffers in, hashes and counts out, a batch at a call.

One text at a time goes through short loops over scratch that stays in the nearest cache: `tokens`, then `wordings`,
`terms` and `cues` of these. Scratch is as long as the longest text of the batch needs; nothing is allocated for a
call. The loops write first and advance by a condition, because a branch that text decides is guessed wrong at every
other word. `tests/sketch_twin.py` says the same slowly.

Compiled code is kept beside this file, and numba looks for changes in this file only: whoever changes one of the four
others touches this one too (`touch`), or goes on running what was compiled before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.sketch.cues import STEP_BIT, TOPIC_BIT, TOPICS, VERDICT_BIT, cues, most
from stillwatch.sketch.terms import BUCKETS, term_values, terms
from stillwatch.sketch.tokens import BASE, NONE, Array, commonest, jit, leaf, levelled, longest, scratch, split, whole
from stillwatch.sketch.wordings import SHINGLE_WEIGHT, shingles, winnow


@jit
def _grown(array: Array, needed: int) -> Array:
    if needed <= len(array):
        return array
    bigger = np.empty(max(needed, 2 * len(array)), array.dtype)
    bigger[: len(array)] = array
    return bigger


@leaf
def _room(count: int) -> int:
    """A power of two, at least twice as much."""
    room = 16
    while room < 2 * count:
        room *= 2
    return room


@jit
def request_marks(s_starts: Array, s_data: Array, p_starts: Array, p_data: Array, seed: np.uint64, characters: Any, listened: Any, n_terms: int) -> Any:
    """Marks of the request texts; see `text.sketch` for what each of the ten results becomes."""
    classes, folded = characters
    lengths, slots = listened
    n = len(p_starts) - 1
    size = longest(s_starts, p_starts) + 4
    codes, sorts, bounds, scripts = scratch(size)
    places = np.empty(size, np.int32)
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    sums, hashes, values = np.empty(size + 1, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint64)
    powers, buckets = np.ones(SHINGLE_WEIGHT + 1, np.uint64), np.full(BUCKETS + size, NONE)
    for i in range(SHINGLE_WEIGHT):
        powers[i + 1] = powers[i] * BASE
    seen = np.zeros((_room(size), 2), np.uint64)
    ends, term_ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    wordings, sample = np.empty(64 * n + size, np.int64), np.empty(n_terms * n + 1, np.int64)
    prompts, counts, groups, tags = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    topics, script = np.empty(n, np.int64), np.empty(n, np.int64)
    hits, used = np.zeros(TOPIC_BIT + TOPICS, np.int64), 0
    for i in range(n):
        first, _ = split(s_data, s_starts[i], s_starts[i + 1], seed, classes, folded, codes, sorts, bounds, scripts, tokens, kinds, 0)
        count, exact = split(p_data, p_starts[i], p_starts[i + 1], seed, classes, folded, codes, sorts, bounds, scripts, tokens, kinds, first)
        prompts[i], counts[i] = whole(exact), count - first
        levelled(tokens, kinds, count, seed)
        wordings = _grown(wordings, used + count + 1)
        script[i] = commonest(scripts)
        other, room = script[i] >= 4, _room(count)
        # System prompt and prompt are shingled apart: no shingle spans the two, so each is found again without the other.
        begin = 0
        for end in (first, count):
            made = shingles(tokens, kinds, begin, end, sums, powers, hashes)
            used = winnow(hashes, made, other, seen, room, i + 1, sorts, places, wordings, used)
            begin = end
        ends[i + 1] = used
        made = term_values(tokens, kinds, first, count, values)
        term_ends[i + 1] = terms(values, made, n_terms, buckets, hashes, sample, term_ends[i])
        found, tags[i] = cues(tokens, kinds, count, lengths, slots, hits, places)
        groups[i] = whole(found & np.uint64((1 << STEP_BIT) - 1))
        topics[i] = most(hits)
    return ends, wordings[:used], term_ends, sample[: term_ends[n]], prompts, counts, groups, tags, topics, script


@jit
def answer_marks(starts: Array, data: Array, seed: np.uint64, characters: Any, listened: Any, n_terms: int) -> Any:
    """Of each answer: tokens, connectives of reasoning, words of a grade, whether inline tags were seen, and a few terms."""
    classes, folded = characters
    lengths, slots = listened
    n = len(starts) - 1
    size = longest(starts, starts) + 4
    codes, sorts, bounds, scripts = scratch(size)
    places = np.empty(size, np.int32)
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    hashes, values = np.empty(size, np.uint64), np.empty(size, np.uint64)
    buckets = np.full(BUCKETS + size, NONE)
    counts, steps, verdicts = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    tags, term_ends, sample = np.empty(n, np.bool_), np.zeros(n + 1, np.int64), np.empty(n_terms * n + 1, np.int64)
    hits = np.zeros(TOPIC_BIT + TOPICS, np.int64)
    for i in range(n):
        count, _ = split(data, starts[i], starts[i + 1], seed, classes, folded, codes, sorts, bounds, scripts, tokens, kinds, 0)
        levelled(tokens, kinds, count, seed)
        counts[i], tags[i] = count, cues(tokens, kinds, count, lengths, slots, hits, places)[1]
        steps[i], verdicts[i] = hits[STEP_BIT], hits[VERDICT_BIT]
        made = term_values(tokens, kinds, 0, count, values)
        term_ends[i + 1] = terms(values, made, n_terms, buckets, hashes, sample, term_ends[i])
    return counts, steps, verdicts, tags, term_ends, sample[: term_ends[n]]
