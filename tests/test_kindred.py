"""Clusters that share accounts, against every pair compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaigns.kindred import SAME_CASE, Kindred
from test_campaigns import cluster


@pytest.mark.parametrize("seed", range(5))
def test_kindred_is_what_comparing_every_pair_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sets = [np.unique(rng.integers(0, 30, int(rng.integers(1, 15)))) for _ in range(40)]
    kindred = Kindred([replace(cluster(strangers=10), accounts=mine) for mine in sets])
    want = [[len(np.intersect1d(mine, other)) >= SAME_CASE * min(len(mine), len(other)) for other in sets] for mine in sets]
    assert [kindred(number).tolist() for number in range(len(sets))] == want
    assert 0 < sum(map(sum, want)) - len(sets) < len(sets) ** 2, "some pairs are and some are not"


def test_nobody_has_no_kindred() -> None:
    Kindred([])
    assert Kindred([cluster(strangers=10)])(0).tolist() == [True]
