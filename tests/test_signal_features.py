"""Slow twins of the fast features, dates from outside, thinned logs, and groups with nothing in them."""

from __future__ import annotations

import itertools
import random
import warnings
from dataclasses import replace

import numpy as np
import pytest

from stillwatch.facts import every_fact
from stillwatch.features import clients, coverage, handover, models, next_call, plan_use, rows
from stillwatch.features.declare import Feature, Groups, columns, every_feature
from stillwatch.parts import One, with_facts
from stillwatch.records import NO_CONTEXT
from stillwatch.traffic import Traffic, from_rows

DAY, HOUR = rows.DAY, rows.HOUR
FEATURES = every_feature()


def _one(made: list[dict[str, object]]) -> Groups:
    traffic = from_rows(made)
    return Groups(traffic, np.arange(traffic.calls), np.zeros(traffic.calls, np.int64), 1)


def _log(seed: int, calls: int = 400) -> list[dict[str, object]]:
    """A small log in which everything happens now and then."""
    rng = random.Random(seed)
    return [
        {
            "account": rng.randrange(4),
            "ts": rng.randrange(30) * HOUR // 4,
            "session": rng.choice([None, 1, 2]),
            "prompt": rng.choice([None, *range(25)]),
            "status": rng.choice([200, 200, 403, 429, 500]),
            "path": rng.choice(["native", "cloud", None]),
            "model": rng.choice(["a", "b"]),
            "terms": rng.choice([None, sorted(rng.sample(range(60), rng.randrange(1, 30)))]),
            "answered": rng.choice([None, [], sorted(rng.sample(range(60), rng.randrange(1, 12)))]),
        }
        for _ in range(calls)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_failover_agrees_with_looking_at_every_pair(seed: int) -> None:
    groups = _one(_log(seed))
    calls = groups.traffic.marks.to_pylist()
    for each in calls:
        each["way"] = (each["account"], each["path"], each["model"])
    came = []
    for at in (c for c in calls if c["status"] in (403, 429) and c["prompt"] is not None):
        later = [c for c in calls if c["prompt"] == at["prompt"] and (c["ts"], c["call"]) > (at["ts"], at["call"]) and c["way"] != at["way"]]
        came.append(any(c["ts"] - at["ts"] <= HOUR for c in later))
    assert 0.1 < np.mean(came) < 0.9
    assert next_call.failover(groups)[0] == pytest.approx(np.mean(came))


@pytest.mark.parametrize("seed", range(3))
def test_pairs_that_follow_agree_with_walking_through_the_calls(seed: int) -> None:
    groups = _one(_log(seed))
    calls = groups.traffic.marks.to_pylist()
    last: dict[object, int] = {}
    expected = set()
    for i, call in enumerate(calls):
        talk = (call["account"], call["session"])
        if talk in last and (call["session"] is not None or call["ts"] - calls[last[talk]]["ts"] <= rows.PAUSE):
            expected.add((last[talk], i))
        last[talk] = i
    follows = rows.next_calls(groups.traffic)
    assert {(i, int(j)) for i, j in enumerate(follows) if j >= 0} == expected


@pytest.mark.parametrize("seed", range(3))
def test_taken_up_agrees_with_sets(seed: int) -> None:
    groups = _one(_log(seed, 200))
    calls = groups.traffic.marks.to_pylist()
    use = [(i, int(j)) for i, j in enumerate(rows.next_calls(groups.traffic)) if j >= 0 and calls[i]["answered"]]
    assert next_call.LEAST_PAIRS <= len(use) <= next_call.MOST_PAIRS
    half = len(use) // 2
    real = sum(len(set(calls[b]["answered"]) & set(calls[a]["terms"] or [])) for b, a in use)
    chance = sum(len(set(calls[use[(i + half) % len(use)][0]]["answered"]) & set(calls[a]["terms"] or [])) for i, (_, a) in enumerate(use))
    words = sum(len(calls[b]["answered"]) for b, _ in use)
    assert next_call.taken_up(groups)[0] == pytest.approx((real - chance) / words)


def test_usual_of_others_agrees_with_leaving_out() -> None:
    rng = np.random.default_rng(5)
    plan = rng.integers(0, 3, 60)
    rates = rng.integers(1, 9, 60).astype(np.float64)
    usual = plan_use.usual_of_others(plan, rates)
    for i in range(60):
        others = rates[(plan == plan[i]) & (np.arange(60) != i)]
        assert usual[i] == np.median(others)


def test_what_uses_more_than_its_plan_stands_out() -> None:
    made = [{"account": a, "plan": "free", "output_tokens": 1000 if a == 40 else 100} for a in range(41)]
    traffic = from_rows(made)
    label = np.r_[np.zeros(40, np.int64), np.ones(1, np.int64)]
    assert plan_use.plan_use(Groups(traffic, np.arange(41), label, 2)).tolist() == [1.0, 10.0]


def test_a_new_model_needs_a_date_or_several_organisations() -> None:
    made: list[dict[str, object]] = [{"account": 0, "ts": i * DAY // 8, "model": "new" if i >= 20 else "old"} for i in range(32)]
    groups = _one(made)
    assert np.isnan(models.model_pivot(groups)[0]), "one organisation's habit is no release"
    assert models.moved(groups, {"new": 2 * DAY})[0] == pytest.approx(4 / 8)
    assert np.isnan(models.moved(groups, {"unheard of": 0})[0])


def test_falling_back_needs_an_older_model() -> None:
    made: list[dict[str, object]] = []
    for i in range(5):
        made += [{"account": 1, "ts": 2 * i * HOUR, "model": "x", "status": 403}, {"account": 1, "ts": 2 * i * HOUR + 1, "model": "y", "status": 200}]
    groups = _one(made)
    assert models.fell_back(groups, {"x": 9 * DAY, "y": 0})[0] == 1.0
    assert models.fell_back(groups, {"x": 0, "y": 9 * DAY})[0] == 0.0


def test_handing_over_at_a_known_date() -> None:
    made = [{"account": a, "ts": (a > 5) * DAY + i * DAY // 20 + a} for a in range(12) for i in range(20)]
    groups = _one(made)
    assert handover.handed_over(groups, [DAY])[0] == 1.0
    assert handover.handed_over(groups, [DAY // 3])[0] == 0.0


def test_accounts_that_come_and_go_evenly_hand_nothing_over() -> None:
    made = [{"account": a, "ts": a * HOUR + i * 6 * HOUR} for a in range(200) for i in range(5)]
    assert handover.handover(_one(made))[0] < 0.3


def test_a_sweep_brings_new_words_and_a_suite_does_not() -> None:
    sweep = [{"account": i % 9, "ts": i, "terms": [1, 2, *range(100 + 6 * i, 106 + 6 * i)]} for i in range(600)]
    suite = [{"account": i % 9, "ts": i, "terms": [1, 2, *range(100 + 6 * (i % 10), 106 + 6 * (i % 10))]} for i in range(600)]
    assert coverage.new_words(_one(sweep))[0] == pytest.approx(1.0)
    assert coverage.job_repeats(_one(sweep))[0] == 0.0
    assert coverage.new_words(_one(suite))[0] == pytest.approx(0.0)
    assert coverage.job_repeats(_one(suite))[0] > 0.9


def test_at_most_so_many_calls_are_looked_at_evenly() -> None:
    for calls in (64, 255, 256, 257, 700, 1023):
        found = coverage.jobs(_one([{"ts": i, "terms": [i, i + 5000]} for i in range(calls)]))
        assert sorted(found.turn.tolist()) == list(range(min(calls, coverage.MOST_CALLS)))


@pytest.mark.parametrize(("apart", "lockstep"), [(HOUR, 1.0), (9 * HOUR, 0.0)])
def test_lockstep_is_the_same_change_in_the_same_hours(apart: int, lockstep: float) -> None:
    """Changes a few hours apart are together wherever the windows' borders fall."""
    for shift in range(0, 12, 2):
        made = [
            {"account": a, "ts": when, "headers": 1 + (when >= DAY + shift * HOUR + a * apart), "user_agent": 1}
            for a in range(5)
            for when in (0, DAY + shift * HOUR + a * apart, 4 * DAY)
        ]
        assert clients.frozen_client(_one(made))[0] == pytest.approx(lockstep, abs=0.01), shift


@pytest.mark.parametrize("name", ["taken_up", "failover", "job_repeats", "new_words", "model_retreat"])
def test_what_follows_cannot_be_seen_in_a_thinned_log(name: str) -> None:
    feature = FEATURES[name]
    for kept, known in ((0.1, False), (0.9, True), (None, True)):
        made = [{**row, "sampled": kept} for row in feature.example[0]]
        assert (columns(_one(made), [feature], frozenset())[name] != [None]) == known


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_an_empty_neighbour_and_a_bare_log_are_no_trouble(feature: Feature) -> None:
    """Nothing warns, fails or makes an infinite number where a group has no calls or the calls tell nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        traffic = from_rows([{"call": i, "ts": i, **row} for i, row in enumerate(feature.example[0])])
        beside = columns(Groups(traffic, np.arange(traffic.calls), np.ones(traffic.calls, np.int64), 3, feature.given), [feature], frozenset())[feature.name]
        assert beside[1] == pytest.approx(feature.example[1])
        bare = from_rows([{"account": a, "ts": a} for a in range(3)])
        values = columns(Groups(bare, np.arange(3), np.zeros(3, np.int64), 1, feature.given), [feature], frozenset())[feature.name]
    assert all(value is None or np.isfinite(value) for value in itertools.chain(beside, values))


def test_who_never_asks_a_new_model_stays_with_the_old_one_though_only_others_show_that_there_is_one() -> None:
    """Seen in the whole log, and in a part of it that holds this organisation alone."""
    made = [{"account": a, "ts": a, "model": "old"} for a in range(6)]
    made += [{"account": a, "ts": 2 * DAY + 10 * i + a, "model": "old" if a == 5 or i == 3 else "new"} for a in range(6) for i in range(10)]
    whole = with_facts(One(from_rows(made)), every_fact("stillwatch.features"), NO_CONTEXT)
    assert isinstance(whole, One)
    traffic = whole.traffic
    part = Traffic(traffic.marks.filter(traffic.account == 5), traffic.owners.among(traffic.accounts[5:]), whole.given)
    for each in (replace(traffic, given=whole.given), part):
        calls = np.flatnonzero(each.accounts[each.account] == 5)
        groups = Groups(each, calls, np.zeros(len(calls), np.int64), 1)
        assert models.model_pivot(groups).tolist() == [0.0] and models.pivot_lead(groups).tolist() == [0.0]
