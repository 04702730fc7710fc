"""A group that nothing explains, among many that something does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaigns.judge import judge
from stillwatch.campaigns.unexplained import MISSED, NOBODY, Crowd, by_chance, counted, to_be_expected
from stillwatch.campaigns.weigh import Weighed, weigh
from test_campaigns import DEALT, PURPOSE, SPEAKING, cluster

UNTIED = (("template", 8, 30, None), ("fingerprint", 2, 30, 1.0))


def _weighed(strangers: int, start: int, ties: tuple[tuple[str, int, int, float | None], ...] = UNTIED) -> Weighed:
    (found,) = weigh([replace(cluster(strangers=strangers, start=start), ties=ties)], 1.0)
    return found


def _explained(count: int, strangers: int = 20) -> list[Weighed]:
    return [_weighed(strangers, 100_000 + strangers * at) for at in range(count)]


def _counted(standing: list[Weighed], verdict: str, explained: list[Weighed], others: Crowd = NOBODY) -> tuple[list[Weighed], Crowd]:
    everybody = [*standing, *explained]
    told, crowd = counted(everybody, [0.0] * len(standing) + [2.5] * len(explained), [verdict] * len(standing) + ["watch"] * len(explained), others)
    return told[: len(standing)], crowd


def test_the_more_groups_are_explained_the_larger_one_must_be() -> None:
    for explained, strangers, verdict in ((100, 15, "review"), (200, 15, "watch"), (200, 30, "review")):
        (told,), _ = _counted([_weighed(strangers, 0)], "review", _explained(explained, max(20, strangers)))
        assert told.explained == explained and to_be_expected(told) == pytest.approx(explained / (MISSED * strangers))
        assert judge(told, DEALT, PURPOSE, SPEAKING).verdict == verdict
    (told,), _ = _counted([_weighed(15, 0)], "review", _explained(200))
    assert any("200 groups" in reason for reason in judge(told, DEALT, PURPOSE, SPEAKING).reasons)


def test_smaller_groups_and_those_that_stand_in_larger_ones_do_not_count() -> None:
    (told,), crowd = _counted([_weighed(15, 0)], "review", [*_explained(50), *_explained(50), *_explained(50, 14)])
    assert told.explained == 50 and len(crowd.sizes) == 50, "the smaller ones stand in the larger ones' accounts, and are too small besides"


def test_groups_that_stand_pay_for_one_another() -> None:
    explained = _explained(200)
    apart, _ = _counted([_weighed(15, 1_000 * at) for at in range(3)], "review", explained)
    assert [each.beside for each in apart] == [3, 3, 3] and judge(apart[0], DEALT, PURPOSE, SPEAKING).verdict == "review"
    same, _ = _counted([_weighed(15, at) for at in range(3)], "review", explained)
    assert {each.beside for each in same} == {1} and judge(same[0], DEALT, PURPOSE, SPEAKING).verdict == "watch", "one group seen three times is one"
    (later,), crowd = _counted([_weighed(15, 5_000)], "review", [], Crowd(np.full(200, 20), (), (0.001, 0.002)))
    assert later.explained == 200 and later.beside == 3 and len(crowd.named) == 3, "what stands besides counts as well"


def test_an_alert_takes_a_tenth_of_what_a_review_does() -> None:
    for explained, verdict in ((25, "alert"), (50, "review"), (500, "watch")):
        (told,), _ = _counted([_weighed(50, 0)], "alert", _explained(explained, 60))
        assert judge(told, DEALT, PURPOSE, SPEAKING).verdict == verdict


def test_a_tie_beyond_chance_counts_for_much_and_one_by_chance_for_little() -> None:
    assert by_chance(_weighed(20, 0).cluster) == 1.0
    chance = [by_chance(_weighed(20, 0, (("synchrony", 3, joined, 0.1),)).cluster) for joined in (3, 4, 8, 20)]
    assert chance == sorted(chance, reverse=True) and chance[0] == 1.0 and 0.02 < chance[1] < 0.05 and chance[3] < 1e-6
    assert by_chance(_weighed(20, 0, (("synchrony", 3, 8, 8.0),)).cluster) > 0.6
    explained = _explained(500)
    (told,), _ = _counted([_weighed(15, 0, (("payment", 3, 10, 0.1),))], "review", explained)
    assert judge(told, DEALT, PURPOSE, SPEAKING).verdict != "watch"


def test_without_a_count_nothing_is_asked() -> None:
    assert to_be_expected(_weighed(15, 0)) == 0.0
    nothing, crowd = counted([], [], [])
    assert nothing == [] and len(crowd.sizes) == 0
