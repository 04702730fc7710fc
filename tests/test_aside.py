"""Who is left out of a case of several clusters, against the rule by hand and against what explains it from the kept tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stillwatch.campaigns.aside import shares, without_those_beside
from stillwatch.campaigns.judge import Judged, cases
from stillwatch.campaigns.membership import NO_REPLAYS, tables
from stillwatch.campaigns.rule import of_clusters, standing
from stillwatch.campaigns.weigh import weigh
from stillwatch.facts import ACCOUNTS as ACCOUNTS_FACT
from stillwatch.records import Cluster
from stillwatch.traffic import Ints, Traffic, from_rows

ACCOUNTS, FAMILIES = 30, 9


class Pieces:
    """Families that stand in the calls drawn for them."""

    def __init__(self, traffic: Traffic, of: list[list[int]]) -> None:
        self._traffic, self._calls = traffic, [np.array(sorted(each), np.int64) for each in of]

    def calls(self, family: int) -> Ints:
        return self._calls[family]

    def users(self, family: int) -> Ints:
        prompts: dict[int, set[int]] = {}
        for call in self._calls[family].tolist():
            prompts.setdefault(int(self._traffic.account[call]), set()).add(int(self._traffic.prompt[call]))
        return np.array(sorted(account for account, several in prompts.items() if len(several) >= 2), np.int64)


def _drawn(seed: int, clusters: int, ends: bool) -> tuple[Traffic, Pieces, list[Judged]]:
    """Clusters of three families each; some accounts stand in several, some say much else, some calls keep no content and some stand twice."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    said: list[list[int]] = [[] for _ in range(FAMILIES)]
    for account in range(ACCOUNTS):
        likes = rng.permutation(FAMILIES)[: int(rng.integers(1, 5))]
        for _ in range(int(rng.integers(4, 24))):
            kept = bool(rng.random() < 0.9)
            row = {"account": account, "ts": int(rng.integers(60)), "prompt": int(rng.integers(2000)) if kept else None}
            rows += [row] * (1 + (rng.random() < 0.05))
            if kept and rng.random() < 0.5:
                said[int(rng.choice(likes))].append(len(rows) - 1)
    order = sorted(range(len(rows)), key=lambda at: (rows[at]["account"], rows[at]["ts"], at))
    place = {was: now for now, was in enumerate(order)}
    traffic = from_rows([{**rows[at], "call": at} for at in order])
    pieces = Pieces(traffic, [[place[at] for at in each] for each in said])
    made = []
    for number in range(clusters):
        own = np.arange(3 * number, 3 * number + 3)
        at_end = rng.permutation(ACCOUNTS)[:2] if ends and number == 0 else np.zeros(0, np.int64)
        accounts = np.unique(np.concatenate([at_end, *(pieces.users(int(family)) for family in own)]))
        made.append(_cluster(number, accounts, own, np.sort(at_end), np.array([np.isin(accounts, pieces.users(int(each))) for each in own]).T))
    weighed = weigh(made, 100.0)
    return traffic, pieces, [Judged(each, "alert", [], [], "open", {}, []) for each in weighed]


def _cluster(number: int, accounts: Ints, own: Ints, ends: Ints, carried: Any) -> Cluster:
    count = len(accounts)
    return Cluster(
        name=number, accounts=accounts, calls=np.zeros(0, np.int64), strangers=count, family=np.arange(3), now=np.full(3, count), before=np.zeros(3, np.int64),
        carriers=np.full(3, count), share=np.full(3, 0.5), named=np.full(3, count), share_named=np.full(3, 0.5), replaying=0, carried=carried, ties=(),
        own=own, kin=own, ends=ends, wordings=np.arange(3) + 3 * number,
    )  # fmt: skip


def _placed(cluster: Cluster) -> Cluster:
    return replace(cluster, calls=np.arange(1))


def _named(case: list[Judged]) -> list[set[int]]:
    return [set(one.weighed.cluster.accounts.tolist()) for one in case]


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_whoever_stands_in_one_cluster_with_the_smaller_part_is_left_out(seed: int, ends: bool) -> None:
    traffic, pieces, case = _drawn(seed, 3, ends)
    before, after = _named(case), _named(without_those_beside(case, traffic, pieces, _placed))
    asks: dict[int, set[tuple[int, int]]] = {}
    for account, ts, prompt in zip(traffic.account.tolist(), traffic.ts.tolist(), traffic.column("prompt").to_pylist(), strict=True):
        if prompt is not None:
            asks.setdefault(account, set()).add((ts, prompt))
    for one, was, left in zip(case, before, after, strict=True):
        worded: dict[int, set[tuple[int, int]]] = {}
        for family in one.weighed.cluster.own.tolist():
            for call in pieces.calls(family).tolist():
                worded.setdefault(int(traffic.account[call]), set()).add((int(traffic.ts[call]), int(traffic.prompt[call])))
        assert left == {
            account for account in was
            if sum(account in each for each in before) > 1 or account in one.weighed.cluster.ends or len(worded[account]) >= 0.5 * len(asks[account])
        }  # fmt: skip
    assert any(was != left for was, left in zip(before, after, strict=True)), "somebody was left out"


@pytest.mark.parametrize("clusters", [1, 2])
def test_of_a_case_of_one_or_two_clusters_nobody_is_left_out(clusters: int) -> None:
    traffic, pieces, case = _drawn(1, clusters, False)
    assert without_those_beside(case, traffic, pieces, _placed) == case


def test_who_stays_keeps_its_place_and_its_calls() -> None:
    traffic, pieces, case = _drawn(2, 3, True)
    for one, narrowed in zip(case, without_those_beside(case, traffic, pieces, _placed), strict=True):
        cluster, now = one.weighed.cluster, narrowed.weighed.cluster
        assert now.carried.tolist() == cluster.carried[np.isin(cluster.accounts, now.accounts)].tolist()
        assert len(now.calls) == (now.accounts.tolist() != cluster.accounts.tolist()), "calls and ties are found again where somebody went"
        assert narrowed.verdict == one.verdict and narrowed.weighed.log10_e == one.weighed.log10_e


@pytest.mark.parametrize("clusters", [2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_explains_exactly_who_is_named(seed: int, clusters: int) -> None:
    traffic, pieces, case = _drawn(seed, clusters, True)
    named = _named(without_those_beside(case, traffic, pieces, _placed))
    (end,) = (one.weighed.cluster.ends for one in case[:1])
    replayed = (end[:1], np.array([5]), end[1:], np.array([9]))
    narrowed = [one.weighed.cluster for one in without_those_beside(case, traffic, pieces, _placed)]
    held = tables(traffic, [("c", "alert", narrowed)], {}, replayed if len(end) else NO_REPLAYS, frozenset(), pieces)
    kept = {name: table.to_pylist() for name, table in held.items()}
    for code, row in enumerate(kept["accounts"]):
        mine = {name: [each for each in kept[name] if each["account"] == row["account"]] for name in ("touches", "ends")}
        touches: dict[int, list[Any]] = {}
        for each in of_clusters(mine["touches"], kept["kin"], kept["clusters"]):
            touches.setdefault(each["cluster"], []).append(each)
        told = standing(kept["clusters"], touches, {each["cluster"] for each in mine["ends"]}, row["asks"])
        assert told == [number for number, accounts in enumerate(named) if code in accounts]


def test_calls_whose_content_is_not_kept_do_not_count() -> None:
    rows = [{"call": at, "account": 1, "ts": at, "prompt": at if at < 4 else None} for at in range(40)]
    traffic = from_rows(rows)
    cluster = _cluster(0, np.array([0]), np.array([0]), np.zeros(0, np.int64), np.ones((1, 3), bool))
    assert shares(traffic, Pieces(traffic, [[0, 1, 2]]), cluster, np.array([0])).tolist() == [0.75]
    assert shares(traffic, Pieces(traffic, [[0, 20, 30]]), cluster, np.array([0])).tolist() == [0.25], (
        "a wording of a call without its prompt is none of what is asked"
    )


def test_the_same_prompt_at_the_same_time_counts_once() -> None:
    traffic = from_rows([{"call": at, "account": 1, "ts": at // 3, "prompt": at // 3} for at in range(30)] + [{"call": 40, "account": 2, "ts": 5, "prompt": 5}])
    cluster = _cluster(0, np.array([0]), np.array([0]), np.zeros(0, np.int64), np.ones((1, 3), bool))
    assert shares(traffic, Pieces(traffic, [list(range(30))]), cluster, np.array([0])).tolist() == [1.0]
    facts = traffic.whole(ACCOUNTS_FACT)
    assert facts["asks"].tolist() == [10, 1] and facts["apart"].tolist() == [False, True]


def test_whoever_a_case_leaves_out_does_not_hide_a_weaker_one() -> None:
    alert, review = (
        Judged(each, verdict, [], [], "open", {}, [])
        for each, verdict in zip(
            weigh([_cluster(number, np.arange(20), np.arange(3), np.zeros(0, np.int64), np.ones((20, 3), bool)) for number in range(2)], 100.0),
            ("alert", "review"),
            strict=True,
        )
    )
    assert cases([alert, review]) == [[alert]]
    asked: list[list[Judged]] = []

    def named(case: list[Judged]) -> Ints:
        asked.append(case)
        return np.arange(2)

    assert cases([review, alert], named) == [[alert], [review]] == asked
