"""The judgement without each signal is what judging says where that signal never was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from stillwatch.campaigns.discovered import settled
from stillwatch.campaigns.judge import Judged, judge
from stillwatch.campaigns.left_out import again, left_out
from stillwatch.campaigns.weigh import Weighed, weigh, worth_a_look
from stillwatch.records import Cluster, Evidence
from test_campaigns import DEALT, PURPOSE, SPEAKING, cluster

KINDS = ("template", "payment", "replay")


def _left_out(mine: Cluster, others: list[Cluster], values: dict[str, float | None] | None = None) -> tuple[Judged, dict[str, dict[str, Any]]]:
    clusters = [mine, *others]
    judged, told = _all(clusters, DEALT if values is None else values)
    return judged[0], {each["name"]: each for each in told([judged[0]], KINDS)}


def _all(
    clusters: list[Cluster], values: dict[str, float | None] = DEALT, purpose: list[Evidence] = PURPOSE
) -> tuple[list[Judged], Callable[..., list[dict[str, Any]]]]:
    """All clusters judged among one another, and what is told of a case without its signals."""

    def ask(each: Weighed) -> Judged:
        return judge(each, values, purpose, SPEAKING)

    found, field = settled(weigh(clusters, 1000.0), [lambda each: ask(each).verdict] * len(clusters))
    judged = [ask(each) for each in found]
    return judged, partial(left_out, without=again(clusters, 1000.0, judged, SPEAKING, 0), speaking=SPEAKING, field=field)


OTHERS = [cluster(start=100 * i, before=i % 3, strangers=12 + i) for i in range(1, 8)]


@pytest.mark.parametrize(
    ("signal", "without"),
    [("strangers", {"strangers": 0}), ("replay", {"replaying": 0}), ("tie: replay", {"replaying": 0})],
)
def test_it_is_what_judging_says_without_the_signal(signal: str, without: dict[str, int]) -> None:
    judged, told = _left_out(cluster(replaying=12), OTHERS)
    clusters = [replace(each, **without) for each in (cluster(replaying=12), *OTHERS)]  # type: ignore[arg-type]
    want = _all(clusters)[0][0]
    weighed = want.weighed
    assert told[signal] == {**told[signal], "verdict": want.verdict, "log10_e": round(weighed.log10_e, 4), "q": round(weighed.q, 8)}
    assert round(weighed.log10_e, 4) != round(judged.weighed.log10_e, 4), "the signal weighed something"


def test_a_case_of_one_sign_is_not_listed_without_it() -> None:
    _, told = _left_out(cluster(), OTHERS)
    for name in ("strangers", "tie: template"):
        assert told[name]["verdict"] is None and told[name]["log10_e"] is None and told[name]["q"] == 1.0
        assert told[name]["text"] == "Not listed at all instead of an alert. No evidence is left."
    assert "replay" not in told, "what was not there is not left out"


def test_the_rank_of_the_others_counts() -> None:
    """Where replay goes, the others' replays go too, and the rate of a weaker case rises with its rank."""
    mine, strong = cluster(strangers=12), [cluster(start=100 * i, replaying=20, strangers=4) for i in range(1, 30)]
    judged, told = _left_out(mine, strong)
    assert told["tie: replay"]["log10_e"] == round(judged.weighed.log10_e, 4) and told["tie: replay"]["q"] > round(judged.weighed.q, 8)


def test_a_tie_that_decides_nothing_changes_nothing() -> None:
    alone = cluster()
    judged, told = _left_out(replace(alone, ties=(*alone.ties, ("payment", 3, 30, 0.5))), OTHERS)
    assert told["tie: payment"]["verdict"] == judged.verdict and "nothing" in told["tie: payment"]["text"]


def test_purpose_and_exculpations_one_by_one() -> None:
    judged, told = _left_out(cluster(), OTHERS, {**DEALT, "own_business": 0.9, "shared_slots": 0.35})
    assert judged.verdict == "watch"
    assert {name for name in told if name.startswith("purpose: ")} == {f"purpose: {each.name}" for each in PURPOSE}
    assert told["exculpation: a business of their own"]["verdict"] == "review"
    assert told["exculpation: a business of their own"]["text"] == "A review instead of a watch."
    assert told["exculpation: the same public list"]["verdict"] == "watch"


def test_the_last_tie_but_the_wording_left_out_costs_an_alert() -> None:
    _, told = _left_out(cluster(), OTHERS)
    judged, leave_out = _all([cluster(), *OTHERS])
    (found,) = (each for each in leave_out([judged[0]], ("synchrony",)) if each["name"] == "tie: synchrony")
    assert judged[0].verdict == "alert" and found["verdict"] == "review" and told["purpose: reasoning elicitation"]["verdict"] == "alert"


@pytest.mark.parametrize(("strangers", "verdict"), [(30, "watch"), (60, "review")])
def test_the_last_sign_of_purpose_left_out_costs_a_step_or_two(strangers: int, verdict: str) -> None:
    (judged,), told = _all([cluster(strangers=strangers)], purpose=PURPOSE[:1])
    (found,) = (each for each in told([judged], ()) if each["name"].startswith("purpose: "))
    assert judged.verdict == "alert" and found["verdict"] == verdict


def test_another_cluster_of_the_case_may_lead() -> None:
    one, two = cluster(replaying=30, strangers=4), cluster(strangers=20, start=7)
    judged, leave_out = _all([one, two])
    assert worth_a_look([each.weighed for each in judged]) == [each.weighed for each in judged]
    told = {each["name"]: each for each in leave_out(judged, ())}
    assert told["replay"]["verdict"] == "alert" and "Another of its clusters leads then." in told["replay"]["text"]


def test_nothing_of_the_case_itself_is_changed() -> None:
    mine = cluster(replaying=12)
    before = (mine.strangers, mine.replaying, np.array(mine.family))
    _left_out(mine, OTHERS)
    assert before[:2] == (mine.strangers, mine.replaying) and (before[2] == mine.family).all()
