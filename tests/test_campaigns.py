"""Evidence to verdicts, and the case that is told."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stillwatch.campaigns.judge import LADDER, PART_OF, Judged, cases, judge
from stillwatch.campaigns.kindred import SAME_CASE
from stillwatch.campaigns.picture import volume
from stillwatch.campaigns.weigh import Weighed, replay_log10_e, weigh, worth_a_look
from stillwatch.records import Cluster, Evidence

SPEAKING = frozenset({"reasoning elicitation", "capability concentration"})
DEALT = {"shared_slots": 0.02, "own_business": 0.0, "all_traffic": 1.0, "conversations_continue": 0.0, "slot_size": 12.0, "one_site": 0.02}
PURPOSE = [
    Evidence(name, 0.9, "share", 0.0, 0.4, None, True, "concentration", "AML.T0024.002", "observed") for name in sorted(SPEAKING)
]  # fmt: skip


def cluster(
    strangers: int = 30, before: int = 0, share: float = 0.4, replaying: int = 0, start: int = 0, wordings: int = 8, named: int | None = None
) -> Cluster:
    return Cluster(
        name=start, accounts=np.arange(start, start + strangers), calls=np.arange(start, start + 2 * strangers), strangers=strangers,
        family=np.zeros(wordings, np.int64), now=np.full(wordings, strangers), before=np.full(wordings, before), carriers=np.full(wordings, strangers + before), share=np.full(wordings, share),
        named=np.full(wordings, strangers if named is None else named), share_named=np.full(wordings, share),
        replaying=replaying, carried=np.ones((strangers, 1), np.bool_), ties=(("synchrony", 9, strangers, 0.5),),
    )  # fmt: skip


def untied(found: Weighed) -> Weighed:
    """The same with nothing in common but its wordings."""
    return replace(found, cluster=replace(found.cluster, ties=(("template", 8, 30, None), ("fingerprint", 2, 30, 1.0))))


def _weighed(**rest: Any) -> Weighed:
    (found,) = weigh([cluster(**rest)], 1000.0)
    return found


def _verdict(values: dict[str, float | None] | None = None, evidence: list[Evidence] | None = None, **rest: Any) -> str:
    return judge(_weighed(**rest), DEALT if values is None else values, PURPOSE if evidence is None else evidence, SPEAKING).verdict


def test_a_dealt_job_among_strangers_is_an_alert() -> None:
    assert _verdict() == "alert"


def test_fewer_than_ten_strangers_are_a_review_however_new_their_wording() -> None:
    assert _verdict(strangers=9, share=0.01) == "review" and _verdict(strangers=10, share=0.01) == "alert"


def test_more_strangers_are_more_evidence_and_earlier_users_are_less() -> None:
    assert _weighed(strangers=40).log10_e > _weighed(strangers=30).log10_e > _weighed(strangers=30, before=5).log10_e


def test_without_history_wording_gives_no_verdict() -> None:
    found = _weighed(share=1.0)
    assert found.strangers is None and found.q == 1.0 and found.p_floor == 1.0
    assert worth_a_look([found]) == []


def test_replay_stands_alone_even_without_history_and_against_exculpations() -> None:
    innocent_looks = {"shared_slots": 0.9, "own_business": 0.9, "all_traffic": 1.0, "conversations_continue": 1.0}
    assert _verdict(innocent_looks, [], share=1.0, replaying=12) == "alert"
    assert replay_log10_e(2) is None, "a moved conversation is not a campaign"


def test_replay_is_an_e_value_under_the_tail_that_is_assumed() -> None:
    """P(k organisations or more) = 10^-(k - 1): the mean is 1."""
    mean = sum(10 ** (replay_log10_e(k) or 0.0) * (10.0 ** -(k - 1) - 10.0**-k) for k in range(3, 400))
    assert 0.99 < mean <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"shared_slots": 0.35}, "review"),
        ({"shared_slots": 0.9}, "watch"),
        ({"own_business": 0.4}, "review"),
        ({"own_business": 0.9}, "watch"),
        ({"conversations_continue": 0.8}, "review"),
        ({"shared_slots": 0.35, "own_business": 0.4}, "watch"),
        ({"own_business": None}, "review"),
    ],
)
def test_exculpations_downgrade(changed: dict[str, float | None], verdict: str) -> None:
    assert _verdict({**DEALT, **changed}) == verdict


def test_purpose_open_is_at_most_a_review_and_without_dealing_or_many_a_watch() -> None:
    silent = [replace(each, fires=False) for each in PURPOSE]
    dealt = replace(PURPOSE[0], name="dealt job")
    assert _verdict(evidence=[*silent, dealt]) == "review" and _verdict(evidence=silent, strangers=50) == "review"
    assert _verdict(evidence=silent, strangers=49) == "watch" and _verdict(evidence=[*silent, replace(dealt, fires=False)]) == "watch"
    assert _verdict(evidence=[PURPOSE[0], silent[1]]) == "alert"


def test_a_wording_alone_takes_fifty_strangers_or_a_dealt_job_to_be_more_than_a_vendors() -> None:
    dealt, partly = replace(PURPOSE[0], name="dealt job"), {**DEALT, "own_business": 0.37}
    for strangers, values, evidence, verdict in (
        (49, DEALT, PURPOSE, "review"), (50, DEALT, PURPOSE, "alert"), (49, partly, PURPOSE, "watch"), (50, partly, PURPOSE, "review"),
        (49, DEALT, [*PURPOSE, dealt], "review"), (49, {**DEALT, "shared_slots": 0.35}, [*PURPOSE, dealt], "review"),
    ):  # fmt: skip
        found = judge(untied(_weighed(strangers=strangers)), values, evidence, SPEAKING)
        assert found.verdict == verdict, (strangers, values, len(evidence))
    assert any("vendor" in reason for reason in judge(untied(_weighed()), DEALT, PURPOSE, SPEAKING).reasons)


@pytest.mark.parametrize(("organisations", "least"), [(0, 50), (300, 10), (900, 15), (4_000, 32), (10_000, 50), (90_000, 50)])
def test_a_dealt_list_under_one_wording_is_an_alert_from_fewer_strangers_the_smaller_the_log(organisations: int, least: int) -> None:
    dealt = replace(PURPOSE[0], name="dealt job")

    def said(strangers: int, *evidence: Evidence) -> str:
        (weighed,) = weigh([cluster(strangers=strangers)], 1.0, organisations)
        return judge(replace(untied(weighed), q=0.005), DEALT, list(evidence), SPEAKING).verdict

    assert said(least, *PURPOSE, dealt) == "alert" and said(least - 1, *PURPOSE, dealt) == "review"
    assert said(49, *PURPOSE) == "review", "a vendor's customers each do business of their own"
    assert said(49, replace(PURPOSE[0], fires=False), dealt) == "review", "nothing says what the answers are for"


@pytest.mark.parametrize(("organisations", "least"), [(0, 5), (800, 8), (8_000, 10), (80_000, 12)])
def test_a_review_of_a_wording_alone_takes_more_strangers_the_larger_the_log(organisations: int, least: int) -> None:
    dealt = [*PURPOSE, replace(PURPOSE[0], name="dealt job")]

    def said(strangers: int, tied: bool) -> str:
        (weighed,) = weigh([cluster(strangers=strangers)], 1.0, organisations)
        return judge(replace(weighed if tied else untied(weighed), q=0.005), DEALT, dealt, SPEAKING).verdict

    assert said(least, False) == "review" and said(least - 1, False) == ("watch" if organisations else "review")
    assert said(least - 1, True) != "watch", "what is in step or pays with one card besides is no wording alone"


def test_a_sideline_is_a_review_and_nearly_nothing_of_the_traffic_a_watch() -> None:
    assert [_verdict({**DEALT, "all_traffic": share}) for share in (0.45, 0.25, 0.06)] == ["alert", "review", "watch"]


def test_earlier_users_speak_for_innocence_when_they_are_more_than_one_in_twenty_of_those_to_expect() -> None:
    found = judge(_weighed(strangers=60, before=6), DEALT, PURPOSE, SPEAKING)
    assert found.verdict == "review" and any("earlier user" in reason for reason in found.reasons)
    # One account that an attacker put into the history beforehand buys nothing.
    assert judge(_weighed(strangers=60, before=2), DEALT, PURPOSE, SPEAKING).verdict == "alert"


def test_a_declared_programme_and_grading_alone_are_for_a_person() -> None:
    assert _verdict(values={**DEALT, "programme": 0.6}) == "review" and _verdict(values={**DEALT, "programme": 0.1}) == "alert"
    assert _verdict(values={**DEALT, "programme": None}) == "alert", "a log without programmes explains nothing and denies nothing"
    grading = [replace(PURPOSE[0], name="grading"), replace(PURPOSE[0], name="capability concentration")]
    speaking = SPEAKING | {"grading"}
    alone = untied(_weighed())
    assert judge(alone, DEALT, grading, speaking).verdict == "watch", "a wording in common is what a library of judges gives"
    for name, joined, expected, verdict in (
        ("fingerprint", 30, 1.0, "watch"), ("payment", 12, 1.0, "review"), ("payment", 2, 0.1, "watch"), ("synchrony", 12, 8.0, "watch"),
    ):  # fmt: skip
        tied = replace(alone, cluster=replace(alone.cluster, ties=(("template", 4, 30, None), (name, 3, joined, expected))))
        found = judge(tied, DEALT, grading, speaking)
        assert found.verdict == verdict and any("grade" in reason or "grading" in reason for reason in found.reasons), name
    for name, verdict in (("dealt job", "review"), ("load balance", "review"), ("no telemetry", "watch"), ("coverage sweep", "watch")):
        besides = replace(PURPOSE[0], name=name)
        assert judge(untied(_weighed(strangers=50)), DEALT, [*grading, besides], speaking).verdict == verdict, (
            "judges' work is their own, not given out to them"
        )
        assert judge(alone, DEALT, [*grading, besides], speaking).verdict == "watch", "by the dozen they are one library's users all the same"


def test_many_organisations_on_few_cards_are_at_most_a_review() -> None:
    few, none = _weighed(strangers=6, named=60), _weighed(strangers=6)
    assert few.q > 0.10 and judge(few, DEALT, PURPOSE, SPEAKING).verdict == "review"
    assert judge(none, DEALT, PURPOSE, SPEAKING).verdict == "watch"
    assert few.p_floor > judge(few, DEALT, PURPOSE, SPEAKING).p_floor == pytest.approx(0.4**60, abs=0), "told with the figures that it stands on"
    assert judge(_weighed(strangers=4, named=60), DEALT, PURPOSE, SPEAKING).verdict == "watch"  # too few owners to count at all


def test_wordings_that_could_show_nothing_are_not_tested() -> None:
    hopeless = [cluster(strangers=5, share=0.6, start=100 * i) for i in range(1, 500)]
    (alone,), found = weigh([cluster(strangers=14)], 1.0), weigh([cluster(strangers=14), *hopeless], 1.0)
    assert found[0].q == alone.q and all(each.strangers is None for each in found[1:])


def test_many_tested_clusters_raise_the_bar() -> None:
    (few,), (many,) = weigh([cluster(strangers=9)], 10.0), weigh([cluster(strangers=9)], 1e6)
    assert few.q <= 0.01 < 0.10 < many.q


def test_clusters_of_the_same_accounts_and_verdict_are_one_case() -> None:
    one, two, other = (judge(each, DEALT, PURPOSE, SPEAKING) for each in weigh([cluster(), cluster(), cluster(start=100)], 1000.0))
    made = cases([one, two, other])
    assert sorted(len(case) for case in made) == [1, 2]
    (case,) = cases([one, replace(two, verdict="watch")])
    assert case == [one], "a weaker view of the same accounts adds nothing"
    wider = replace(two, verdict="watch", weighed=replace(two.weighed, cluster=cluster(strangers=60)))
    assert len(cases([one, wider])) == 2, "and a wider weak one never rides on the strong one"


def _cases_slowly(judged: list[Judged]) -> list[list[Judged]]:
    """`cases` as it reads: every cluster beside every case."""
    made: list[tuple[list[Judged], set[int]]] = []
    for each in sorted(judged, key=lambda one: (LADDER.index(one.verdict), one.q, -one.log10_e, one.weighed.cluster.name)):
        mine = set(each.weighed.cluster.accounts.tolist())
        for case, theirs in made:
            common = len(mine & theirs)
            if case[0].verdict == each.verdict and common >= SAME_CASE * min(len(mine), len(theirs)):
                case.append(each)
                theirs |= mine
                break
            if case[0].verdict != each.verdict and common >= PART_OF * len(mine):
                break
        else:
            made.append(([each], mine))
    return [case for case, _ in made]


def test_cases_are_those_that_comparing_everybody_makes() -> None:
    rng = np.random.default_rng(4)
    found = weigh([replace(cluster(start=at), accounts=np.unique(rng.integers(0, 150, rng.integers(3, 40)))) for at in range(120)], 1000.0)
    judged = [replace(judge(each, DEALT, PURPOSE, SPEAKING), verdict=str(rng.choice(LADDER))) for each in found]
    made = cases(judged)
    assert [[id(one) for one in case] for case in made] == [[id(one) for one in case] for case in _cases_slowly(judged)]
    assert len(made) < 120 and any(len(case) > 1 for case in made)


def test_p_floor_is_the_least_p_that_its_carriers_could_show() -> None:
    assert math.isclose(_weighed(strangers=10, share=0.5).p_floor, 0.5**10)


def test_volume_buckets_hold_every_call_and_are_few() -> None:
    rng = np.random.default_rng(1)
    for span in (1, 10**6, 10**11, 10**13, 10**14):
        ts = np.sort(rng.integers(0, span, 500)) + 1_700_000_000_000_000
        told = volume(ts)
        assert sum(told["calls"]) == 500 and len(told["calls"]) <= 97 and told["start_ts"] <= ts[0]
