"""The statistics against their slow twins and under their nulls."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.placebo import Placebo, placebo
from stillwatch.evidence.strangers import log10_e, log10_mean


def test_mean_of_the_e_value_is_at_most_one_under_the_null() -> None:
    for units_now, units_before, carriers in [(20, 60, 10), (50, 50, 30), (5, 400, 3), (96, 4, 20), (50, 0, 10)]:
        share = units_now / (units_now + units_before)
        total = math.comb(units_now + units_before, carriers)
        mean = sum(math.comb(units_now, k) * math.comb(units_before, carriers - k) / total * 10 ** log10_e(k, carriers - k, share) for k in range(carriers + 1))
        assert 0 < mean <= 1 + 1e-9


def test_evidence_grows_with_strangers_and_shrinks_with_earlier_users() -> None:
    assert log10_e(30, 0, 0.4) > log10_e(20, 0, 0.4) > log10_e(20, 3, 0.4)
    for share in (0.01, 0.5, 0.9, 0.95, 0.97, 0.999, 1.0):
        by_before, by_now = [log10_e(20, n, share) for n in range(40)], [log10_e(n, 3, share) for n in range(40)]
        assert by_before == sorted(by_before, reverse=True) and by_now == sorted(by_now), "an earlier user never adds evidence, whatever the history"
    assert log10_e(1000, 0, 1.0) <= 0, "without history nothing"


def test_false_discoveries_stay_below_the_level() -> None:
    rng = np.random.default_rng(5)
    false = 0
    for _ in range(300):
        # Betting e-values of pure nulls: 25 carriers each, dealt to today with probability .4.
        now = rng.binomial(25, 0.4, 400)
        q = q_values([log10_e(int(k), 25 - int(k), 0.4) for k in now], 400.0)
        false += min(q) <= 0.10
    assert false <= 0.10 * 300


def test_q_is_monotone_and_finds_what_is_there() -> None:
    values = [random.Random(1).uniform(0, 3) for _ in range(50)] + [12.0]
    q = q_values(values, 1000.0)
    assert q[-1] < 1e-8 and [q[i] for i in np.argsort(values)] == sorted(q, reverse=True)


def test_log10_mean_survives_extremes() -> None:
    assert log10_mean([500.0, 0.0]) == pytest.approx(500 - math.log10(2))
    assert log10_mean([-math.inf, -math.inf]) == -math.inf


def _dealt(share: Callable[[NDArray[np.bool_]], list[float]]) -> Placebo:
    """300 wordings over 500 organisations."""
    rng = np.random.default_rng(2)
    pairs = np.unique(np.stack([np.repeat(np.arange(300) * 8, 30), rng.integers(0, 500, 9000)]), axis=1)
    return placebo(pairs[0], pairs[1], np.arange(500), 0.5, share)


def test_placebo_finds_nothing_in_wordings_that_spread_evenly() -> None:
    found = _dealt(lambda today: [float(today.mean())])
    assert (found.rounds, found.wordings, found.alerts, found.reviews) == (5, 300, 0, 0)


def test_placebo_finds_an_exposure_that_is_not_what_it_is_said_to_be() -> None:
    """Half of the organisations are today's, the method believes one in fifty: every scan would show it."""
    assert _dealt(lambda today: [0.02]).alerts > 100
