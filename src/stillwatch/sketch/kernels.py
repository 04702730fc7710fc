"""Compiled kernels of the text sketch (numba): bytes of Arrow buffers in, hashes and counts out.

One text at a time goes through short loops over scratch that stays in the nearest cache: code points, runs of one
kind, hashed tokens, then shingles, terms and cues of these. Scratch is as long as the longest text of a batch needs;
nothing is allocated for a call. Loops write first and advance by a condition, because a branch that text decides is
guessed wrong at every other word. All of it stays in this file: numba compiles again when this file changes, and does
not look at others. `tests/sketch_twin.py` says the same slowly.

Tokens: a run of letters (folded to lower case where one code point does it), a run of digits, or one ideograph, kana
or Thai sign; `characters` says which is which, and `_runs` and `_hashed` are all that knows what a token is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

ALPHABETS = ("Latin and digits", "ideographs and kana", "other alphabets")
"Alphabet codes in the lowest three bits of a wording, counted by tokens of the shingle."

STEP_BIT, VERDICT_BIT, TAG_BIT, TOPIC_BIT, TOPICS = 16, 17, 18, 32, 16
"Bits of the cue table beyond the elicitation groups."

SHINGLE_WEIGHT, WORD_WEIGHT = 10, 2
"A shingle spans tokens up to this weight; a word weighs two, an ideograph one."

NARROW, WIDE, HEAD, TAIL = 4, 24, 160, 64
"Winnowing window near the ends (first HEAD and last TAIL tokens) and in between, in shingles."

CUE_TOKENS, CUE_LENGTH = 700, 6
"Tokens from the start in which cues are looked for, and the longest cue."

Array = Any
_BASE = np.uint64(0x9E3779B97F4A7C15 | 1)
_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
_BUCKETS = 256
_jit = njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _mix(x: np.uint64) -> np.uint64:
    """splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@_jit
def _decode(data: Array, at: int, end: int) -> tuple[int, int]:
    """One code point beyond ASCII of valid UTF-8, and the index after it."""
    byte = data[at]
    if byte < 0xE0 and at + 1 < end:
        return ((byte & 0x1F) << 6) | (data[at + 1] & 0x3F), at + 2
    if byte < 0xF0 and at + 2 < end:
        return ((byte & 0x0F) << 12) | ((data[at + 1] & 0x3F) << 6) | (data[at + 2] & 0x3F), at + 3
    if at + 3 < end:
        return ((byte & 0x07) << 18) | ((data[at + 1] & 0x3F) << 12) | ((data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F), at + 4
    return 0xFFFD, end


@_jit
def _runs(data: Array, start: int, end: int, classes: Array, folded: Array, codes: Array, bounds: Array, scripts: Array) -> int:
    """Cuts a text into runs of one kind; returns their number.

    `codes` gets the folded code points from index 1 on (0 stands before the first); bounds[i] is where run i begins
    there, times 4, plus its kind; one bound more ends the last run. Letters are counted by writing system.
    """
    at, place, made, before, letters = start, 1, 0, 0, 0
    codes[0] = 0
    while at < end:
        code = np.int64(data[at])
        if code < 128:
            kind = np.int64(classes[code] & 3)
            code = np.int64(folded[code])
            letters += kind & 1
            at += 1
        else:
            code, at = _decode(data, at, end)
            if code < 0x10000:
                cls = np.int64(classes[code])
                code = np.int64(folded[code])
            else:
                cls = 11 if 0x20000 <= code <= 0x2FA1F else 1
            kind = cls & 3
            scripts[cls >> 2] += kind & 1
        codes[place] = code
        bounds[made] = place << 2 | kind
        made += (kind != before) | (kind == 3)
        before = kind
        place += 1
    bounds[made] = place << 2
    scripts[1] += letters
    return made


@_jit
def _hashed(codes: Array, bounds: Array, runs: int, seed: np.uint64, states: Array, kinds: Array, count: int) -> int:
    """Appends the hash of every run that is a token at `count`; returns the new count.

    kinds: 1 word, 2 digits, 3 single sign, +8 right behind '<'.
    """
    for i in range(runs):
        kind = bounds[i] & 3
        if kind == 0:
            continue
        begin, end = bounds[i] >> 2, bounds[i + 1] >> 2
        state = seed
        for j in range(begin, end):
            state = (state ^ np.uint64(codes[j])) * np.uint64(0x100000001B3)
            state ^= state >> np.uint64(29)
        before = codes[begin - 1]
        states[count] = state
        kinds[count] = kind + 8 * ((before == 60) | ((before == 47) & (kind == 1)))
        count += 1
    return count


@_jit
def _exact(states: Array, first: int, count: int, seed: np.uint64) -> np.uint64:
    """Hash of a text's tokens in their order, digits included."""
    exact = seed
    for i in range(first, count):
        exact = _mix(exact ^ states[i]) * _BASE
    return exact


@_jit
def _levelled(states: Array, kinds: Array, count: int, seed: np.uint64) -> None:
    """Token hashes proper, in place: all runs of digits are one token."""
    digits = _mix(seed ^ np.uint64(0x30))
    for i in range(count):
        token = _mix(states[i])
        states[i] = digits if kinds[i] & 7 == 2 else token


@_jit
def _phrase(tokens: Array, start: int, end: int) -> np.uint64:
    """Hash of a run of tokens."""
    value = np.uint64(0)
    for i in range(start, end):
        value = value * _BASE + tokens[i]
    return _mix(value)


@_jit
def phrase_hashes(starts: Array, data: Array, seed: np.uint64, classes: Array, folded: Array) -> tuple[Array, Array, Array]:
    """Of each phrase: the hash as `_cues` will meet it, the hash of its first token, and its length in tokens."""
    n = len(starts) - 1
    phrases, firsts, lengths = np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.int64)
    for i in range(n):
        size = starts[i + 1] - starts[i] + 2
        codes, bounds, tokens, kinds = np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.uint64), np.zeros(size, np.int8)
        runs = _runs(data, starts[i], starts[i + 1], classes, folded, codes, bounds, np.zeros(16, np.int64))
        count = _hashed(codes, bounds, runs, seed, tokens, kinds, 0)
        _levelled(tokens, kinds, count, seed)
        phrases[i], firsts[i], lengths[i] = _phrase(tokens, 0, count), tokens[0], count
    return phrases, firsts, lengths


@_jit
def _cues(tokens: Array, kinds: Array, count: int, lengths: Array, slots: Array, hits: Array, places: Array) -> tuple[np.uint64, bool]:
    """Counts the cues of a text: all bits seen, and whether an inline tag was; hits counts the topics, steps and verdicts.

    `lengths` has, for the low bits of a cue's first token, the lengths of cues that begin so: few places get that far.
    """
    low, mask = np.uint64(len(lengths) - 1), np.uint64(len(slots) - 1)
    made = 0
    for i in range(min(count, CUE_TOKENS)):
        places[made] = i
        made += lengths[tokens[i] & low] != 0
    seen, tag = np.uint64(0), False
    for i in range(made):
        start = places[i]
        left = np.int64(lengths[tokens[start] & low])
        length = 1
        while left >> (length - 1) and start + length <= count:
            if left >> (length - 1) & 1:
                phrase = _phrase(tokens, start, start + length)
                at = phrase & mask
                while slots[at, 0] != 0 and slots[at, 0] != phrase:
                    at = (at + np.uint64(1)) & mask
                if slots[at, 0] == phrase:
                    found = slots[at, 1]
                    seen |= found
                    if found >> np.uint64(TAG_BIT) & np.uint64(1) and kinds[start] >= 8:
                        tag = True
                    bit = STEP_BIT
                    counted = found >> np.uint64(STEP_BIT)
                    while counted:
                        hits[bit] += np.int64(counted & np.uint64(1))
                        counted >>= np.uint64(1)
                        bit += 1
            length += 1
    return seen, tag


@_jit
def _shingles(tokens: Array, kinds: Array, first: int, count: int, sums: Array, powers: Array, hashes: Array) -> int:
    """Hash of the shingle that starts at each token from `first`; those mostly of digits are 'none' (all ones)."""
    sums[first] = 0
    for i in range(first, count):
        sums[i + 1] = sums[i] * _BASE + tokens[i]
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
        value = _mix(sums[end] - sums[start] * powers[end - start]) & ~np.uint64(7)
        value |= np.uint64(signs > letters)
        hashes[made] = _NONE if digits > 2 else value
        made += 1
        kind = kinds[start] & 7
        weight -= 1 if kind == 3 else WORD_WEIGHT
        digits -= kind == 2
        signs -= kind == 3
        letters -= kind == 1
    return made


@_jit
def _smallest_of(hashes: Array, made: int, i: int, window: int) -> bool:
    """Whether shingle i is the smallest of some window that holds it (rightmost of equals)."""
    value = hashes[i]
    left, right = 1, 1
    while left < window and i - left >= 0 and hashes[i - left] >= value:
        left += 1
    while right < window and i + right < made and hashes[i + right] > value:
        right += 1
    return left + right - 1 >= min(window, made)


@_jit
def _narrow(hashes: Array, made: int, start: int, end: int, places: Array, kept: int) -> int:
    """Appends the places in start..end that are the smallest of some window of NARROW (4); returns how many there are."""
    for i in range(start, end):
        if i < NARROW - 1 or i + NARROW > made:
            keep = np.int64(_smallest_of(hashes, made, i, NARROW))
        else:
            value = hashes[i]
            one, two, three = hashes[i - 1] >= value, hashes[i - 2] >= value, hashes[i - 3] >= value
            left = np.int64(one) + np.int64(one & two) + np.int64(one & two & three)
            one, two, three = hashes[i + 1] > value, hashes[i + 2] > value, hashes[i + 3] > value
            right = np.int64(one) + np.int64(one & two) + np.int64(one & two & three)
            keep = np.int64(left + right >= NARROW - 1)
        places[kept] = i
        kept += keep
    return kept


@_jit
def _wide(hashes: Array, start: int, end: int, places: Array, kept: int) -> int:
    """As `_narrow`, of windows of WIDE, far from both ends: the smallest is carried along and looked for again only when it drops out."""
    best = start - WIDE
    for right in range(start, end + WIDE - 1):
        if best <= right - WIDE:
            best = right - WIDE + 1
            for i in range(best + 1, right + 1):
                best = i if hashes[i] <= hashes[best] else best
            fresh = True
        else:
            fresh = hashes[right] <= hashes[best]
            best = right if fresh else best
        if fresh and start <= best < end:
            places[kept] = best
            kept += 1
    return kept


@_jit
def _winnow(hashes: Array, made: int, other: bool, seen: Array, stamp: int, places: Array, out: Array, used: int) -> int:
    """Appends the winnowed shingles to `out`, each once; the window widens away from the ends.

    `seen` is a table of (stamp, shingle) that is never cleared: other stamps are other calls'. Of short texts only its
    beginning is used.
    """
    head = min(HEAD, made)
    tail = max(head, made - TAIL)
    kept = _narrow(hashes, made, 0, head, places, 0)
    kept = _wide(hashes, head, tail, places, kept) if tail > head else kept
    kept = _narrow(hashes, made, tail, made, places, kept)
    mark, mask = np.uint64(stamp), np.uint64(len(seen) - 1)
    for i in range(kept):
        value = hashes[places[i]]
        if value == _NONE:
            continue
        if other and value & np.uint64(7) == 0:
            value |= np.uint64(2)
        at = (value >> np.uint64(8)) & mask
        while seen[at, 0] == mark and seen[at, 1] != value:
            at = (at + np.uint64(1)) & mask
        if seen[at, 0] != mark:
            seen[at, 0], seen[at, 1] = mark, value
            out[used] = np.int64(value)
            used += 1
    return used


@_jit
def _term_values(tokens: Array, kinds: Array, first: int, count: int, values: Array) -> int:
    """A 63-bit hash of each word, and of each pair of ideographs side by side; returns how many there are."""
    made = 0
    for i in range(first, count):
        kind = kinds[i] & 7
        if kind == 3:
            values[made] = _mix(tokens[i] * _BASE + tokens[i + 1]) >> np.uint64(1)
            made += i + 1 < count and kinds[i + 1] & 7 == 3
        else:
            values[made] = _mix(tokens[i] ^ np.uint64(0xA5A5)) >> np.uint64(1)
            made += kind == 1
    return made


@_jit
def _terms(values: Array, made: int, limit: int, buckets: Array, out: Array, used: int) -> int:
    """Appends the `limit` smallest of the distinct values, ascending; returns the new end of `out`.

    Values are spread evenly, so the highest bits name the bucket where a value stands in order: what is next to it is
    moved, if anything. Of many values only a range that should hold enough is looked at; when it does not, a larger one.
    `buckets` is empty (all ones) before and after; `out` has room for one value more.
    """
    shift = 55
    while made >> (55 - shift) > 4 * limit:
        shift -= 1
    while True:
        reach = 0
        for i in range(made):
            value = values[i]
            at = np.int64(value >> np.uint64(shift))
            if at >= _BUCKETS:
                continue
            while buckets[at] < value:
                at += 1
            if buckets[at] == value:
                continue
            while value != _NONE:
                buckets[at], value = value, buckets[at]
                at += 1
            reach = max(reach, at)
        end = used
        for at in range(reach):
            value = buckets[at]
            buckets[at] = _NONE
            out[end] = np.int64(value)
            end += (value != _NONE) & (end < used + limit)
        if end == used + limit or shift == 55:
            return end
        shift = min(55, shift + 2)


@_jit
def _grown(array: Array, needed: int) -> Array:
    if needed <= len(array):
        return array
    bigger = np.empty(max(needed, 2 * len(array)), array.dtype)
    bigger[: len(array)] = array
    return bigger


@_jit
def _longest(starts: Array, others: Array) -> int:
    longest = 0
    for i in range(len(starts) - 1):
        longest = max(longest, starts[i + 1] - starts[i] + others[i + 1] - others[i])
    return longest


@_jit
def _most(topics: Array) -> int:
    """The topic with the most hits, the first of equals; 0 unless there are two hits."""
    best = 0
    for i in range(TOPICS):
        if topics[i] > topics[best]:
            best = i
    return best if topics[best] > 1 else 0


@_jit
def request_marks(s_starts: Array, s_data: Array, p_starts: Array, p_data: Array, seed: np.uint64, characters: Any, cues: Any, n_terms: int) -> Any:
    """Marks of the request texts; see `text.sketch` for what each of the ten results becomes."""
    classes, folded = characters
    lengths, slots = cues
    n = len(p_starts) - 1
    size = _longest(s_starts, p_starts) + 4
    codes, bounds, places = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    sums, hashes, values = np.empty(size + 1, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint64)
    powers, buckets = np.ones(SHINGLE_WEIGHT + 1, np.uint64), np.full(_BUCKETS + size, _NONE)
    for i in range(SHINGLE_WEIGHT):
        powers[i + 1] = powers[i] * _BASE
    table = 16
    while table < 2 * size:
        table *= 2
    seen = np.zeros((table, 2), np.uint64)
    ends, term_ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    wordings, terms = np.empty(64 * n + size, np.int64), np.empty(n_terms * n + 1, np.int64)
    prompts, counts, groups, tags = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    topics, script = np.empty(n, np.int64), np.empty(n, np.int64)
    scripts, hits = np.zeros(16, np.int64), np.zeros(TOPIC_BIT + TOPICS, np.int64)
    used = 0
    for i in range(n):
        runs = _runs(s_data, s_starts[i], s_starts[i + 1], classes, folded, codes, bounds, scripts)
        first = _hashed(codes, bounds, runs, seed, tokens, kinds, 0)
        scripts[:] = 0
        runs = _runs(p_data, p_starts[i], p_starts[i + 1], classes, folded, codes, bounds, scripts)
        count = _hashed(codes, bounds, runs, seed, tokens, kinds, first)
        prompts[i], counts[i] = np.int64(_exact(tokens, first, count, seed)), count - first
        _levelled(tokens, kinds, count, seed)
        wordings = _grown(wordings, used + count + 1)
        scripts[0] = 0
        script[i] = np.argmax(scripts)
        other = script[i] >= 4
        # System prompt and prompt are shingled apart: no shingle spans the two, so each is found again without the other.
        made = _shingles(tokens, kinds, 0, first, sums, powers, hashes)
        used = _winnow(hashes, made, other, seen, i + 1, places, wordings, used)
        made = _shingles(tokens, kinds, first, count, sums, powers, hashes)
        used = _winnow(hashes, made, other, seen, i + 1, places, wordings, used)
        ends[i + 1] = used
        made = _term_values(tokens, kinds, first, count, values)
        term_ends[i + 1] = _terms(values, made, n_terms, buckets, terms, term_ends[i])
        hits[:] = 0
        found, tags[i] = _cues(tokens, kinds, count, lengths, slots, hits, places)
        groups[i] = np.int64(found & np.uint64((1 << STEP_BIT) - 1))
        topics[i] = _most(hits[TOPIC_BIT:])
    return ends, wordings[:used], term_ends, terms[: term_ends[n]], prompts, counts, groups, tags, topics, script


@_jit
def answer_marks(starts: Array, data: Array, seed: np.uint64, characters: Any, cues: Any, n_terms: int) -> Any:
    """Of each answer: tokens, connectives of reasoning, words of a grade, whether inline tags were seen, and a few terms."""
    classes, folded = characters
    lengths, slots = cues
    n = len(starts) - 1
    size = _longest(starts, starts) + 4
    codes, bounds, places = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    tokens, kinds, values = np.zeros(size, np.uint64), np.zeros(size, np.int8), np.empty(size, np.uint64)
    buckets = np.full(_BUCKETS + size, _NONE)
    counts, steps, verdicts = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    tags, term_ends, terms = np.empty(n, np.bool_), np.zeros(n + 1, np.int64), np.empty(n_terms * n + 1, np.int64)
    scripts, hits = np.zeros(16, np.int64), np.zeros(TOPIC_BIT + TOPICS, np.int64)
    for i in range(n):
        runs = _runs(data, starts[i], starts[i + 1], classes, folded, codes, bounds, scripts)
        count = _hashed(codes, bounds, runs, seed, tokens, kinds, 0)
        _levelled(tokens, kinds, count, seed)
        hits[:] = 0
        counts[i], tags[i] = count, _cues(tokens, kinds, count, lengths, slots, hits, places)[1]
        steps[i], verdicts[i] = hits[STEP_BIT], hits[VERDICT_BIT]
        made = _term_values(tokens, kinds, 0, count, values)
        term_ends[i + 1] = _terms(values, made, n_terms, buckets, terms, term_ends[i])
    return counts, steps, verdicts, tags, term_ends, terms[: term_ends[n]]
