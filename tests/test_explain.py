"""Why an account is in, nearly in or not in a campaign: exact by the rule, true when the change is made, and silent about everybody else."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Logs
from stillwatch import flow
from stillwatch.account import SHARES, redacted, story
from stillwatch.campaigns.change import fewer, more
from stillwatch.campaigns.explain import explain, tied, weight
from stillwatch.campaigns.membership import steady
from stillwatch.campaigns.rule import carries, is_member, of_clusters
from stillwatch.doors import explained
from stillwatch.errors import UserError
from stillwatch.records import Cluster
from stillwatch.store.memberships import Memberships

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


# From here on with a scan of a small log.


@pytest.fixture(scope="module")
def folder(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of the small log, and of it under keyed hashes."""
    out = tmp_path_factory.mktemp("explain")
    flow.watch([str(logs.history)], out / "history", key=logs.key)
    for name, hidden in (("scan", False), ("pseudonymous", True)):
        flow.watch([str(logs.log)], out / name, history=[str(out / "history")], key=logs.key, pseudonymous=hidden)
    return out


@pytest.fixture(scope="module")
def stories(logs: Logs, folder: Path) -> dict[str, dict[str, Any]]:
    names = sorted(set(pq.read_table(logs.log, columns=["account"])["account"].to_pylist()))
    return {name: story(folder / "scan", name, logs.key) for name in names}


def _named(folder: Path) -> dict[str, set[str]]:
    named: dict[str, set[str]] = {}
    for line in (folder / "campaigns.jsonl").read_text().splitlines():
        for name in json.loads(line)["accounts"]:
            named.setdefault(name, set()).add(json.loads(line)["campaign"])
    return named


def test_every_account_is_told_what_the_scan_says(stories: dict[str, dict[str, Any]], folder: Path) -> None:
    named = _named(folder / "scan")
    assert {name: set(told["campaigns"]) for name, told in stories.items()} == {name: named.get(name, set()) for name in stories}
    assert {told["answer"] for told in stories.values()} == {"in", "nearly", "not in"}
    assert all((told["answer"] == "in") == bool(told["campaigns"]) for told in stories.values())


def test_where_no_campaign_is_listed_all_are_innocents(folder: Path, logs: Logs) -> None:
    names = pq.read_table(logs.history, columns=["account"])["account"].unique().to_pylist()
    told = next(told for name in names if (told := story(folder / "history", name, logs.key))["ties"])
    assert told["answer"] == "not in" and told["change"] is None
    assert all(each["innocents_all"] == len(names) - 1 and each["weight"] is None for each in told["ties"])


def test_signals_carry_what_the_account_itself_has(stories: dict[str, dict[str, Any]]) -> None:
    told = next(told for told in stories.values() if any(each["own"] is not None for each in told["signals"]))
    by_name = {each["name"]: each for each in told["signals"]}
    assert 0 <= by_name["reasoning elicitation"]["own"] <= 1
    assert by_name["dealt job"]["own"] is None, "it compares members"
    assert {each["campaign"] for each in told["signals"]} <= {each["campaign"] for each in told["cases"]}


def test_a_pseudonymous_scan_is_asked_by_either_name(folder: Path, logs: Logs, stories: dict[str, dict[str, Any]]) -> None:
    hidden, open_ = _named(folder / "pseudonymous"), _named(folder / "scan")
    one = next(iter(open_))
    told = story(folder / "pseudonymous", one, logs.key)
    assert set(told["campaigns"]) == open_[one] and {**told, "account": ""} == {**stories[one], "account": ""}
    by_hash = next(name for name, campaigns in hidden.items() if campaigns == open_[one])
    assert story(folder / "pseudonymous", by_hash, logs.key)["campaigns"], "a keyed hash is an account's name as well"
    assert set(story(folder / "scan", by_hash, Path("/nowhere/key"))["campaigns"]) == hidden[by_hash], "and needs no key"


@pytest.mark.parametrize("kind", ["in", "nearly", "not in"])
def test_the_change_turns_the_answer_when_it_is_made(kind: str, stories: dict[str, dict[str, Any]], logs: Logs, folder: Path, tmp_path: Path) -> None:
    # Two accounts of each answer, drawn by a fixed seed; the rate over many is measured in trials/explain.py.
    table = pq.read_table(logs.log)
    names = sorted(name for name, told in stories.items() if told["answer"] == kind and told["change"])
    for name in random.Random(1).sample(names, 2):
        change = stories[name]["change"]
        timed, mine = pc.is_in(table["ts"], pa.array(change["times"], pa.int64())), pc.equal(table["account"], name)
        made = table.filter(pc.invert(pc.and_(timed, mine))) if kind == "in" else _with(table, folder, name, change["times"], change["campaign"])
        flow.watch([made], tmp_path / "again", history=[str(folder / "history")], key=logs.key)
        assert (name in _named(tmp_path / "again")) == (kind != "in"), change["text"]


def test_who_takes_over_one_wording_of_a_campaign_is_left_out_of_it(stories: dict[str, dict[str, Any]], logs: Logs, folder: Path, tmp_path: Path) -> None:
    held, table = Memberships(folder / "scan"), pq.read_table(logs.log)
    clusters = held.all("clusters")
    touches = of_clusters(held.all("touches"), held.all("kin"), clusters)
    campaign, times = next((each["campaign"], added) for each in clusters if each["least_share"] and (added := _alone_in(each, clusters, touches)))
    name = max((each for each, told in stories.items() if told["answer"] == "not in"), key=lambda each: (stories[each]["calls"], each))
    flow.watch([_with(table, folder, name, times, campaign)], tmp_path / "again", history=[str(folder / "history")], key=logs.key)
    told = story(tmp_path / "again", name, logs.key)
    assert name not in _named(tmp_path / "again") and told["answer"] == "nearly" and [each["left_out"] for each in told["cases"]] == [True]
    assert "left out" in explained.explained(told) and redacted(told)["answer"] == "not in"
    lines = [json.loads(line) for line in (tmp_path / "again" / "campaigns.jsonl").read_text().splitlines()]
    (case,) = (line for line in lines if line["campaign"] == told["cases"][0]["campaign"])
    assert any("1 of them stand" in text and text.endswith("the case leaves them out") for text in case["factors"]["coordinated_accounts"]["observed"])


def _alone_in(one: dict[str, Any], clusters: list[dict[str, Any]], touches: list[dict[str, Any]]) -> list[int]:
    """Times of members' calls with which an account is in this cluster and in no other."""
    own = {each["cluster"]: {row["ts"] for row in touches if row["cluster"] == each["cluster"] and row["family"] < each["families"]} for each in clusters}
    mine = own.pop(one["cluster"]).difference(*own.values())
    times = more([], [row for row in touches if row["cluster"] == one["cluster"] and row["ts"] in mine], one)
    held = {each["cluster"]: [row for row in touches if row["cluster"] == each["cluster"] and row["ts"] in times] for each in clusters}
    return times if times and [each["cluster"] for each in clusters if is_member(held[each["cluster"]], each)] == [one["cluster"]] else []


def _with(table: pa.Table, folder: Path, name: str, times: list[int], campaign: str) -> pa.Table:
    """The log with copies of a campaign's calls of some times, under an account's own metadata."""
    own = table.filter(pc.equal(table["account"], name)).to_pylist()[-1]
    kept = ("account", "org", "key", "ip", "asn", "country", "user_agent", "headers", "payment", "email_domain", "signup_ts", "plan")
    members = [other for other, campaigns in _named(folder / "scan").items() if campaign in campaigns]
    copies = table.filter(pc.and_(pc.is_in(table["ts"], pa.array(times, pa.int64())), pc.is_in(table["account"], pa.array(members)))).to_pylist()
    assert len(copies) == len(times)
    copies = [row | {column: own[column] for column in kept} | {"call_id": f"new {i}", "reasoning_out": None} for i, row in enumerate(copies)]
    return pa.concat_tables([table, pa.Table.from_pylist(copies, table.schema)])


def test_the_redacted_view_names_nobody_and_teaches_nothing(stories: dict[str, dict[str, Any]], folder: Path, logs: Logs) -> None:
    campaigns = {campaign for several in _named(folder / "scan").values() for campaign in several}
    seen = set()
    for name, told in stories.items():
        view = redacted(told)
        said = json.dumps(view) + explained.for_account(view)
        others = said.replace(name, "")
        assert not any(other in others for other in stories) and not any(campaign in others for campaign in campaigns)
        assert not re.search(r"(?=[0-9]*[a-f])[0-9a-f]{16}|acct", others)
        assert set(view) == {"account", "answer", "text", "calls", "first_ts", "last_ts", "share_considered", "looked_at", "appeal"}
        assert view["share_considered"] in {None, *(word for _, word in SHARES)}
        seen.add((told["answer"], json.dumps({key: view[key] for key in ("answer", "text", "share_considered", "looked_at", "appeal")})))
    assert {text for answer, text in seen if answer == "nearly"} == {text for answer, text in seen if answer == "not in"}, "nearly is no hint to the holder"
    assert story(folder / "scan", next(iter(stories)), logs.key, for_account=True)["answer"] in ("in", "not in")


def test_an_unknown_account_is_said_and_a_holder_learns_no_other(stories: dict[str, dict[str, Any]], folder: Path, logs: Logs) -> None:
    name = next(name for name, told in stories.items() if told["answer"] == "not in")
    with pytest.raises(UserError, match=f"did you mean {name}"):
        story(folder / "scan", name + "x", logs.key)
    with pytest.raises(UserError) as error:
        story(folder / "scan", name + "x", logs.key, for_account=True)
    assert not any(other in str(error.value).replace(name + "x", "") for other in stories)
    with pytest.raises(UserError, match="no such account: a\\?b") as error:
        story(folder / "scan", "a\nb", logs.key)
    assert "\n" not in str(error.value)


def test_another_key_and_another_folder_are_said(stories: dict[str, dict[str, Any]], folder: Path, logs: Logs, tmp_path: Path) -> None:
    name = next(iter(stories))
    (tmp_path / "key").write_text("22" * 32)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UserError, match="another hashing key"):
        story(folder / "scan", name, tmp_path / "key")
    with pytest.raises(UserError, match="is not here"):
        story(folder / "scan", name, tmp_path / "none")
    assert not (tmp_path / "none").exists(), "asking makes no key"
    with pytest.raises(UserError, match="no folder that a scan wrote"):
        story(tmp_path, name, logs.key)


def test_the_words_are_aligned_and_short(stories: dict[str, dict[str, Any]]) -> None:
    for told in stories.values():
        lines = explained.explained(told).splitlines()
        assert lines[0].startswith(told["account"]) and len(lines) < 50 and max(map(len, lines[1:])) < 160
        assert told["change"] is None or told["change"]["text"] in "\n".join(lines)
        assert all(len(line) <= 100 for line in explained.for_account(redacted(told)).splitlines())
