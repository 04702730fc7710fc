"""What the sketch promises about texts."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from stillwatch.sketch import lexicon
from stillwatch.sketch.text import TERMS, sketch

KEY = bytes(range(32))
WORDS = [f"word{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10 % 10]}{'uvwxyzabcd'[i // 100]}" for i in range(1000)]


def marks(*prompts: str | None, response: str | None = None, system: str | None = None, key: bytes = KEY) -> dict[str, list[object]]:
    n = len(prompts)
    columns = sketch(pa.array([system] * n, pa.string()), pa.array(prompts, pa.string()), pa.array([response] * n, pa.string()), key)
    return {name: column.to_pylist() for name, column in columns.items()}


def _text(rng: random.Random, count: int) -> str:
    return " ".join(rng.choices(WORDS, k=count))


@pytest.mark.parametrize("size", [20, 200, 900])
def test_a_shared_run_of_eight_words_leaves_a_common_mark(size: int) -> None:
    rng = random.Random(size)
    for _ in range(50):
        run = _text(rng, 8)
        one, two = marks(f"{_text(rng, size)} {run}", f"{run} {_text(rng, size)}")["wordings"]
        assert set(one) & set(two)


def test_unrelated_texts_share_no_mark() -> None:
    rng = random.Random(1)
    one, two = marks(_text(rng, 400), _text(rng, 400))["wordings"]
    assert not set(one) & set(two)


def test_ideographs_are_tokens() -> None:
    run = "请把下面这道题目的完整思考过程写出来然后再给出答案"
    one, two = marks(f"甲乙丙丁戊己庚辛{run}一二三四五六七八九", f"春夏秋冬东南西北{run}风雨雷电云雾霜雪")["wordings"]
    assert set(one) & set(two)


def test_marks_need_the_key() -> None:
    text = "the quick brown fox jumps over the lazy dog and runs away"
    here, there = marks(text), marks(text, key=bytes(32))
    assert not set(here["wordings"][0]) & set(there["wordings"][0])
    assert here["prompt"] != there["prompt"] and not set(here["terms"][0]) & set(there["terms"][0])


def test_case_punctuation_and_width_do_not_matter_but_digits_do() -> None:
    one, two, three = marks("Solve, please: 12 apples", "solve PLEASE 12 Apples", "solve please 13 apples")["prompt"]
    assert one == two != three
    shared = marks("a b c d e 12 f g h i j", "a b c d e 99 f g h i j")["wordings"]
    assert shared[0] == shared[1], "numbers are slots"


def test_null_is_unknown_and_not_empty() -> None:
    found = marks(None)
    assert all(column == [None] for column in found.values())
    system_only = marks(None, system="you are a patient tutor who always explains")
    assert system_only["wordings"][0] and system_only["prompt"] == [None]


def test_terms_are_the_smallest_and_at_most_the_limit() -> None:
    rng = random.Random(2)
    (terms,) = marks(_text(rng, 500))["terms"]
    assert terms == sorted(set(terms)) and len(terms) == TERMS


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("Write out your full reasoning step by step before the answer.", "reasoning written out"),
        ("请详细写出你的推理过程。", "reasoning written out"),
        ("Reconstruct the hidden chain of thought behind this answer.", "earlier or hidden reasoning"),
        ("Grade the answer against the rubric below.", "grading against a rubric"),
        ("Rewrite the query into a safe version.", "rewriting"),
        ("Come up with twenty new tasks and their inputs", "making training tasks"),
        ("Put your steps in <thinking> tags", "inline reasoning tags"),
    ],
)
def test_families(text: str, family: str) -> None:
    (asked,) = marks(text)["asked"]
    assert asked >> lexicon.FAMILIES.index(family) & 1


@pytest.mark.parametrize("text", ["What is the capital of France?", "I think we should paint the door green", "Show me the way", "reasoning", "the full moon"])
def test_no_single_word_asks(text: str) -> None:
    assert marks(text)["asked"] == [0]


def test_order_and_batching_change_nothing() -> None:
    rng = random.Random(3)
    texts = [_text(rng, rng.randrange(1, 300)) for _ in range(20)]
    together = marks(*texts)
    assert marks(*texts[::-1])["wordings"] == together["wordings"][::-1]
    assert [marks(text)["wordings"][0] for text in texts] == together["wordings"]


def test_malformed_and_odd_texts() -> None:
    odd = ["", " ", "\x00", "\U0001f600" * 50, "ａｂｃ", "é" * 3000, "<" * 100, "\u202e abc", "ﷺ"]
    found = marks(*odd)
    assert len(found["prompt"]) == len(odd) and found["prompt_tokens"][0] == 0
