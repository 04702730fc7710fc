"""Compiled kernels: texts written word by word into Arrow's buffers, ids written as hexadecimal, hashes for everything drawn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Array = Any
_jit = njit(cache=True, nogil=True)

PUBLIC, ITEM, CIRCLE, HOUSE, LESSON, FRESH, LISTED, SHEET = range(8)
"""Whose a segment of text is: everybody's (kept word by word), an item of a list that a circle of strangers works through for some days, such a
circle's, one organisation's, an item of a list of its own, or said once. LISTED and SHEET stand for a whole question of a public suite, in a circle's list and in one's own: every list
holds other questions of the suite, and each stands in the words in which it was published."""

LONGEST = 16_000
"Bytes of one text from which on no further segment is added."

ROOM = 65_536
"Bytes that must be free before a text is begun; no text is longer."

SLOT = 32
"Bytes of a word's place; longer words are cut."

KEPT = np.uint64(3)
"Of four content words of a fresh segment (bits of a hash, all zero), one follows from what its pattern says; the others are drawn from the vocabulary."


class Book(NamedTuple):
    """Patterns of text: segments of tokens, each a word and what separates it from the next; words in classes of their like."""

    word: Array
    "SLOT bytes a word: length, then the word; words of one class stand together, so that a word costs one line of the cache."
    class_start: Array
    class_size: Array
    token: Array
    "Word (24 bits), class (16; 0: a word that is never replaced), and the separator after it."
    separator_start: Array
    separator_bytes: Array
    segment_start: Array
    question_start: Array
    question_segment: Array
    "The segments of each question of the public suites."
    segment_scope: Array
    pool_start: Array
    "By account of the pattern world: its fresh segments, among which they are recombined."
    pool_segment: Array


@_jit
def mix(x: Any) -> Any:
    """splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    x = np.uint64(x)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@_jit
def mixed(values: Array, salt: Any) -> Array:
    """`mix` of an array of integers, each with a salt: a number that belongs to it."""
    out = np.empty(len(values), np.uint64)
    for i in range(len(values)):
        out[i] = mix(np.uint64(values[i]) * np.uint64(0x9E3779B97F4A7C15) + mix(salt))
    return out


@_jit
def mixed_pairs(left: Array, right: Array, salt: Any) -> Array:
    """The same of pairs."""
    out = np.empty(len(left), np.uint64)
    for i in range(len(left)):
        out[i] = mix(mix(np.uint64(left[i]) ^ mix(salt)) + np.uint64(right[i]) * np.uint64(0x9E3779B97F4A7C15))
    return out


@intrinsic
def _sixteen(typingctx: Any, source: Any, start: Any, out: Any, at: Any) -> Any:
    """Copy sixteen bytes in one instruction: a loop over the letters of a word is as long as the word, and so mostly guessed wrong."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = []
        for array, index in ((0, 1), (2, 3)):
            data = context.make_array(signature.args[array])(context, builder, args[array]).data
            places.append(builder.bitcast(builder.gep(data, [args[index]]), ir.VectorType(ir.IntType(8), 16).as_pointer()))
        loaded = builder.load(places[0])
        loaded.align = 1
        builder.store(loaded, places[1]).align = 1
        return context.get_dummy_value()

    return types.void(source, start, out, at), code


@_jit
def _copy(source: Array, start: int, end: int, out: Array, at: int) -> int:
    for i in range(start, end):
        out[at] = source[i]
        at += 1
    return at


@_jit
def _below(state: Any, size: Any) -> Any:
    """A number below `size` (less than 2^32) from the upper half of a hash, without a division."""
    return ((state >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32)


@_jit
def _segment(book: Book, segment: int, scope: int, key: np.uint64, vocabulary: np.uint64, out: Array, at: int) -> int:
    """One segment with its content words replaced by others of their class: the same for the same key; fresh ones anew each time, from the vocabulary."""
    state = key
    for token in range(book.segment_start[segment], book.segment_start[segment + 1]):
        packed = book.token[token]
        word = packed & np.uint64(0xFFFFFF)
        of = (packed >> np.uint64(24)) & np.uint64(0xFFFF)
        if of > 0 and scope != PUBLIC:
            of -= np.uint64(1)
            size = np.uint64(book.class_size[of])
            if scope == FRESH:
                state = mix(state + np.uint64(token))
                if state & KEPT == 0:
                    step = _below(mix(vocabulary ^ word), size)
                else:
                    own = min(size, max(np.uint64(24), size >> np.uint64(4)))
                    step = _below(mix(vocabulary + of), size) + _below(state, own)
                    if step >= size:
                        step -= size
            else:
                step = _below(mix(key ^ word), size)
            word = np.uint64(book.class_start[of]) + step
        place = np.int64(word) * SLOT
        length = book.word[place]
        _sixteen(book.word, place + 1, out, at)
        if length > 16:
            _sixteen(book.word, place + SLOT - 16, out, at + SLOT - 17)
        at += length
        separator = np.int64(packed >> np.uint64(40))
        if separator == 0:
            out[at] = 32
            at += 1
        elif separator > 1:
            at = _copy(book.separator_bytes, book.separator_start[separator], book.separator_start[separator + 1], out, at)
    return at


@_jit
def _question(book: Book, question: int, key: np.uint64, out: Array, at: int) -> int:
    """The question that stands in this place of a list with that key: as far on in the suite for all of the list."""
    count = len(book.question_start) - 1
    question = (question + np.int64(mix(key) % np.uint64(count))) % count
    for place in range(book.question_start[question], book.question_start[question + 1]):
        at = _segment(book, book.question_segment[place], PUBLIC, key, key, out, at)
    return at


@_jit
def write_texts(
    book: Book, starts: Array, segments: Array, pattern: Array, account: Array, keys: Array, call: Array, vocabulary: Array, job: Array, stretch: float, out: Array, offsets: Array, row: int
) -> int:  # fmt: skip
    """Write the texts of rows from `row` on, as far as the buffer goes; returns the row after the last one written.

    `pattern`: call of the pattern world; `account`: its account there; `keys`: (rows, 4) of item, circle, house, lesson; `call`: of the fresh
    segments; `job`: whether fresh segments are of a job list, of which any call may be given any; `stretch`: segments written for each fresh one.
    """
    at = np.int64(offsets[row])
    whole = int(stretch)
    part = stretch - whole
    for i in range(row, len(pattern)):
        if at + ROOM > len(out):
            return i
        begin = at
        state = call[i]
        pool_from = book.pool_start[account[i]]
        pool_size = np.uint64(book.pool_start[account[i] + 1] - pool_from)
        last = starts[pattern[i] + 1] - 1
        for place in range(starts[pattern[i]], last + 1):
            if at - begin > LONGEST:
                break
            segment = segments[place]
            scope = book.segment_scope[segment]
            if scope >= LISTED:
                at = _question(book, (segment - (len(book.segment_start) - 1)) >> 1, keys[i, 0 if scope == LISTED else 3], out, at)
                continue
            if scope != FRESH:
                at = _segment(book, segment, scope, keys[i, max(scope - 1, 0)], vocabulary[i], out, at)
                continue
            state = mix(state + np.uint64(place))
            count = whole + int((state >> np.uint64(40)) / 16777216.0 < part)
            if count == 0 and place == last and at == begin:
                count = 1
            for again in range(count):
                state = mix(state)
                chosen = segment
                if pool_size > 0 and (again > 0 or job[i] or state & np.uint64(2)):
                    chosen = book.pool_segment[pool_from + np.int64((state >> np.uint64(3)) % pool_size)]
                if at > begin and out[at - 1] > 32 and out[at - 1] < 128 and again > 0:
                    out[at] = 32
                    at += 1
                at = _segment(book, chosen, FRESH, state, vocabulary[i], out, at)
                if at - begin > LONGEST:
                    break
        while at > begin and (out[at - 1] == 32 or out[at - 1] == 10):
            at -= 1
        offsets[i + 1] = at
    return len(pattern)


class Writer:
    """`write_texts` of all rows, into a buffer that grows as needed and serves again."""

    def __init__(self) -> None:
        self._out = np.zeros(1 << 22, np.uint8)

    def __call__(
        self, book: Book, starts: Array, segments: Array, pattern: Array, account: Array, keys: Array, call: Array, vocabulary: Array, job: Array, stretch: float
    ) -> tuple[Array, Array]:  # fmt: skip
        """(where each text begins and the last ends, bytes)."""
        offsets, row = np.zeros(len(pattern) + 1, np.int32), 0
        while True:
            row = write_texts(book, starts, segments, pattern, account, keys, call, vocabulary, job, stretch, self._out, offsets, row)
            if row == len(pattern):
                return offsets, self._out[: offsets[-1]].copy()
            self._out = np.concatenate([self._out, np.zeros(len(self._out), np.uint8)])


@_jit
def write_ids(prefix: Array, keys: Array, digits: int, valid: Array, suffix: Array) -> Any:
    """Ids of a prefix, `digits` hexadecimal digits of each key, and a suffix: (offsets, bytes); nothing where not valid."""
    each = len(prefix) + digits + len(suffix)
    offsets = np.zeros(len(keys) + 1, np.int32)
    out = np.empty(each * len(keys), np.uint8)
    at = 0
    for i in range(len(keys)):
        if valid[i]:
            at = _copy(prefix, 0, len(prefix), out, at)
            left = keys[i]
            for digit in range(digits):
                if digit == 16:
                    left = mix(keys[i])
                value = left & np.uint64(15)
                left >>= np.uint64(4)
                out[at] = value + (48 if value < 10 else 87)
                at += 1
            at = _copy(suffix, 0, len(suffix), out, at)
        offsets[i + 1] = at
    return offsets, out[:at]


@_jit
def write_addresses(keys: Array, valid: Array) -> Any:
    """Dotted addresses of the range that is reserved for nobody: (offsets, bytes)."""
    offsets = np.zeros(len(keys) + 1, np.int32)
    out = np.empty(16 * len(keys), np.uint8)
    at = 0
    for i in range(len(keys)):
        if valid[i]:
            key = keys[i]
            for part in range(4):
                value = np.int64((key >> np.uint64(8 * part)) & np.uint64(255))
                if part == 0:
                    value = 240 + value % 15
                if part > 0:
                    out[at] = 46
                    at += 1
                if value >= 100:
                    out[at] = 48 + value // 100
                    at += 1
                if value >= 10:
                    out[at] = 48 + value // 10 % 10
                    at += 1
                out[at] = 48 + value % 10
                at += 1
        offsets[i + 1] = at
    return offsets, out[:at]


@_jit
def choose(code: Array, shared: Array, own_offsets: Array, own: Array, starts: Array, held: Array) -> Any:
    """Strings of a column: the pattern's own where `shared`, else the one made for the row: (offsets, bytes)."""
    total = 0
    for i in range(len(code)):
        if code[i] >= 0:
            total += starts[code[i] + 1] - starts[code[i]] if shared[code[i]] else own_offsets[i + 1] - own_offsets[i]
    offsets = np.zeros(len(code) + 1, np.int32)
    out = np.empty(total, np.uint8)
    at = 0
    for i in range(len(code)):
        if code[i] >= 0:
            at = _copy(held, starts[code[i]], starts[code[i] + 1], out, at) if shared[code[i]] else _copy(own, own_offsets[i], own_offsets[i + 1], out, at)
        offsets[i + 1] = at
    return offsets, out
