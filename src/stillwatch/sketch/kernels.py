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

CUE_TOKENS = 700
"Tokens from the start in which cues are looked for."

BUCKETS = 128
"Buckets in which terms are put into order."

BLOCK = 32
"Bytes that are looked at together where all are ASCII."

Array = Any
_BASE = np.uint64(0x9E3779B97F4A7C15 | 1)
_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE, _THREE = np.uint64(1), np.uint64(3)
_jit = njit(cache=True, nogil=True, error_model="numpy")
_leaf = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)


@_leaf
def _mix(x: np.uint64) -> np.uint64:
    """splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@_leaf
def _decode(data: Array, at: int, end: int) -> tuple[int, int]:
    """One code point of valid UTF-8, and the index after it."""
    byte = data[at]
    if byte < 0x80:
        return np.int64(byte), at + 1
    if byte < 0xE0 and at + 1 < end:
        return ((byte & 0x1F) << 6) | (data[at + 1] & 0x3F), at + 2
    if byte < 0xF0 and at + 2 < end:
        return ((byte & 0x0F) << 12) | ((data[at + 1] & 0x3F) << 6) | (data[at + 2] & 0x3F), at + 3
    if at + 3 < end:
        return ((byte & 0x07) << 18) | ((data[at + 1] & 0x3F) << 12) | ((data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F), at + 4
    return 0xFFFD, end


@_leaf
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


@_leaf
def _characters(data: Array, start: int, end: int, classes: Array, folded: Array, codes: Array, kinds: Array, scripts: Array) -> int:
    """Folded code points of a text and their kinds, from index 1 on; returns the index after the last.

    Counts letters by writing system where one is beyond ASCII: `_split` knows how many there are in all.
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
                cls, code = np.int64(classes[code]), np.int64(folded[code])
            scripts[cls >> 2] += cls & 1
            codes[place], kinds[place] = code, cls & 3
            at, place = after, place + 1
    return place - max(0, at - end)


@_leaf
def _runs(kinds: Array, last: int, bounds: Array) -> int:
    """Indices at which a run of one kind begins, and `last`; returns the number of runs. Every sign is a run."""
    made, before = np.uint64(0), np.uint8(0)
    for i in range(1, last):
        kind = kinds[i]
        bounds[made] = i
        made += np.uint64((kind != before) | (kind == 3))
        before = kind
    bounds[made] = last
    return np.int64(made)


@_leaf
def _split(data: Array, start: int, end: int, seed: np.uint64, classes: Array, folded: Array, codes: Array, sorts: Array, bounds: Array, scripts: Array, states: Array, kinds: Array, count: int) -> tuple[int, np.uint64]:
    """Appends the state of every token of a text at `count`; returns the new count and the exact hash of the text (digits included).

    kinds: 1 word, 2 digits, 3 single sign, +8 right behind '<'. states and kinds must hold end - start more entries.
    """
    for i in range(len(scripts)):
        scripts[i] = 0
    runs = _runs(sorts, _characters(data, start, end, classes, folded, codes, sorts, scripts), bounds)
    exact, letters = seed, np.int64(0)
    for i in range(runs):
        begin, stop = bounds[i], bounds[i + 1]
        kind = sorts[begin]
        if kind == 0:
            continue
        state = seed
        for j in range(begin, stop):
            state = (state ^ np.uint64(codes[j])) * np.uint64(0x100000001B3)
            state ^= state >> np.uint64(29)
        exact = _mix(exact ^ state) * _BASE
        letters += np.int64(stop - begin) * (kind & 1)
        before = codes[begin - 1]
        states[count] = state
        kinds[count] = kind + 8 * ((before == 60) | ((before == 47) & (kind == 1)))
        count += 1
    for i in range(len(scripts)):
        letters -= scripts[i]
    scripts[1] += letters
    return count, exact


@_leaf
def _levelled(states: Array, kinds: Array, count: int, seed: np.uint64) -> None:
    """Token hashes proper, in place: all runs of digits are one token."""
    digits = _mix(seed ^ np.uint64(0x30))
    for i in range(count):
        token = _mix(states[i])
        states[i] = digits if kinds[i] & 7 == 2 else token


@_leaf
def _phrase(tokens: Array, start: int, end: int) -> np.uint64:
    """Hash of a run of tokens."""
    value = np.uint64(0)
    for i in range(start, end):
        value = value * _BASE + tokens[i]
    return _mix(value)


@_leaf
def _longest(starts: Array, others: Array) -> int:
    longest = 0
    for i in range(len(starts) - 1):
        longest = max(longest, starts[i + 1] - starts[i] + others[i + 1] - others[i])
    return longest


@_jit
def _scratch(size: int) -> Any:
    """What `_split` works in: code points and their kinds (one of no kind before the first), bounds of runs, letters by writing system."""
    return np.zeros(size + 1 + BLOCK, np.uint32), np.zeros(size + 1 + BLOCK, np.uint8), np.empty(size + 1, np.uint32), np.zeros(16, np.int64)


@_jit
def phrase_hashes(starts: Array, data: Array, seed: np.uint64, characters: Any) -> tuple[Array, Array, Array]:
    """Of each phrase: the hash as `_cues` will meet it, the hash of its first token, and its length in tokens."""
    n = len(starts) - 1
    phrases, firsts, lengths = np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.int64)
    size = _longest(starts, starts) + 4
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    classes, folded = characters
    codes, sorts, bounds, scripts = _scratch(size)
    for i in range(n):
        count, _ = _split(data, starts[i], starts[i + 1], seed, classes, folded, codes, sorts, bounds, scripts, tokens, kinds, 0)
        _levelled(tokens, kinds, count, seed)
        phrases[i], firsts[i], lengths[i] = _phrase(tokens, 0, count), tokens[0], count
    return phrases, firsts, lengths


@_leaf
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


@_leaf
def _shingles(tokens: Array, kinds: Array, first: int, count: int, sums: Array, powers: Array, hashes: Array) -> int:
    """Hash of the shingle that starts at each token from `first`; those mostly of digits are 'none' (all ones)."""
    sums[first] = 0
    signs = 0
    for i in range(first, count):
        sums[i + 1] = sums[i] * _BASE + tokens[i]
        signs += kinds[i] & 7 == 3
    if signs:
        return _mixed_shingles(kinds, first, count, sums, powers, hashes)
    words = SHINGLE_WEIGHT // WORD_WEIGHT
    digits = 0
    for i in range(first, min(count, first + words - 1)):
        digits += kinds[i] & 7 == 2
    for start in range(first, count - words + 1):
        digits += kinds[start + words - 1] & 7 == 2
        value = _mix(sums[start + words] - sums[start] * powers[words]) & ~np.uint64(7)
        hashes[start - first] = _NONE if digits > 2 else value
        digits -= kinds[start] & 7 == 2
    return max(0, count - words + 1 - first)


@_leaf
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


@_leaf
def _smallest_of(hashes: Array, made: int, i: int, window: int) -> bool:
    """Whether shingle i is the smallest of some window that holds it (rightmost of equals)."""
    value = hashes[i]
    left, right = 1, 1
    while left < window and i - left >= 0 and hashes[i - left] >= value:
        left += 1
    while right < window and i + right < made and hashes[i + right] > value:
        right += 1
    return left + right - 1 >= min(window, made)


@_leaf
def _narrow(hashes: Array, made: int, start: int, end: int, keep: Array, places: Array, kept: int) -> int:
    """Appends the places in start..end that are the smallest of some window of NARROW (4); returns how many there are."""
    first, last = max(start, NARROW - 1), min(end, made - NARROW + 1)
    for i in range(max(0, last - first)):
        at = np.uint64(first) + np.uint64(i)
        value = hashes[at]
        one, two, three = hashes[at - _ONE] >= value, hashes[at - _ONE - _ONE] >= value, hashes[at - _THREE] >= value
        left = np.uint8(one) + np.uint8(one & two) + np.uint8(one & two & three)
        one, two, three = hashes[at + _ONE] > value, hashes[at + _ONE + _ONE] > value, hashes[at + _THREE] > value
        right = np.uint8(one) + np.uint8(one & two) + np.uint8(one & two & three)
        keep[at] = np.uint8(left + right) >= NARROW - 1
    for i in range(start, min(first, end)):
        keep[i] = _smallest_of(hashes, made, i, NARROW)
    for i in range(max(first, last), end):
        keep[i] = _smallest_of(hashes, made, i, NARROW)
    for i in range(start, end):
        places[kept] = i
        kept += np.int64(keep[i])
    return kept


@_leaf
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


@_leaf
def _winnow(hashes: Array, made: int, other: bool, seen: Array, stamp: int, keep: Array, places: Array, out: Array, used: int) -> int:
    """Appends the winnowed shingles to `out`, each once; the window widens away from the ends.

    `seen` is a table of (stamp, shingle) that is never cleared: other stamps are other calls'. Of short texts only its
    beginning is used.
    """
    head = min(HEAD, made)
    tail = max(head, made - TAIL)
    kept = _narrow(hashes, made, 0, head, keep, places, 0)
    kept = _wide(hashes, head, tail, places, kept) if tail > head else kept
    kept = _narrow(hashes, made, tail, made, keep, places, kept)
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


@_leaf
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


@_leaf
def _terms(values: Array, made: int, limit: int, buckets: Array, near: Array, out: Array, used: int) -> int:
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
            close += np.int64(((values[i] >> np.uint64(31)) * scale) >> np.uint64(32) < BUCKETS)
        reach = BUCKETS
        for i in range(close):
            value = near[i]
            at = ((value >> np.uint64(31)) * scale) >> np.uint64(32)
            while buckets[at] < value:
                at += _ONE
            if buckets[at] != value:
                while value != _NONE:
                    buckets[at], value = value, buckets[at]
                    at += _ONE
                reach = max(reach, np.int64(at))
        end = used
        for at in range(reach):
            value = buckets[at]
            buckets[at] = _NONE
            out[end] = np.int64(value)
            end += np.int64(value != _NONE) & np.int64(end < used + limit)
        if end == used + limit or close == made:
            return end
        scale = max(scale >> _ONE, np.uint64(BUCKETS))


@_jit
def _grown(array: Array, needed: int) -> Array:
    if needed <= len(array):
        return array
    bigger = np.empty(max(needed, 2 * len(array)), array.dtype)
    bigger[: len(array)] = array
    return bigger


@_leaf
def _most(hits: Array) -> int:
    """The topic with the most hits, the first of equals; 0 unless there are two hits."""
    best = 0
    for i in range(TOPICS):
        if hits[TOPIC_BIT + i] > hits[TOPIC_BIT + best]:
            best = i
    return best if hits[TOPIC_BIT + best] > 1 else 0


@_jit
def request_marks(s_starts: Array, s_data: Array, p_starts: Array, p_data: Array, seed: np.uint64, characters: Any, cues: Any, n_terms: int) -> Any:
    """Marks of the request texts; see `text.sketch` for what each of the ten results becomes."""
    classes, folded = characters
    lengths, slots = cues
    n = len(p_starts) - 1
    size = _longest(s_starts, p_starts) + 4
    codes, sorts, bounds, scripts = _scratch(size)
    places = np.empty(size, np.int32)
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    sums, hashes, values = np.empty(size + 1, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint64)
    powers, buckets = np.ones(SHINGLE_WEIGHT + 1, np.uint64), np.full(BUCKETS + size, _NONE)
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
    hits, used = np.zeros(TOPIC_BIT + TOPICS, np.int64), 0
    for i in range(n):
        first, _ = _split(s_data, s_starts[i], s_starts[i + 1], seed, classes, folded, codes, sorts, bounds, scripts, tokens, kinds, 0)
        count, exact = _split(p_data, p_starts[i], p_starts[i + 1], seed, classes, folded, codes, sorts, bounds, scripts, tokens, kinds, first)
        prompts[i], counts[i] = np.int64(exact), count - first
        _levelled(tokens, kinds, count, seed)
        wordings = _grown(wordings, used + count + 1)
        scripts[0] = 0
        script[i] = np.argmax(scripts)
        other = script[i] >= 4
        # System prompt and prompt are shingled apart: no shingle spans the two, so each is found again without the other.
        made = _shingles(tokens, kinds, 0, first, sums, powers, hashes)
        used = _winnow(hashes, made, other, seen, i + 1, sorts, places, wordings, used)
        made = _shingles(tokens, kinds, first, count, sums, powers, hashes)
        used = _winnow(hashes, made, other, seen, i + 1, sorts, places, wordings, used)
        ends[i + 1] = used
        made = _term_values(tokens, kinds, first, count, values)
        term_ends[i + 1] = _terms(values, made, n_terms, buckets, hashes, terms, term_ends[i])
        hits[:] = 0
        found, tags[i] = _cues(tokens, kinds, count, lengths, slots, hits, places)
        groups[i] = np.int64(found & np.uint64((1 << STEP_BIT) - 1))
        topics[i] = _most(hits)
    return ends, wordings[:used], term_ends, terms[: term_ends[n]], prompts, counts, groups, tags, topics, script


@_jit
def answer_marks(starts: Array, data: Array, seed: np.uint64, characters: Any, cues: Any, n_terms: int) -> Any:
    """Of each answer: tokens, connectives of reasoning, words of a grade, whether inline tags were seen, and a few terms."""
    classes, folded = characters
    lengths, slots = cues
    n = len(starts) - 1
    size = _longest(starts, starts) + 4
    codes, sorts, bounds, scripts = _scratch(size)
    places = np.empty(size, np.int32)
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    hashes, values = np.empty(size, np.uint64), np.empty(size, np.uint64)
    buckets = np.full(BUCKETS + size, _NONE)
    counts, steps, verdicts = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    tags, term_ends, terms = np.empty(n, np.bool_), np.zeros(n + 1, np.int64), np.empty(n_terms * n + 1, np.int64)
    hits = np.zeros(TOPIC_BIT + TOPICS, np.int64)
    for i in range(n):
        count, _ = _split(data, starts[i], starts[i + 1], seed, classes, folded, codes, sorts, bounds, scripts, tokens, kinds, 0)
        _levelled(tokens, kinds, count, seed)
        hits[:] = 0
        counts[i], tags[i] = count, _cues(tokens, kinds, count, lengths, slots, hits, places)[1]
        steps[i], verdicts[i] = hits[STEP_BIT], hits[VERDICT_BIT]
        made = _term_values(tokens, kinds, 0, count, values)
        term_ends[i + 1] = _terms(values, made, n_terms, buckets, hashes, terms, term_ends[i])
    return counts, steps, verdicts, tags, term_ends, terms[: term_ends[n]]
