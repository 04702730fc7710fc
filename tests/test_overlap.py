"""The set-similarity join beside the product of all sets with all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, triu

from stillwatch.linking.overlap import overlapping
from stillwatch.traffic import Ints


def _product(sets: list[Ints], universe: int, least: float) -> list[tuple[int, int, float]]:
    rows = np.repeat(np.arange(len(sets)), [len(each) for each in sets])
    matrix = csr_matrix((np.ones(len(rows)), (rows, np.concatenate(sets))), shape=(len(sets), universe))
    common = triu(matrix @ matrix.T, k=1).tocoo()
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    index = common.data / (sizes[common.row] + sizes[common.col] - common.data)
    return sorted((int(i), int(j), float(x)) for i, j, x in zip(common.row, common.col, index, strict=True) if x >= least)


def _drawn(rng: np.random.Generator, universe: int) -> list[Ints]:
    """Sets around a few patterns, so that many are alike, with some that everybody has and some empty places."""
    patterns = [rng.choice(universe, rng.integers(1, universe), replace=False) for _ in range(4)]
    sets = []
    for _ in range(int(rng.integers(1, 90))):
        pattern = patterns[rng.integers(4)]
        kept = pattern[rng.random(len(pattern)) >= rng.choice([0, 0.1, 0.3])]
        drawn = np.union1d(kept, rng.integers(0, universe, rng.integers(1, 4))).astype(np.int64)
        sets.append(np.union1d(drawn, [0]) if rng.random() < 0.8 else drawn)
    return sets


@pytest.mark.parametrize("least", [0.2, 0.5, 0.6, 2 / 3, 0.75, 1.0])
def test_every_pair_is_found_and_no_other(least: float) -> None:
    rng = np.random.default_rng(7)
    total = 0
    for _ in range(60):
        universe = int(rng.integers(4, 60))
        sets = _drawn(rng, universe)
        found = list(zip(*(column.tolist() for column in overlapping(sets, universe, least)), strict=True))
        assert found == _product(sets, universe, least)
        total += len(found)
    assert total > 100


def test_nothing_overlaps_with_nothing() -> None:
    one, other, index = overlapping([], 5, 0.6)
    assert len(one) == len(other) == len(index) == 0
