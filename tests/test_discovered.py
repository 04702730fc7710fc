"""Rates among what stands: innocents that are explained lend their rank to nobody."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stillwatch.campaigns.discovered import rate, settled
from stillwatch.campaigns.judge import Judged, judge
from stillwatch.campaigns.weigh import Weighed, weigh
from stillwatch.evidence.discoveries import q_values
from test_campaigns import DEALT, PURPOSE, SPEAKING, cluster

EXPLAINED = {**DEALT, "own_business": 1.0}


def _ask(explained: bool) -> Callable[[Weighed], Judged]:
    return lambda each: judge(each, EXPLAINED if explained else DEALT, PURPOSE, SPEAKING)


def _verdicts(weighed: list[Weighed], explained: list[bool]) -> list[str]:
    asks = [_ask(each) for each in explained]
    found, _ = settled(weighed, [lambda each, ask=ask: ask(each).verdict for ask in asks])
    return [ask(each).verdict for ask, each in zip(asks, found, strict=True)]


def test_the_explained_lend_no_rank() -> None:
    weak = cluster(strangers=10, share=0.35)
    many = [cluster(strangers=30, start=100 * i) for i in range(1, 80)]
    weighed = weigh([weak, *many], 100.0)
    assert _ask(False)(weighed[0]).verdict == "alert", "among all that is strong its rank is high"
    assert _verdicts(weighed, [False] + [True] * len(many)) == ["watch"] + ["watch"] * len(many)
    assert _verdicts(weighed, [False] * (1 + len(many))) == ["alert"] * (1 + len(many)), "beside others that stand it is one of them"


def test_strong_evidence_needs_nobody() -> None:
    weighed = weigh([cluster(strangers=30), cluster(strangers=40, start=100)], 1_000.0)
    assert _verdicts(weighed, [False, True]) == ["alert", "watch"]


@pytest.mark.parametrize("seed", range(5))
def test_a_rate_beside_the_others_is_that_of_e_bh(seed: int) -> None:
    values = np.random.default_rng(seed).normal(2.5, 1.5, 12).tolist()
    want = q_values(values, 200.0)
    scores = dict(enumerate(values))
    assert [rate(scores, name, own, 200.0) for name, own in scores.items()] == pytest.approx(want)
    assert rate({}, 7, -math.inf, 10.0) == 1.0 and rate({}, 7, 400.0, 10.0) == 0.0


def test_what_is_named_is_consistent_with_itself() -> None:
    """Every alert has an e-value of at least tested / (1 % x alerts), every review or alert of tested / (10 % x both)."""
    rng = np.random.default_rng(3)
    clusters = [cluster(strangers=int(n), start=100 * i, share=0.3) for i, n in enumerate(rng.integers(10, 25, 60))]
    explained = (rng.random(60) < 0.5).tolist()
    weighed = weigh(clusters, 50.0)
    verdicts = _verdicts(weighed, explained)
    for names, level in ((("alert",), 0.01), (("alert", "review"), 0.1)):
        scores = [each.score for each, verdict in zip(weighed, verdicts, strict=True) if verdict in names]
        assert scores and min(scores) >= math.log10(weighed[0].tested / (level * len(scores)))
    assert {"alert", "watch"} <= set(verdicts)


def test_without_evidence_nothing_is_named() -> None:
    (each,) = weigh([cluster(share=1.0)], 10.0)
    assert _verdicts([replace(each, q=0.5)], [False]) == ["watch"]
