"""A group that nothing explains, among many that something does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaigns.exculpations import _own_business
from stillwatch.campaigns.judge import _by_chance, _joined, judge
from stillwatch.campaigns.unexplained import ONE_IN, RARER, beside, sizes, to_be_expected
from stillwatch.campaigns.weigh import Weighed, weigh
from test_campaigns import DEALT, PURPOSE, SPEAKING, cluster

UNTIED = (("template", 8, 30, None), ("fingerprint", 2, 30, 1.0))
NONE = np.zeros((0, 2), np.int64)


def _weighed(strangers: int, start: int = 0, calls: int = 500, ties: tuple[tuple[str, int, int, float | None], ...] = UNTIED) -> Weighed:
    (found,) = weigh([replace(cluster(strangers=strangers, start=start), calls=np.arange(calls), ties=ties)], 1.0)
    return found


def _groups(count: int, strangers: int = 20) -> list[Weighed]:
    return [_weighed(strangers, strangers * at) for at in range(count)]


def _many(count: int, organisations: int, calls: int) -> np.ndarray:
    return np.full((count, 2), (organisations, calls))


def test_the_more_groups_are_explained_the_more_calls_one_must_have() -> None:
    for explained, calls, verdict in ((25, 500, "alert"), (35, 500, "watch"), (35, 2000, "alert"), (200, 2000, "watch")):
        told = beside(_weighed(50, calls=calls), _many(explained, 60, 10_000))
        assert told.explained == explained and to_be_expected(told) == pytest.approx(explained / ONE_IN / calls**RARER)
        assert judge(told, DEALT, PURPOSE, SPEAKING).verdict == verdict
    assert any("200 groups" in reason for reason in judge(beside(_weighed(50), _many(200, 60, 10_000)), DEALT, PURPOSE, SPEAKING).reasons)


def test_only_groups_as_large_in_both_count() -> None:
    explained = np.array([[9, 900], [20, 400], [20, 600], [60, 100]])
    assert [beside(_weighed(k, calls=c), explained).explained for k, c in ((5, 100), (10, 100), (20, 500), (60, 90), (61, 90))] == [4, 3, 1, 1, 1]


def test_groups_are_counted_once_where_explanations_cover_them() -> None:
    several = [
        *_groups(5),
        *_groups(5),
        *_groups(5, 14),
        *(replace(each, cluster=replace(each.cluster, accounts=each.cluster.accounts + 10_000)) for each in _groups(2, 9)),
    ]
    found = sizes(several, [2.0] * len(several), np.array([[40, 7], [3, 9]]))
    assert sorted(found[:, 0].tolist()) == [3, 9, 9, 20, 20, 20, 20, 20, 40], "those of fourteen stand in the larger ones"
    assert found.tolist()[:3] == [[40, 7], [3, 9], [20, 500]]
    assert sizes(several, [1.9] * len(several), NONE).tolist() == [] == sizes([], [], NONE).tolist()


def test_a_tie_joins_where_it_is_twice_and_hardly_by_chance() -> None:
    for joined, expected, joins in ((4, 0.1, True), (4, 1.9, False), (6, 2.9, False), (12, 2.9, True), (20, None, True), (4, 0.0, True)):
        assert _joined(_weighed(20, ties=(("synchrony", 3, joined, expected),)).cluster) == joins, (joined, expected)
    assert not _joined(_weighed(20, ties=(("synchrony", 3, 3, 0.1),)).cluster), "fewer than a fifth of the accounts"
    assert not _joined(_weighed(20).cluster), "what a library gives"
    assert _by_chance(4, 0.2) == pytest.approx(1 - np.exp(-0.1) * 1.1), "two meetings or more where a tenth is expected"


def test_many_organisations_measure_more_exactly_whose_business_it_is() -> None:
    assert [round(_own_business(_weighed(k).cluster)[1], 3) for k in (5, 10, 40, 250)] == [0.6, 0.6, 0.45, 0.36]
    values = DEALT | {"own_business": 0.47}
    card = (("payment", 3, 60, 1.0),)
    assert [judge(_weighed(k, ties=card), values, PURPOSE, SPEAKING).verdict for k in (15, 60)] == ["review", "watch"]


def test_without_a_count_nothing_is_asked() -> None:
    assert to_be_expected(_weighed(15)) == 0.0


def test_what_is_joined_by_replays_alone_is_no_group_of_a_wording() -> None:
    (found,) = weigh([replace(cluster(strangers=0, replaying=4), calls=np.arange(9))], 1.0)
    assert to_be_expected(beside(found, _many(200, 60, 10_000))) == 0.0
