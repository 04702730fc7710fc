"""Compiled kernels of the text sketch (numba): bytes of Arrow buffers in, hashes and counts out.

Sizes here are those of one batch; nothing allocates per call but the scratch that grows to the longest text.
Tokens: a run of letters (folded to lower case where one code point does it), a run of digits, or one ideograph, kana
or Thai sign. `_split` is the only place that knows what a token is.
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
_jit = njit(cache=True, nogil=True)


@_jit
def _mix(x: np.uint64) -> np.uint64:
    """splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@_jit
def _fold(cp: int) -> int:
    """Lower case where adding a constant does it: Latin-1, Greek, Cyrillic, full-width Latin."""
    if 65 <= cp <= 90 or (0xC0 <= cp <= 0xDE and cp != 0xD7) or 0x391 <= cp <= 0x3A9 or 0x410 <= cp <= 0x42F:
        return cp + 32
    if 0x400 <= cp <= 0x40F:
        return cp + 80
    if 0xFF21 <= cp <= 0xFF3A:
        return cp - 0xFF21 + 97
    return cp


@_jit
def _script(cp: int) -> int:
    """Writing system of a code point, as lexicon.SCRIPTS counts them."""
    if cp < 0x250 or 0x1E00 <= cp <= 0x1EFF:
        return 1
    if 0x370 <= cp <= 0x3FF:
        return 7
    if 0x400 <= cp <= 0x52F:
        return 5
    if 0x590 <= cp <= 0x5FF:
        return 8
    if 0x600 <= cp <= 0x77F:
        return 6
    if 0x900 <= cp <= 0x97F:
        return 9
    if 0xE00 <= cp <= 0xE7F:
        return 10
    if 0x3040 <= cp <= 0x30FF:
        return 3
    if 0x3400 <= cp <= 0x4DBF or 0x4E00 <= cp <= 0x9FFF or 0x20000 <= cp <= 0x2FA1F or 0xF900 <= cp <= 0xFAFF:
        return 2
    if 0xAC00 <= cp <= 0xD7AF or 0x1100 <= cp <= 0x11FF:
        return 4
    return 0


@_jit
def _kind(cp: int) -> int:
    """0 separator, 1 letter, 2 digit, 3 a sign that is a token of its own."""
    if cp < 128:
        if 48 <= cp <= 57:
            return 2
        return 1 if 65 <= cp <= 90 or 97 <= cp <= 122 else 0
    if cp < 0xC0 or cp == 0xD7 or cp == 0xF7:
        return 0
    if 0x2000 <= cp <= 0x2BFF or 0x3000 <= cp <= 0x303F or 0xFE30 <= cp <= 0xFE4F:
        return 0
    if 0xFF00 <= cp <= 0xFF0F or 0xFF1A <= cp <= 0xFF20 or 0xFF3B <= cp <= 0xFF40 or 0xFF5B <= cp <= 0xFF65 or cp == 0xFFFD:
        return 0
    if 0xFF10 <= cp <= 0xFF19:
        return 2
    script = _script(cp)
    return 3 if script == 2 or script == 3 or script == 10 else 1


@_jit
def _decode(data: Array, at: int, end: int) -> tuple[int, int]:
    """One code point of valid UTF-8 and the index after it."""
    byte = data[at]
    if byte < 0x80:
        return int(byte), at + 1
    if byte < 0xE0 and at + 1 < end:
        return ((byte & 0x1F) << 6) | (data[at + 1] & 0x3F), at + 2
    if byte < 0xF0 and at + 2 < end:
        return ((byte & 0x0F) << 12) | ((data[at + 1] & 0x3F) << 6) | (data[at + 2] & 0x3F), at + 3
    if at + 3 < end:
        return ((byte & 0x07) << 18) | ((data[at + 1] & 0x3F) << 12) | ((data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F), at + 4
    return 0xFFFD, end


@_jit
def _split(data: Array, start: int, end: int, seed: np.uint64, tokens: Array, kinds: Array, count: int, scripts: Array) -> tuple[int, np.uint64]:
    """Tokens of one text appended at `count`; returns the new count and the exact hash of the text (digits included).

    kinds: 1 word, 2 digits, 3 single sign, +8 right behind '<'. tokens and kinds must hold end - start more entries.
    """
    exact = seed
    state, inside, tagged, before = seed, 0, 0, 0
    at = start
    while at <= end:
        if at < end:
            cp, after = _decode(data, at, end)
            kind = _kind(cp)
        else:
            cp, after, kind = 0, end + 1, 0
        if inside != 0 and (kind != inside or kind == 3):
            exact = _mix(exact ^ state) * _BASE
            tokens[count] = _mix(seed ^ np.uint64(0x30)) if inside == 2 else _mix(state)
            kinds[count] = inside + tagged
            count += 1
            inside = 0
        if kind != 0:
            if inside == 0:
                inside, state = kind, seed
                tagged = 8 if before == 60 or (before == 47 and kind == 1) else 0
            folded = _fold(cp)
            state = (state ^ np.uint64(folded)) * np.uint64(0x100000001B3)
            state ^= state >> np.uint64(29)
            scripts[_script(folded) if kind != 2 else 0] += 1
        before = cp
        at = after
    return count, exact


@_jit
def _prefix(tokens: Array, count: int, sums: Array, powers: Array) -> None:
    """Polynomial prefix sums, so that the hash of any run of tokens is one subtraction."""
    sums[0] = 0
    powers[0] = 1
    for i in range(count):
        sums[i + 1] = sums[i] * _BASE + tokens[i]
        powers[i + 1] = powers[i] * _BASE


@_jit
def _run(sums: Array, powers: Array, start: int, end: int) -> np.uint64:
    return _mix(sums[end] - sums[start] * powers[end - start])


@_jit
def phrase_hashes(starts: Array, data: Array, seed: np.uint64) -> Array:
    """Hash of each whole phrase as `_cues` will meet it. One phrase an entry."""
    n = len(starts) - 1
    out = np.zeros(n, np.uint64)
    for i in range(n):
        size = starts[i + 1] - starts[i] + 2
        tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
        sums, powers = np.zeros(size + 1, np.uint64), np.zeros(size + 1, np.uint64)
        count, _ = _split(data, starts[i], starts[i + 1], seed, tokens, kinds, 0, np.zeros(16, np.int64))
        _prefix(tokens, count, sums, powers)
        out[i] = _run(sums, powers, 0, count)
    return out


@_jit
def _cues(sums: Array, powers: Array, kinds: Array, count: int, slots: Array, bits: Array, hits: Array) -> bool:
    """Counts hits of every bit of the cue table; returns whether an inline tag was seen."""
    mask = np.uint64(len(slots) - 1)
    tag = False
    for start in range(min(count, CUE_TOKENS)):
        for length in range(1, min(CUE_LENGTH, count - start) + 1):
            phrase = _run(sums, powers, start, start + length)
            at = phrase & mask
            while slots[at] != 0:
                if slots[at] == phrase:
                    found = bits[at]
                    if (found >> TAG_BIT) & 1 and kinds[start] >= 8:
                        tag = True
                    for bit in range(TOPIC_BIT + TOPICS):
                        hits[bit] += (found >> bit) & 1
                    break
                at = (at + np.uint64(1)) & mask
    return tag


@_jit
def _shingles(sums: Array, powers: Array, kinds: Array, first: int, count: int, hashes: Array) -> int:
    """Hash of the shingle that starts at each token from `first`; those mostly of digits are 'none' (all ones)."""
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
        value = _run(sums, powers, start, end) & ~np.uint64(7)
        if digits > 2:
            value = ~np.uint64(0)
        elif signs > letters:
            value |= np.uint64(1)
        hashes[made] = value
        made += 1
        kind = kinds[start] & 7
        weight -= 1 if kind == 3 else WORD_WEIGHT
        digits -= kind == 2
        signs -= kind == 3
        letters -= kind == 1
    return made


@_jit
def _winnow(hashes: Array, made: int, other: bool, seen: Array, stamp: int, out: Array, used: int) -> int:
    """Appends the winnowed shingles to `out`, each once; the window widens away from the ends."""
    mask = np.uint64(len(seen) - 1)
    none = ~np.uint64(0)
    for i in range(made):
        value = hashes[i]
        if value == none:
            continue
        window = NARROW if i < HEAD or i >= made - TAIL else WIDE
        # Kept when it is the smallest of some window of `window` shingles that holds it (rightmost of equals).
        left, right = 1, 1
        while left < window and i - left >= 0 and hashes[i - left] >= value:
            left += 1
        while right < window and i + right < made and hashes[i + right] > value:
            right += 1
        if left + right - 1 < min(window, made):
            continue
        if other and value & np.uint64(7) == 0:
            value |= np.uint64(2)
        at = _mix(value) & mask
        fresh = True
        while seen[at, 0] == np.uint64(stamp):
            if seen[at, 1] == value:
                fresh = False
                break
            at = (at + np.uint64(1)) & mask
        if fresh:
            seen[at, 0], seen[at, 1] = np.uint64(stamp), value
            out[used] = np.int64(value)
            used += 1
    return used


@_jit
def _terms(tokens: Array, kinds: Array, first: int, count: int, smallest: Array) -> int:
    """The smallest hashes of the distinct words (of ideographs: pairs), ascending."""
    used = 0
    limit = len(smallest)
    for i in range(first, count):
        kind = kinds[i] & 7
        if kind == 2:
            continue
        if kind == 3:
            if i + 1 >= count or kinds[i + 1] & 7 != 3:
                continue
            value = np.int64(_mix(tokens[i] * _BASE + tokens[i + 1]) >> np.uint64(1))
        else:
            value = np.int64(_mix(tokens[i] ^ np.uint64(0xA5A5)) >> np.uint64(1))
        if used == limit and value >= smallest[used - 1]:
            continue
        at = used
        while at > 0 and smallest[at - 1] > value:
            at -= 1
        if at > 0 and smallest[at - 1] == value:
            continue
        if used < limit:
            used += 1
        for j in range(used - 1, at, -1):
            smallest[j] = smallest[j - 1]
        smallest[at] = value
    return used


@_jit
def _grown(array: Array, needed: int) -> Array:
    if needed <= len(array):
        return array
    bigger = np.empty(max(needed, 2 * len(array)), array.dtype)
    bigger[: len(array)] = array
    return bigger


@_jit
def request_marks(s_starts: Array, s_data: Array, p_starts: Array, p_data: Array, seed: np.uint64, slots: Array, bits: Array, n_terms: int) -> Any:
    """Marks of the request texts; see `text.sketch` for what each of the ten results becomes."""
    n = len(p_starts) - 1
    longest = 0
    for i in range(n):
        longest = max(longest, p_starts[i + 1] - p_starts[i] + s_starts[i + 1] - s_starts[i])
    size = longest + 4
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    sums, powers, hashes = np.zeros(size + 1, np.uint64), np.zeros(size + 1, np.uint64), np.zeros(size, np.uint64)
    table = 16
    while table < 2 * size:
        table *= 2
    seen = np.zeros((table, 2), np.uint64)
    ends, term_ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    wordings, terms = np.zeros(64 * n + size, np.int64), np.zeros(n_terms * n, np.int64)
    prompts, counts, groups, tags = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    topics, script = np.zeros((n, TOPICS), np.int64), np.zeros(n, np.int64)
    smallest, used = np.zeros(n_terms, np.int64), 0
    for i in range(n):
        scripts, hits = np.zeros(16, np.int64), np.zeros(TOPIC_BIT + TOPICS, np.int64)
        first, _ = _split(s_data, s_starts[i], s_starts[i + 1], seed, tokens, kinds, 0, scripts)
        scripts[:] = 0
        count, exact = _split(p_data, p_starts[i], p_starts[i + 1], seed, tokens, kinds, first, scripts)
        prompts[i], counts[i] = np.int64(exact), count - first
        _prefix(tokens, count, sums, powers)
        wordings = _grown(wordings, used + count + 1)
        script[i] = np.argmax(scripts[1:]) + 1 if scripts[1:].max() > 0 else 0
        other = script[i] >= 4
        # System prompt and prompt are shingled apart: no shingle spans the two, so each is found again without the other.
        made = _shingles(sums, powers, kinds, 0, first, hashes)
        used = _winnow(hashes, made, other, seen, i + 1, wordings, used)
        made = _shingles(sums, powers, kinds, first, count, hashes)
        used = _winnow(hashes, made, other, seen, i + 1, wordings, used)
        ends[i + 1] = used
        got = _terms(tokens, kinds, first, count, smallest)
        terms[term_ends[i] : term_ends[i] + got] = smallest[:got]
        term_ends[i + 1] = term_ends[i] + got
        tags[i] = _cues(sums, powers, kinds, count, slots, bits, hits)
        for bit in range(STEP_BIT):
            groups[i] |= np.int64(hits[bit] > 0) << bit
        topics[i] = hits[TOPIC_BIT:]
    return ends, wordings[:used], term_ends, terms[: term_ends[n]], prompts, counts, groups, tags, topics, script


@_jit
def answer_marks(starts: Array, data: Array, seed: np.uint64, slots: Array, bits: Array, n_terms: int) -> Any:
    """Of each answer: tokens, connectives of reasoning, words of a grade, whether inline tags were seen, and a few terms."""
    n = len(starts) - 1
    longest = 0
    for i in range(n):
        longest = max(longest, starts[i + 1] - starts[i])
    size = longest + 4
    tokens, kinds = np.zeros(size, np.uint64), np.zeros(size, np.int8)
    sums, powers = np.zeros(size + 1, np.uint64), np.zeros(size + 1, np.uint64)
    counts, steps, verdicts = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    tags, scripts = np.zeros(n, np.bool_), np.zeros(16, np.int64)
    term_ends, terms, smallest = np.zeros(n + 1, np.int64), np.zeros(n_terms * n, np.int64), np.zeros(n_terms, np.int64)
    for i in range(n):
        hits = np.zeros(TOPIC_BIT + TOPICS, np.int64)
        counts[i], _ = _split(data, starts[i], starts[i + 1], seed, tokens, kinds, 0, scripts)
        _prefix(tokens, counts[i], sums, powers)
        tags[i] = _cues(sums, powers, kinds, counts[i], slots, bits, hits)
        steps[i], verdicts[i] = hits[STEP_BIT], hits[VERDICT_BIT]
        got = _terms(tokens, kinds, 0, counts[i], smallest)
        terms[term_ends[i] : term_ends[i] + got] = smallest[:got]
        term_ends[i + 1] = term_ends[i] + got
    return counts, steps, verdicts, tags, term_ends, terms[: term_ends[n]]
