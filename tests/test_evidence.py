"""The statistics against their slow twins and under their nulls."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.placebo import placebo
from stillwatch.evidence.strangers import exact_tail, log10_e, log10_mean


def _twin_tail(now: int, before: int, units_now: int, units_before: int) -> float:
    total, carriers = units_now + units_before, now + before
    ways = sum(math.comb(units_now, k) * math.comb(units_before, carriers - k) for k in range(now, min(carriers, units_now) + 1))
    return ways / math.comb(total, carriers)


@pytest.mark.parametrize("now", [0, 1, 5, 12])
@pytest.mark.parametrize("before", [0, 1, 4])
def test_exact_tail_is_the_sum_over_all_ways(now: int, before: int) -> None:
    assert exact_tail(now, before, 30, 50) == pytest.approx(_twin_tail(now, before, 30, 50))


def test_mean_of_the_e_value_is_at_most_one_under_the_null() -> None:
    for units_now, units_before, carriers in [(20, 60, 10), (50, 50, 30), (5, 400, 3)]:
        share = units_now / (units_now + units_before)
        total = math.comb(units_now + units_before, carriers)
        mean = sum(math.comb(units_now, k) * math.comb(units_before, carriers - k) / total * 10 ** log10_e(k, carriers - k, share) for k in range(carriers + 1))
        assert 0 < mean <= 1 + 1e-9


def test_evidence_grows_with_strangers_and_shrinks_with_earlier_users() -> None:
    assert log10_e(30, 0, 0.4) > log10_e(20, 0, 0.4) > log10_e(20, 3, 0.4)
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


def test_placebo_finds_nothing_in_wordings_that_spread_evenly_and_would_find_a_leak() -> None:
    rng = np.random.default_rng(2)
    wording, unit = np.repeat(np.arange(300), 30), rng.integers(0, 500, 9000)
    assert placebo(wording, unit, 0.5).alerts == 0
    # A wrong share (units are in truth dealt evenly, the test believes one in fifty is today's) must show.
    assert log10_e(15, 5, 0.02) > log10_e(15, 5, 0.75) + 6
