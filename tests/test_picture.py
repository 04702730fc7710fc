"""A case as pictures: true to the calls, and small whatever the size of the case."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

import large_case
from stillwatch.campaigns import picture
from stillwatch.traffic import Traffic, from_rows

HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def large() -> dict[str, Any]:
    return large_case.line(large_case.campaign())


def _rows(accounts: int, calls: int = 2) -> Traffic:
    return from_rows([{"account": a, "ts": a * HOUR + i * 60_000_000, "model": "m"} for a in range(accounts) for i in range(calls)])


def _keys(*sets: list[int]) -> tuple[Any, Any]:
    """(rows, keys) of keys given as the rows that have them."""
    return np.array([row for rows in sets for row in rows], np.int64), np.array([key for key, rows in enumerate(sets) for _ in rows], np.int64)


def _graph(accounts: int, **keyed: tuple[Any, Any]) -> dict[str, Any]:
    seen = _rows(accounts)
    return picture.graph(seen, np.arange(accounts), np.arange(seen.calls), keyed)


def test_few_accounts_stand_each_for_itself() -> None:
    told = _graph(4, payment=_keys([0, 1, 2], [2, 3]))
    assert told["keys"] == [{"kind": "payment", "keys": 1, "accounts": 3}, {"kind": "payment", "keys": 1, "accounts": 2}]
    assert [group["accounts"] for group in told["groups"]] == [1, 1, 1, 1] and sum(group["calls"] for group in told["groups"]) == 8
    shares = {group["named"][0]: {key for g, key, _ in told["edges"] if g == i} for i, group in enumerate(told["groups"])}
    assert shares == {0: {0}, 1: {0}, 2: {0, 1}, 3: {1}}


def test_accounts_with_the_same_keys_are_one_bubble() -> None:
    told = _graph(100, payment=_keys(list(range(60)), list(range(50, 90))))
    assert [(group["accounts"], group["sets"]) for group in told["groups"]] == [(50, 1), (30, 1), (10, 1), (10, 1)]
    assert sum(accounts for group, key, accounts in told["edges"] if key == 0) == 60


def test_keys_too_small_to_tell_apart_hang_together_or_become_one() -> None:
    # Replays in two chains of two accounts a piece: each chain is a node. Cards of five accounts, none of which shows: one node.
    chains = [[i, i + 1] for i in range(29)] + [[i, i + 1] for i in range(30, 99)]
    told = _graph(100, replay=_keys(*chains))
    assert [(key["keys"], key["accounts"]) for key in told["keys"]] == [(69, 70), (29, 30)]
    told = _graph(1000, payment=_keys(*[list(range(i, i + 5)) for i in range(0, 1000, 5)]))
    assert told["keys"] == [{"kind": "payment", "keys": 200, "accounts": 1000}]


def test_a_raster_row_is_an_account_and_a_column_a_bar() -> None:
    seen = _rows(5, calls=3)
    calls = np.arange(seen.calls)
    over_time = picture.volume(seen.ts)
    told = picture.raster(seen, np.arange(5), calls, over_time)
    assert [row["named"] for row in told["rows"]] == [[0], [1], [2], [3], [4]], "in order of the first call"
    assert np.sum([row["calls"] for row in told["rows"]], axis=0).tolist() == over_time["calls"]


def test_a_model_appears_only_where_others_would_have_asked_it_before() -> None:
    def log(late: int) -> Traffic:
        old = [{"account": a, "ts": t * HOUR, "model": "old"} for a in range(50) for t in range(0, 100, 10)]
        return from_rows(old + [{"account": a, "ts": (60 + a % 30) * HOUR, "model": "new"} for a in range(late)])

    assert picture.appearances(log(30)) == {"new": 60 * HOUR}
    assert picture.appearances(log(3)) == {}, "a rarely used name is not a release"


def test_shares_before_and_after_an_appearance() -> None:
    rows = [{"account": a, "ts": (20 + a) * HOUR, "model": "old" if a < 8 or a % 2 else "new"} for a in range(20)]
    seen = from_rows(rows)
    told = picture.pivots(seen, np.arange(20), picture.volume(seen.ts), {"new": 28 * HOUR, "unasked": 30 * HOUR})
    assert told["appeared"] == [
        {"model": "new", "ts": 28 * HOUR, "share_before": 0.0, "share_after": 0.5},
        {"model": "unasked", "ts": 30 * HOUR, "share_before": 0.0, "share_after": 0.0},
    ]
    assert {model["model"]: sum(model["calls"]) for model in told["models"]} == {"old": 14, "new": 6}


def test_25_000_accounts_make_no_larger_picture(large: dict[str, Any]) -> None:
    parts = {part: len(orjson.dumps(large[part])) for part in ("volume", "graph", "raster", "pivots", "templates", "left_out")}
    assert len(large["accounts"]) == 25_000 and sum(parts.values()) < 60_000, parts
    graph, raster = large["graph"], large["raster"]
    assert len(graph["groups"]) <= picture.GROUPS and len(graph["keys"]) <= 2 * picture.KEYS
    assert sum(group["accounts"] for group in graph["groups"]) == graph["accounts"] == 25_000
    assert sum(group["calls"] for group in graph["groups"]) == sum(large["volume"]["calls"]) == large["calls"]
    assert (
        len(raster["rows"]) == picture.ROWS
        and raster["accounts"] == 25_000
        and len(raster["rows"][0]["calls"]) == len(large["volume"]["calls"]) <= picture.BUCKETS
    )
    assert len(large["templates"]["pieces"]) == picture.PIECES and large["templates"]["more"]["pieces"] == 18
    assert sum(each["accounts"] for each in large["templates"]["sets"]) + large["templates"]["others"] == 25_000
    (new,) = large["pivots"]["appeared"]
    assert new["model"] == "orion-5.5" and new["share_before"] == 0.0 and new["share_after"] > 0.4


def test_only_members_are_named(large: dict[str, Any]) -> None:
    named = [name for part, rows in (("graph", "groups"), ("raster", "rows"), ("templates", "pieces")) for row in large[part][rows] for name in row["named"]]
    assert 0 < len(named) <= picture.NAMED * (picture.GROUPS + picture.PIECES) + picture.ROWS
    assert set(named) <= set(large["accounts"])


def test_the_longest_log_has_few_columns() -> None:
    ts = np.array([0, 80 * 365 * 86_400_000_000], np.int64)
    assert len(picture.volume(ts)["calls"]) <= picture.BUCKETS + 1
