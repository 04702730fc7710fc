"""Who is in a campaign, who is left out of it and what would turn the answer, on touches made by hand: exact by the rule, with nothing superfluous where that is promised."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.campaigns.change import fewer, more
from stillwatch.campaigns.explain import explain, tied, weight
from stillwatch.campaigns.membership import steady
from stillwatch.campaigns.rule import carries, is_member
from stillwatch.records import Cluster

ACCOUNT = {"account": 1, "calls": 9, "asks": 9, "apart": True, "first_ts": 1, "last_ts": 9}


def cluster(number: int, campaign: str = "c", **told: Any) -> dict[str, Any]:
    usual = {
        "verdict": "alert", "families": 2, "needed": 1.0, "needed_kin": 1.0, "least_share": 0.0, "members": 10, "ends": 0, "ends_outside": 0, "outside_all": 90, "stands": True, "replay_ts": None,
    }  # fmt: skip
    return {"cluster": number, "case": campaign, "campaign": campaign, **usual, **told}


def rows(*touches: tuple[int, int, int, int]) -> list[dict[str, Any]]:
    """(cluster, family, time, prompt) of each touch."""
    return [{"account": 1, "cluster": c, "family": f, "ts": ts, "prompt": p} for c, f, ts, p in touches]


def without(touches: list[dict[str, Any]], times: list[int]) -> list[dict[str, Any]]:
    return [row for row in touches if row["ts"] not in times]


def test_in_needs_a_family_in_two_prompts() -> None:
    twice, same = rows((0, 0, 1, 11), (0, 0, 2, 12)), rows((0, 0, 1, 11), (0, 0, 2, 11))
    told = explain(ACCOUNT, [cluster(0)], twice, [], [])
    assert told["answer"] == "in" and told["campaigns"] == ["c"] and told["clusters"][0]["carries"] == 1
    assert told["change"]["calls"] == 1 and told["change"]["by"] == ["wording"]
    assert explain(ACCOUNT, [cluster(0)], same, [], [])["answer"] == "nearly"
    assert explain(ACCOUNT, [cluster(0)], [], [], [])["answer"] == "not in"
    assert explain(ACCOUNT, [cluster(0, needed=1.2)], twice, [], [])["answer"] == "nearly"


def test_who_says_nothing_else_that_members_say_was_swept_in() -> None:
    twice = rows((0, 0, 1, 11), (0, 0, 2, 12))
    told = explain(ACCOUNT, [cluster(0, families=1, needed_kin=2.0)], twice, [], [])
    assert told["answer"] == "nearly" and (told["clusters"][0]["carries"], told["clusters"][0]["carries_kin"]) == (1, 1)
    both = rows((0, 0, 1, 11), (0, 0, 2, 12), (0, 1, 1, 11), (0, 1, 2, 12))
    assert explain(ACCOUNT, [cluster(0, families=1, needed_kin=2.0)], both, [], [])["answer"] == "in"
    model = [{"cluster": 0, "family": f, "ts": ts, "prompt": p} for ts, p in ((20, 21), (30, 31)) for f in (0, 1)]
    assert explain(ACCOUNT, [cluster(0, families=1, needed_kin=2.0)], twice, [], model)["change"]["times"] == [20, 30]


def test_an_end_of_a_replay_is_in_until_its_calls_are_gone() -> None:
    ends = [{"account": 1, "cluster": 0, "ts": ts, "replays": True} for ts in (3, 5)]
    touches = rows((1, 0, 3, 11), (1, 0, 7, 12))
    told = explain(ACCOUNT, [cluster(0, families=0), cluster(1)], touches, ends, [])
    assert told["answer"] == "in" and told["change"]["times"] == [3, 5], "the wording of call 3 goes with it"
    assert told["cases"] == [{
        "campaign": "c", "verdict": "alert", "in": True, "left_out": False, "clusters": 2, "clusters_in": 2, "carries": 1, "needed": 1.0, "carries_kin": 1,
        "needed_kin": 1.0, "calls": 3, "replays": 2,
    }]  # fmt: skip


def test_several_campaigns_are_told_apart_and_left_together() -> None:
    touches = rows((0, 0, 1, 11), (0, 0, 2, 12), (1, 0, 1, 11), (1, 0, 2, 12), (2, 0, 2, 12))
    told = explain(ACCOUNT, [cluster(0, "a"), cluster(1, "b"), cluster(2, "d")], touches, [], [])
    assert told["campaigns"] == ["a", "b"] and [each["in"] for each in told["cases"]] == [True, True, False]
    assert told["change"]["calls"] == 1, "one prompt stands in both"


def test_the_cheapest_way_in_is_told_first() -> None:
    model = [{"cluster": 0, "family": 0, "ts": ts, "prompt": p} for ts, p in ((20, 21), (30, 31))]
    told = explain(ACCOUNT, [cluster(0), cluster(1, "r", families=0, replay_ts=77)], [], [], model)
    assert told["change"]["by"] == ["replay"] and told["change"]["times"] == [77] and told["other_changes"][0]["times"] == [20, 30]
    told = explain(ACCOUNT, [cluster(0)], rows((0, 0, 1, 21)), [], model)
    assert told["answer"] == "nearly" and told["change"]["times"] == [30], "its own prompt again would not be another one"
    assert explain(ACCOUNT, [cluster(0)], [], [], [])["change"] is None


SEVERAL = [cluster(number, least_share=0.5) for number in range(3)]
"A case of three clusters."


def test_a_case_of_several_clusters_is_without_who_stands_in_one_with_little() -> None:
    twice = rows((0, 0, 1, 11), (0, 0, 2, 12))
    told = explain({**ACCOUNT, "asks": 5}, SEVERAL, twice, [], [])
    assert told["answer"] == "nearly" and told["campaigns"] == [] and [told["cases"][0][name] for name in ("in", "left_out", "clusters_in")] == [False, True, 0]
    assert explain({**ACCOUNT, "asks": 4}, SEVERAL, twice, [], [])["answer"] == "in", "half is the larger part"
    assert explain({**ACCOUNT, "asks": 5}, SEVERAL, [*twice, *rows((1, 0, 3, 13), (1, 0, 4, 14))], [], [])["answer"] == "in", "two clusters"
    ends = [{"account": 1, "cluster": 0, "ts": 8, "replays": True}]
    assert explain({**ACCOUNT, "asks": 90}, SEVERAL, twice, ends, [])["answer"] == "in", "an end of a replay"
    assert explain({**ACCOUNT, "asks": 5}, [cluster(0)], twice, [], [])["answer"] == "in", "a case of one cluster"


def test_who_is_left_out_comes_in_by_more_of_it_or_by_another_cluster() -> None:
    twice = rows((0, 0, 1, 11), (0, 0, 2, 12))
    more_of_it = [{"cluster": 0, "family": 0, "ts": ts, "prompt": ts} for ts in range(20, 26)]
    another = [{"cluster": 1, "family": 0, "ts": ts, "prompt": ts} for ts in (30, 31)]
    told = explain({**ACCOUNT, "asks": 6}, SEVERAL, twice, [], [*more_of_it, *another])
    assert (
        told["change"]["times"] == [20, 21]
        and told["change"]["text"] == "With 2 more calls of different prompts in the wording of campaign c it would be in it."
    )
    assert explain({**ACCOUNT, "asks": 9}, SEVERAL, twice, [], [*more_of_it, *another])["change"]["times"] == [30, 31]
    assert explain({**ACCOUNT, "asks": 90}, SEVERAL, twice, [], more_of_it)["change"] is None


def test_who_stands_in_one_of_several_leaves_by_less_of_it() -> None:
    touches = rows(*((0, 0, ts, ts) for ts in range(10)))
    told = explain({**ACCOUNT, "asks": 17}, SEVERAL, touches, [], [])
    assert told["answer"] == "in" and told["change"]["calls"] == 4 and told["change"]["prompts"] == 4
    left = without(touches, told["change"]["times"])
    assert explain({**ACCOUNT, "asks": 13}, SEVERAL, left, [], [])["answer"] == "nearly", "6 of 13"
    assert explain({**ACCOUNT, "asks": 14}, SEVERAL, touches[:7], [], [])["answer"] == "in", "7 of 14"
    assert explain({**ACCOUNT, "asks": 10}, [cluster(0)], touches, [], [])["change"]["calls"] == 9


def test_less_of_one_campaign_may_make_another_the_larger_part() -> None:
    touches = [*rows((0, 0, 1, 11), (0, 0, 2, 12)), *rows(*((3, 0, ts, ts) for ts in range(20, 25)))]
    told = explain({**ACCOUNT, "asks": 7}, [*SEVERAL, cluster(3, "d")], touches, [], [])
    assert told["campaigns"] == ["d"] and told["change"]["calls"] == 5, "four calls of d, and one of c, of which the rest would be two of three"


def test_a_campaign_hinges_on_who_is_in_all_of_its_weak_clusters() -> None:
    touches = rows((0, 0, 1, 11), (0, 0, 2, 12))
    weak = cluster(0, stands=False)
    assert explain(ACCOUNT, [weak], touches, [], [])["hinges"] == ["c"]
    assert explain(ACCOUNT, [cluster(0)], touches, [], [])["hinges"] == []
    assert explain(ACCOUNT, [weak, cluster(1)], touches, [], [])["hinges"] == []


touched = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 40)), max_size=60).map(
    lambda several: rows(*{(c, f, ts, ts % 13) for c, f, ts in several})
)


@settings(deadline=None)
@given(touched, st.lists(st.sampled_from([1.0, 1.2, 2.0, 2.5, 4.0]), min_size=3, max_size=3))
def test_what_is_taken_out_turns_the_answer_and_nothing_of_it_can_stay(touches: list[dict[str, Any]], needed: list[float]) -> None:
    def member(gone: set[int]) -> bool:
        left = [[r for r in touches if r["cluster"] == c and r["prompt"] not in gone] for c in range(len(needed))]
        return any(carries(mine, cluster(0, families=5))[0] >= least for mine, least in zip(left, needed, strict=True))

    gone = fewer(touches, dict(enumerate(needed)))
    assert not member(gone) and all(member(gone - {prompt}) for prompt in gone)
    assert bool(gone) == member(set())


@settings(deadline=None)
@given(touched, touched, st.sampled_from([1.0, 1.2, 2.0, 2.5]), st.sampled_from([1.0, 1.2, 2.0, 3.6]), st.integers(1, 5))
def test_what_is_added_turns_the_answer_and_nothing_of_it_is_superfluous(
    touches: list[dict[str, Any]], model: list[dict[str, Any]], needed: float, needed_kin: float, families: int
) -> None:
    mine, theirs = ([row for row in several if row["cluster"] == 0] for several in (touches, model))
    asked = cluster(0, needed=needed, needed_kin=needed_kin, families=families)
    added = more(mine, theirs, asked)

    def member(times: list[int]) -> bool:
        return is_member([*mine, *(row for row in theirs if row["ts"] in times)], asked)

    if added:
        assert member(added) and not any(member([ts for ts in added if ts != one]) for one in added)
    else:
        assert member([]) or not member([row["ts"] for row in theirs])


@settings(deadline=None)
@given(touched, touched, st.integers(1, 60))
def test_what_joins_a_case_of_several_turns_the_answer_and_nothing_of_it_is_superfluous(
    touches: list[dict[str, Any]], model: list[dict[str, Any]], asks: int
) -> None:
    asks = max(asks, len({(row["ts"], row["prompt"]) for row in touches}))
    told = explain({**ACCOUNT, "asks": asks}, SEVERAL, touches, [], model)
    if told["answer"] == "in" or told["change"] is None:
        return

    def stands(times: list[int]) -> bool:
        added = [row for row in model if row["ts"] in times]
        return explain({**ACCOUNT, "asks": asks + len(times)}, SEVERAL, [*touches, *added], [], [])["answer"] == "in"

    times = told["change"]["times"]
    assert stands(times) and not any(stands([ts for ts in times if ts != one]) for one in times)


@settings(deadline=None)
@given(touched, touched, st.integers(1, 60), st.booleans())
def test_what_leaves_several_cases_turns_the_answer(touches: list[dict[str, Any]], other: list[dict[str, Any]], asks: int, apart: bool) -> None:
    """Two cases of three clusters, some left out of one of them; calls at one time carry wording of both."""
    both = [*touches, *({**row, "cluster": row["cluster"] + 3} for row in other)]
    asks = max(asks, len({(row["ts"], row["prompt"]) for row in both}))
    clusters = [*SEVERAL, *(cluster(number, "d", least_share=0.5) for number in range(3, 6))]
    told = explain({**ACCOUNT, "asks": asks, "apart": apart}, clusters, both, [], [])
    if told["answer"] == "in":
        change = told["change"]
        assert change["calls"] == len(change["times"]) > 0, "here each time has one prompt"
        assert explain({**ACCOUNT, "asks": asks - change["calls"]}, clusters, without(both, change["times"]), [], [])["answer"] != "in"


def test_who_stands_in_two_of_several_leaves_one_of_them() -> None:
    touches = [*rows(*((0, 0, ts, ts) for ts in range(9))), *rows(*((1, 0, ts, ts) for ts in range(20, 24)))]
    assert explain({**ACCOUNT, "asks": 90}, SEVERAL, touches, [], [])["change"]["times"] == [21, 22, 23], "nine of what is left are a tenth"
    assert explain({**ACCOUNT, "asks": 14}, SEVERAL, touches, [], [])["change"]["calls"] > 3, "of which nine would be most"


def test_an_account_of_ten_thousand_prompts_is_answered_at_once() -> None:
    touches = rows(*((c, f, ts, ts) for ts in range(10_000) for c in range(2) for f in range(3)))
    assert len(fewer(touches, {0: 1.0, 1: 1.0})) == 9_999


def test_weight_has_both_signs_and_bounds() -> None:
    assert weight(50, 50, 0, 4000) > 3.5 and weight(0, 50, 2000, 4000) < -1 and abs(weight(25, 50, 2000, 4000)) < 0.01
    assert weight(1, 10**6, 0, 10) > -5


def test_ties_tell_how_common_a_key_is_among_innocents_and_leave_the_account_out() -> None:
    one = {**cluster(0), "replays": 2, "ends": 9, "in": True}
    families = [{"cluster": 0, "family": 0, "accounts": 11, "members": 9, "outside": 2, "calls": 40}]
    held = {"tie": "payment", "key": 5, "campaign": "c", "members": 4, "members_all": 10}
    keys = [{"tie": "payment", "key": 5, "accounts": 5, "outside": 1}, {"tie": "payment", "key": 6, "accounts": 80, "outside": 80}]
    alone = {**held, "key": 6, "members": 1}
    told = tied([one], rows((0, 0, 1, 11)), families, keys, [held, {**held, "campaign": "other", "members": 10}, alone], 90)
    assert [each["tie"] for each in told] == ["replay", "wording", "payment", "payment"]
    assert [told[1][name] for name in ("members", "members_all", "innocents", "innocents_all", "prompts")] == [8, 9, 2, 90, 1]
    assert told[2]["campaign"] == "c" and told[2]["members"] == 3, "only campaigns that it touches are compared"
    assert told[3]["weight"] is None and told[3]["innocents"] == 80, "no other member has that key"
    told = tied([{**one, "in": False, "replays": 0}], rows((0, 0, 1, 11)), families, keys, [held, alone], 90)
    told = [each for each in told if each["tie"] == "wording"]
    assert [told[0][name] for name in ("members", "members_all", "innocents", "innocents_all")] == [9, 10, 1, 89], "an innocent is not its own company"


def _cluster(name: int, strangers: int) -> Cluster:
    wordings = 8
    return Cluster(
        name=name, accounts=np.arange(strangers), calls=np.arange(1), strangers=strangers, family=np.zeros(wordings, np.int64),
        now=np.full(wordings, strangers), before=np.zeros(wordings, np.int64), share=np.full(wordings, 0.5), carriers=np.full(wordings, strangers),
        named=np.full(wordings, strangers), share_named=np.full(wordings, 0.5), replaying=0, carried=np.ones((strangers, 1), bool), ties=(),
    )  # fmt: skip


def test_a_cluster_stands_when_one_organisation_fewer_would_do() -> None:
    clusters = [_cluster(1, 40), _cluster(2, 8)]
    assert steady(clusters, [("a", "alert", clusters[:1]), ("b", "watch", clusters[1:])], 200.0) == {1}
