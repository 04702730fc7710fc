"""The trial of traffic windows: who stands in which window, our own row's numbers, and what is told of them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import pages
from baselines import mmd
from traffic import judge, marks, own, protocol, tables


@pytest.mark.parametrize("published", [False, True])
def test_windows_keep_the_halves_apart(published: bool) -> None:
    drawn = protocol.draw(1_000, 300, 100, 1, published)
    reference = set(drawn.reference.tolist())
    assert len(reference) == (800 if published else 500)
    assert all(set(window.tolist()) <= reference for window in drawn.null)
    assert not any(set(window.tolist()) & reference for window in [*drawn.benign, *(each for mixed in drawn.mixed.values() for each in mixed)])
    for share, windows in drawn.mixed.items():
        assert {int((window >= 1_000).sum()) for window in windows} == {round(100 * share)} and {len(window) for window in windows} == {100}
    if not published:
        together = np.concatenate(drawn.benign)
        assert len(drawn.benign) == 5 and len(set(together.tolist())) == len(together)


def _texts(kind: str, count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    common, rare = ([stem + letter + other for letter in "abcdefghijklmnop" for other in "qrstuvwx"] for stem in ("word", kind))
    return [" ".join(rng.choices(common, k=rng.randint(6, 16)) + rng.choices(rare, k=2 if kind == "usual" else 5)) for _ in range(count)]


@pytest.fixture(scope="module")
def judged() -> tuple[protocol.Drawn, np.ndarray, np.ndarray]:
    drawn = protocol.draw(4_000, 600, 50, 5)
    made = marks.marks(_texts("usual", 4_000, 1) + _texts("strange", 600, 2))
    windows = drawn.null + drawn.benign + [window for share in protocol.SHARES for window in drawn.mixed[share]]
    four = own.scores(made, drawn.reference, windows, len(drawn.null), 5)
    return drawn, four, own.together(four, len(drawn.null))


def test_ours_finds_what_is_strange_and_keeps_its_promise_on_what_is_not(judged: tuple[protocol.Drawn, np.ndarray, np.ndarray]) -> None:
    drawn, four, sums = judged
    inside, known = len(drawn.null), len(drawn.null) + len(drawn.benign)
    cut = np.percentile(sums[:inside], 95)
    assert np.isfinite(four).all() and len(drawn.benign) == 40
    # 40 windows at 5 %: more than 6 have a chance of 1 %.
    assert (sums[inside:known] > cut).sum() <= 6
    found = [(sums[known + 50 * at : known + 50 * at + 50] > cut).mean() for at in range(5)]
    assert found[1] > 0.8 and found[2:] == [1.0, 1.0, 1.0]


def test_windows_out_of_the_reference_are_told_as_others_are(judged: tuple[protocol.Drawn, np.ndarray, np.ndarray]) -> None:
    drawn, four, _ = judged
    inside, known = len(drawn.null), len(drawn.null) + len(drawn.benign)
    for at, name in enumerate(own.NAMES):
        apart = (four[inside:known, at].mean() - four[:inside, at].mean()) / four[:inside, at].std()
        assert abs(apart) < 3.5 / np.sqrt(known - inside), name


def test_surprise_by_hand() -> None:
    usual = np.arange(100.0)
    # Nine tenths lie below 89.1, and those above it are 5.4 further on average.
    high = 89.1
    step = np.mean(np.arange(90, 100) - high)
    assert own.surprise(np.array([-1.0, 50.0, high + step]), usual) == pytest.approx([0.0, -np.log(0.5), np.log(10) + 1])


def test_excess_is_the_deviance_of_poisson_by_hand() -> None:
    window = sparse.csr_array(np.array([[1.0, 0, 1], [1, 1, 0]]))
    reference = sparse.csr_array(np.array([[1.0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]]))
    # Without the last text: 3 of them, counts 1, 3, 0; expected 2 * (count + 1/2) / 4.
    expected = [0.75, 1.75, 0.25]
    deviance = 2 * np.log(2 / expected[0]) - (2 - expected[0]) + np.log(1 / expected[2]) - (1 - expected[2])
    assert own.excess(window, reference, reference.sum(axis=0), np.array([3])) == pytest.approx(deviance)


def test_rates_and_cuts_by_hand() -> None:
    assert pages.interval(0, 10) == "0.0 (0.0-27.8; 0/10)"
    rows = [{"detectors": {"it": {"null": [0.0], "benign": list(range(40)), "mixed": {share: [36.5, 39.5] for share in tables.SHARES}}}}]
    wrong, count, found = tables.measured(rows, "it", tables._equal)
    assert (wrong, count, found) == (2, 40, [50.0] * 5)
    assert tables.balanced(wrong, count, found) == pytest.approx((50 + 95) / 2)


def test_a_section_replaces_its_own_and_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "trial.md"
    pages.put(page, "a", "one\n")
    pages.put(page, "b", "other\n")
    pages.put(page, "a", "two\n")
    told = page.read_text()
    assert told == "# The trial\n\n<!-- a: begin -->\ntwo\n<!-- a: end -->\n\n<!-- b: begin -->\nother\n<!-- b: end -->\n"


def test_whole_reference_from_sums_is_the_estimate_from_pairs() -> None:
    vectors = np.random.default_rng(5).normal(size=(30, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = mmd.kernel((vectors @ vectors.T).astype(np.float32), 2.0)

    def among(places: np.ndarray) -> float:
        return float(np.mean([near[a, b] for a in places for b in places if a != b]))

    def twin(window: np.ndarray, reference: np.ndarray) -> float:
        return among(window) + among(reference) - 2 * float(np.mean([near[a, b] for a in window for b in reference]))

    reference, inside, outside = np.arange(20), np.array([3, 8, 11]), np.array([22, 25, 29])
    found = judge._whole(near, protocol.Drawn(reference, [inside], [outside], {}), [inside, outside])
    # A window out of the reference is compared with the rest of it.
    assert found == pytest.approx([twin(inside, np.setdiff1d(reference, inside)), twin(outside, reference)], abs=1e-6)
