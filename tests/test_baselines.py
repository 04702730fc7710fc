"""Published detectors that the trial compares with: each against a value that was published or worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from baselines import cap, mahalanobis, mmd, prada, seat

WEIGHTS = np.array([148, 154, 158, 160, 161, 162, 166, 170, 182, 195, 236], float)
"Weights of eleven men, the worked example of Shapiro and Wilk (Biometrika 1965)."


def test_pradas_number_is_one_less_the_published_w() -> None:
    assert 1 - prada.score(WEIGHTS) == pytest.approx(0.79, abs=0.005)
    assert prada.score(np.ones(5)) == 0.0


def test_prada_leaves_out_distances_beyond_three_deviations() -> None:
    many = np.concatenate([WEIGHTS, WEIGHTS + 1, WEIGHTS + 2])
    assert prada.score(np.append(many, 5_000.0)) == prada.score(many)


def test_prada_takes_the_nearest_other() -> None:
    along = np.array([0.0, math.pi / 3, math.pi])
    vectors = np.stack([np.cos(along), np.sin(along)], axis=1)
    assert prada.nearest(vectors @ vectors.T) == pytest.approx([1.0, 1.0, math.sqrt(3)])


def test_seats_number_is_the_share_of_similar_pairs() -> None:
    along = np.array([0.0, 0.1, math.pi / 2, math.pi])
    vectors = np.stack([np.cos(along), np.sin(along)], axis=1)
    assert seat.score(vectors @ vectors.T, 0.9) == pytest.approx(1 / 6)
    assert seat.score(vectors @ vectors.T, 1.1) == 0.0
    # Six pairs; their 99th percentile lies by .95 of the way from the second largest cosine, sin .1, to the largest, cos .1.
    assert seat.threshold(vectors @ vectors.T) == pytest.approx(math.sin(0.1) + 0.95 * (math.cos(0.1) - math.sin(0.1)))


def test_caps_cost_of_one_query_four_times_and_of_two_opposites() -> None:
    one = np.tile([1.0, 0.0], (4, 1))
    normals = cap.planes(2, 0)
    first = 0.05 * (math.exp(1 / 2048 / 0.19 * math.log(16_000)) - 1)
    assert cap.score(one, cap.buckets(one, normals)) == pytest.approx(0.0005 + first + 8 * 0.35 / 4)
    both = np.array([[1.0, 0.0], [-1.0, 0.0]])
    second = 0.05 * (math.exp(2 / 2048 / 0.19 * math.log(16_000)) - 1)
    assert cap.score(both, cap.buckets(both, normals)) == pytest.approx(0.0005 + second + 8 * 0.35 + 8 * 0.45)
    assert normals.shape == (2, 11)


def test_mahalanobis_distance_by_hand() -> None:
    benign = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])  # variances 1/2 and 2
    assert mahalanobis.distances(benign, np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 2.0], [0.0, 0.0]])) == pytest.approx([2, 2, 4, 0], abs=1e-4)


def test_the_kernel_is_the_mean_of_four_gaussians() -> None:
    vectors = np.random.default_rng(3).normal(size=(20, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    square = mmd.median(alike)
    plain = np.mean([rbf_kernel(vectors, gamma=1 / (2 * square * width**2)) for width in (0.5, 1, 2, 4)], axis=0)
    assert mmd.kernel(alike.astype(np.float32), square) == pytest.approx(plain, abs=1e-4)
    at_median = mmd.kernel(np.array([[1 - square / 2]], np.float32), square)[0, 0]
    assert at_median == pytest.approx((math.exp(-2) + math.exp(-1 / 2) + math.exp(-1 / 8) + math.exp(-1 / 32)) / 4, abs=1e-5)


def test_the_unbiased_discrepancy_is_that_of_plain_loops() -> None:
    rng = np.random.default_rng(4)
    one, other = rng.normal(size=(4, 3)), rng.normal(1, 1, size=(6, 3))
    within, among, between = (rbf_kernel(left, right) for left, right in ((one, one), (other, other), (one, other)))
    plain = np.mean([within[i, j] for i in range(4) for j in range(4) if i != j]) + np.mean([among[i, j] for i in range(6) for j in range(6) if i != j])
    assert mmd.unbiased(within.sum(), 4, among.sum(), 6, between.sum()) == pytest.approx(plain - 2 * between.mean())


def test_the_guard_blocks_what_it_has_learned_and_lets_other_requests_pass() -> None:
    pytest.importorskip("unmimic", reason="unmimic is not installed: only the trial needs it")
    from unmimic.corpus import load_families
    from unmimic.resources import bundled

    from baselines import unmimic_guard

    def embed(texts: list[str]) -> np.ndarray:
        """Words in buckets: enough to know a sentence again."""
        made = np.full((len(texts), 512), 1e-6)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                made[row, hash_of(word)] += 1
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    def hash_of(word: str) -> int:
        return sum(ord(letter) * 31**at for at, letter in enumerate(word)) % 512

    guard = unmimic_guard.guard(embed, ["What is the capital of France?", "Write a poem about the sea."] * 20)
    attack = next(each for each in load_families(bundled("attacks/public"))[0].examples if len(unmimic_guard.chunks(each)) == 1)
    assert unmimic_guard.actions(guard, embed, [attack, "What is the capital of France?", ""]) == ["block", "allow", "allow"]
