"""The compiled sketch and its slow twin agree on every text, also on bytes that are none."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import sketch_twin as twin
from stillwatch.sketch import characters, lexicon, text
from stillwatch.sketch.terms import BUCKETS
from stillwatch.sketch.terms import terms as smallest

KEY = bytes(range(32))
SEED = text._seed(KEY)
CUES = sorted({cue for words in (*lexicon.CUES.values(), *lexicon.TOPICS.values(), lexicon.STEPS, lexicon.VERDICTS) for cue in words})


def held(texts: list[bytes]) -> pa.Array:
    """A string array of bytes that nobody has checked."""
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))])


def agree(calls: list[tuple[bytes, bytes, bytes]]) -> None:
    columns = text.sketch(*(held(list(each)) for each in zip(*calls, strict=True)), KEY)
    got = [dict(zip(columns, row, strict=True)) for row in zip(*(column.to_pylist() for column in columns.values()), strict=True)]
    assert got == [twin.marks(*call, SEED, (text.TERMS, text.ANSWER_TERMS)) for call in calls]


every_script = st.sampled_from("aZé0٣９<>/ \n\t,.-’—АЯёΑωאعहไかカ漢字글ﬀＡａ０𠀀😀\u0301\ufffd\x00") | st.characters(codec="utf-8")
words = st.sampled_from([*CUES, *(f"<{tag}>" for tag in lexicon.TAGS), "</think>", "the", "of", "a", "1999", "7", "foo", "Ünïcode", "Привет", "你好", "ไทย"])
prose = st.lists(words | st.text(every_script, max_size=8), max_size=60).map(" ".join)
bits = st.binary(max_size=6)
texts = st.builds(lambda head, body, tail: head + body.encode() + tail, bits | st.just(b""), prose | st.text(every_script, max_size=200), bits | st.just(b""))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=5))
@example([(b"", b"", b"")])
@example([(b"a" * 32, b"\xe4", b"b" * 31 + b"\xc3"), (b"\xf0\x9f", b"c" * 64, b"\xff" * 40)])
def test_kernels_equal_the_slow_twin(calls: list[tuple[bytes, bytes, bytes]]) -> None:
    agree(calls)


@pytest.mark.parametrize("vocabulary", [3, 40, 5000])
@pytest.mark.parametrize("size", [0, 4, 5, 6, 7, 8, 9, 223, 224, 225, 230, 1500])
def test_long_and_repetitive_texts_equal_the_slow_twin(size: int, vocabulary: int) -> None:
    """Windows of both widths, ends that touch, terms that repeat until a first range of values does not hold enough."""
    rng = random.Random(size * vocabulary)
    stock = ["漢", "字", "12", *(f"w{i}x" for i in range(3, vocabulary)), *rng.choices(CUES, k=3)][: max(3, vocabulary)]
    stocks = (stock[2:], stock, stock[:3])
    agree([(b"", " ".join(rng.choices(each, k=size)).encode(), " ".join(rng.choices(each, k=size)).encode()) for each in stocks])
    agree([(" ".join(rng.choices(each, k=size)).encode(), b"x", b"") for each in stocks])


def test_cues_are_heard_up_to_the_last_token_that_counts() -> None:
    before = [b"filler " * count for count in (698, 699, 700)]
    agree([(each, b"<think> rewrite a safe version", each + b"score") for each in before])
    agree([(b"", each + b"</think> therefore", each + b"out of 7") for each in before])


def test_every_code_point_is_what_its_ranges_say() -> None:
    classes, folded = characters.tables()
    for cp in range(0x10000):
        assert (classes[cp] & 3, classes[cp] >> 2, folded[cp]) == (twin.kind(cp), twin.script(twin.fold(cp)), twin.fold(cp)), hex(cp)


def test_every_cue_is_heard() -> None:
    """The short ways that skip places where no cue begins skip none where one does."""
    for groups, column in ((lexicon.CUES, 0), ({"steps": lexicon.STEPS, "verdicts": lexicon.VERDICTS}, 1)):
        lengths, slots = text._tables(KEY)[column]
        for cue in itertools.chain.from_iterable(groups.values()):
            values = twin.hashes(twin.split(cue.encode(), SEED), SEED)
            assert lengths[values[0] % len(lengths)] >> (len(values) - 1) & 1
            assert twin.phrase(values) in slots[:, 0]
            assert len(values) <= 6


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 40) | st.integers(2**63 - 40, 2**63 - 1), max_size=300), st.sampled_from([1, 12, 32]))
def test_terms_are_the_smallest_whatever_the_values(values: list[int], limit: int) -> None:
    """Also of values that are not spread evenly, where buckets are crowded."""
    buckets, near = np.full(BUCKETS + len(values) + 1, 2**64 - 1, np.uint64), np.zeros(len(values) + 1, np.uint64)
    out = np.zeros(limit + 1, np.int64)
    end = smallest(np.array(values, np.uint64), len(values), limit, buckets, near, out, 0)
    assert out[:end].tolist() == sorted(set(values))[:limit]
    assert (buckets == 2**64 - 1).all(), "empty again for the next text"
