"""Accounts to clusters, on small traffic with known structure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stillwatch.facts import every_fact
from stillwatch.linking.carriers import reused
from stillwatch.linking.clusters import Placed, communities, link, suspects
from stillwatch.linking.declare import every_tie
from stillwatch.linking.history import NOTHING, History, exposure_table, merge, share_now
from stillwatch.linking.ties import replay
from stillwatch.linking.used import used
from stillwatch.parts import One, with_facts
from stillwatch.records import NO_CONTEXT
from stillwatch.traffic import Traffic, from_rows, strangers

TEMPLATE = [8 * i for i in range(1, 9)]
"Wordings of a template (lowest three bits: alphabet 0)."


def _calls(account: int, count: int = 4, wordings: list[int] | None = None, **rest: Any) -> list[dict[str, Any]]:
    """Calls of one account, each with the wordings and a slot of its own."""
    words = TEMPLATE if wordings is None else wordings
    return [
        {
            "call": account * 1000 + i, "account": account, "org": account, "ts": account * 7919 + i * 10**9, "prompt": account * 1000 + i,
            "wordings": [*words, 8 * (10**6 + account * 1000 + i)], **rest,
        }
        for i in range(count)
    ]  # fmt: skip


def _bystanders(start: int, count: int) -> list[dict[str, Any]]:
    return [row for account in range(start, start + count) for row in _calls(account, 3, [8 * (5000 + account)])]


def _history(rows: list[dict[str, Any]]) -> History:
    traffic = from_rows(rows)
    return merge([exposure_table(traffic)], [reused(traffic)])


def _linked(rows: list[dict[str, Any]], history: History | None = None) -> tuple[Traffic, list[Any], float]:
    history = _history(_bystanders(600, 60)) if history is None else history
    log = with_facts(One(from_rows(rows)), every_fact("stillwatch.linking.ties"), NO_CONTEXT)
    edges = {name: tie.edges(log.among(np.arange(len(log.owners.accounts)))) for name, tie in every_tie().items()}
    exposed = exposure_table(from_rows(rows)).drop_columns("unit")
    now = share_now(np.stack([column.to_numpy() for column in exposed.columns], axis=1), history)
    pairs = log.each(lambda part: {"pairs": reused(part)}, ())["pairs"]
    found = link(log, used(pairs, history), replay.links(log.among(np.zeros(0, np.int64))), history, (now, now))
    traffic = suspects(log, found, found.clusters)
    placed = Placed(found, traffic, edges, found.clusters)
    return traffic, [placed(cluster) for cluster in found.clusters], found.pooled


CAMPAIGN = [row for account in range(20) for row in _calls(account)]


def test_accounts_that_use_one_template_again_are_one_cluster() -> None:
    traffic, (cluster,), _ = _linked(CAMPAIGN + _bystanders(100, 40))
    assert traffic.accounts[cluster.accounts].tolist() == list(range(20))
    assert len(cluster.calls) == 80 and cluster.strangers == 20
    assert set(cluster.now.tolist()) == {20} and set(cluster.before.tolist()) == {0}


def test_the_same_prompt_again_is_not_reuse() -> None:
    rows = [{**row, "prompt": row["account"]} for row in CAMPAIGN]
    assert _linked(rows + _bystanders(100, 40))[1] == []


def test_history_counts_earlier_organisations_that_used_the_wording_again() -> None:
    earlier = [row for account in range(500, 506) for row in _calls(account)] + _bystanders(600, 60)
    _, (cluster,), tested = _linked(CAMPAIGN + _bystanders(100, 40), _history(earlier))
    assert set(cluster.before.tolist()) == {6}
    assert 0 < cluster.share.max() < 1 and tested >= 1


def test_history_is_the_union_of_scans_in_any_order() -> None:
    one, two = from_rows(_bystanders(0, 30) + CAMPAIGN), from_rows(_bystanders(10, 40))
    exposures = [exposure_table(one), exposure_table(two)]
    pairs = [reused(one), reused(two)]
    there, back = merge(exposures, pairs), merge(exposures[::-1], pairs[::-1])
    assert there.units.tolist() == back.units.tolist() and there.calls.tolist() == back.calls.tolist()
    assert there.wording.tolist() == back.wording.tolist() and there.pair_unit.tolist() == back.pair_unit.tolist()
    once, twice = merge(exposures[:1], pairs[:1]), merge(exposures[:1] * 2, pairs[:1] * 2)
    assert once.calls.tolist() == twice.calls.tolist() and once.wording.tolist() == twice.wording.tolist(), "one log given twice is one log"


def test_an_alphabet_that_the_history_never_saw_gives_no_evidence() -> None:
    rows = [{**row, "wordings": [w | 1 for w in row["wordings"]]} for row in CAMPAIGN]
    shares = share_now(np.array([[0, 80, 0]]), _history(_bystanders(600, 60)))
    assert shares[1] == 1.0
    assert _linked(rows + _bystanders(100, 40), _history(_bystanders(600, 60)))[1] == [], "nothing that could be tested"
    assert len(_linked(CAMPAIGN + _bystanders(100, 40), _history(_bystanders(600, 60)))[1]) == 1


def test_without_history_wordings_are_no_hypothesis() -> None:
    assert _linked(CAMPAIGN + _bystanders(100, 40), NOTHING)[1] == []


@pytest.mark.parametrize(("column", "value"), [("org", 77), ("payment", 5)])
def test_one_firm_or_one_payer_is_one_stranger(column: str, value: int) -> None:
    rows = [{**row, column: value} for row in CAMPAIGN] + _bystanders(100, 40)
    traffic = from_rows(rows)
    assert strangers(traffic.owners, np.arange(20)) == 1


def test_accounts_behind_one_address_count_once() -> None:
    traffic = from_rows([{**row, "ip": row["account"] // 5} for row in CAMPAIGN])
    assert strangers(traffic.owners, np.arange(20)) == 4


def test_replays_between_strangers_make_a_cluster_without_any_wording() -> None:
    rows = [
        {"call": account * 10 + k, "account": account, "org": account, "ts": k, "reasoning_out": account if k == 0 else None, "reasoning_in": [(account + 1) % 6] if k else None}
        for account in range(6)
        for k in range(2)
    ]  # fmt: skip
    _, (cluster,), _ = _linked(rows)
    assert cluster.replaying == 6 and len(cluster.accounts) == 6


def test_replays_between_pairs_are_one_cluster_together() -> None:
    rows = [
        {"call": account * 10, "account": account, "org": account, "ts": account, "reasoning_out": account if account % 2 else None, "reasoning_in": None if account % 2 else [account + 1]}
        for account in range(12)
    ]  # fmt: skip
    _, (cluster,), _ = _linked(rows)
    assert cluster.replaying == 12


def test_order_of_the_log_changes_nothing() -> None:
    rows = CAMPAIGN + _bystanders(100, 40)
    (one,), (two,) = _linked(rows)[1], _linked(rows[::-1])[1]
    for name in ("name", "strangers", "replaying", "ties"):
        assert getattr(one, name) == getattr(two, name)
    for name in ("accounts", "calls", "family", "now", "before", "share", "carried"):
        assert getattr(one, name).tolist() == getattr(two, name).tolist()


def test_communities_join_keys_with_common_accounts_and_no_others() -> None:
    keys = [np.arange(0, 50), np.arange(5, 55), np.arange(40, 400), np.arange(390, 800)]
    assert communities(keys, 1000) == [[0, 1], [2], [3]]


def test_calls_that_do_not_tell_the_organisation_say_nothing_against_those_that_do() -> None:
    """Of a folder of several systems' logs some carry the organisation and others do not; then an account stands for itself in most of its calls."""
    rows = [{"account": 1, "org": 1}, {"account": 1, "org": 1}, {"account": 1, "org": 9, "org_known": True}, {"account": 2, "org": 9, "org_known": True}]
    traffic = from_rows([*rows, {"account": 3, "org": 3}])
    assert traffic.unit[0] == traffic.unit[1] != traffic.unit[2]
