"""A group that nothing explains, among many that something does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaigns.judge import judge
from stillwatch.campaigns.unexplained import MISSED, beside, sizes, tied, to_be_expected
from stillwatch.campaigns.weigh import Weighed, weigh
from test_campaigns import DEALT, PURPOSE, SPEAKING, cluster

UNTIED = (("template", 8, 30, None), ("fingerprint", 2, 30, 1.0))
NONE = np.zeros(0, np.int64)


def _weighed(strangers: int, start: int = 0, ties: tuple[tuple[str, int, int, float | None], ...] = UNTIED) -> Weighed:
    (found,) = weigh([replace(cluster(strangers=strangers, start=start), ties=ties)], 1.0)
    return found


def _groups(count: int, strangers: int = 20) -> list[Weighed]:
    return [_weighed(strangers, strangers * at) for at in range(count)]


def test_the_more_groups_are_explained_the_larger_one_must_be() -> None:
    for explained, strangers, verdict in ((100, 15, "review"), (200, 15, "watch"), (200, 30, "review")):
        told = beside(_weighed(strangers), np.full(explained, 30))
        assert told.explained == explained and to_be_expected(told) == pytest.approx(explained / (MISSED * strangers))
        assert judge(told, DEALT, PURPOSE, SPEAKING).verdict == verdict
    assert any("200 groups" in reason for reason in judge(beside(_weighed(15), np.full(200, 30)), DEALT, PURPOSE, SPEAKING).reasons)


def test_an_alert_takes_a_tenth_of_what_a_review_does() -> None:
    for explained, verdict in ((25, "alert"), (50, "review"), (500, "watch")):
        assert judge(beside(_weighed(50), np.full(explained, 60)), DEALT, PURPOSE, SPEAKING).verdict == verdict


def test_groups_are_counted_once_where_explanations_cover_them() -> None:
    several = [
        *_groups(5),
        *_groups(5),
        *_groups(5, 14),
        *(replace(each, cluster=replace(each.cluster, accounts=each.cluster.accounts + 10_000)) for each in _groups(2, 9)),
    ]
    assert sizes(several, [2.0] * len(several), np.array([40, 3])).tolist() == [3, 9, 9, 20, 20, 20, 20, 20, 40], "those of fourteen stand in the larger ones"
    assert sizes(several, [1.9] * len(several), NONE).tolist() == [] == sizes([], [], NONE).tolist()
    assert [beside(_weighed(k), np.array([9, 20, 20])).explained for k in (5, 10, 20, 21)] == [3, 2, 2, 1]


def test_a_tie_beyond_chance_counts_for_much_and_one_by_chance_for_little() -> None:
    assert tied(_weighed(20).cluster) == 1.0 and tied(_weighed(20, ties=(("synchrony", 3, 8, 8.0),)).cluster) == 1.0
    shares = [tied(_weighed(20, ties=(("synchrony", 3, joined, 0.1),)).cluster) for joined in (3, 4, 8, 20)]
    assert shares == sorted(shares, reverse=True) and shares[0] == 1.0 and 0.02 < shares[1] < 0.05 and shares[3] < 1e-3
    assert tied(_weighed(20, ties=(("payment", 1, 20, None),)).cluster) == 0.0
    for ties, verdict in ((UNTIED, "watch"), ((("payment", 3, 10, 0.1),), "alert")):
        assert judge(beside(_weighed(15, ties=ties), np.full(500, 30)), DEALT, PURPOSE, SPEAKING).verdict == verdict


def test_without_a_count_nothing_is_asked() -> None:
    assert to_be_expected(_weighed(15)) == 0.0
