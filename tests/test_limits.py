"""Detection limits: what is planted is found where it is large and not where it is tiny, the log is not touched, and what was measured is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

import stillwatch
from conftest import KEY, Logs
from stillwatch import flow, limit, planting
from stillwatch.campaigns.judge import accounts_of
from stillwatch.doors import limited
from stillwatch.doors.cli import main
from stillwatch.drill.alone import Alone, alone
from stillwatch.drill.declare import every_campaign
from stillwatch.engines.disk import OnDisk
from stillwatch.errors import UserError
from stillwatch.evidence.power import Search, ladder, wilson, within
from stillwatch.examination import examine, judged
from stillwatch.records import MARKS, NO_CONTEXT
from stillwatch.sources import Reading, gather

QUICK: dict[str, Any] = {"tradecrafts": ["O-SEP"], "rates": [8], "plantings": 5, "power": 0.8}


def _quiet(*_: object) -> None:
    return None


@pytest.fixture(scope="module")
def how(logs: Logs) -> Reading:
    return Reading(bytes.fromhex(KEY), logs.key)


@pytest.fixture(scope="module")
def bench(logs: Logs, how: Reading, tmp_path_factory: pytest.TempPathFactory) -> limit.Bench:
    """The demo's log against its history."""
    log = gather([str(logs.log)], how, _quiet, tmp_path_factory.mktemp("runs"))
    assert log is not None
    made = limit.Bench(planting.ground(log, how), flow._reference([str(logs.history)], how, _quiet, NO_CONTEXT, _quiet), 1)
    alone = limit.examined_alone(made)
    assert alone.alerts >= 1 and len(made.accused) > 20, "the demo's log shows campaigns of its own"
    return made


def made(bench: limit.Bench, name: str, accounts: int, calls_each: int, seed: int) -> Alone:
    return alone(name, accounts, calls_each, start=bench.into.first / 1e6, days=bench.into.days, seed=seed)


def test_a_large_campaign_is_found_and_a_tiny_one_is_not(bench: limit.Bench) -> None:
    large, tiny = bench.plant("O-SEP", 16, 60, 0), bench.plant("O-SEP", 1, 3, 0)
    assert large.verdict == "alert" and large.held > 0.5 and large.found(0.5)
    assert tiny.verdict is None and tiny.held == 0 and not tiny.found(0.0)


def test_the_same_seed_plants_the_same_and_another_does_not(bench: limit.Bench) -> None:
    campaign = every_campaign()["A-JUN"]

    def marks(number: int) -> pa.Table:
        with planting.planted(bench.into, campaign, made(bench, "A-JUN", 12, 6, number), number) as (log, guilty):
            here = log.parts.among(np.searchsorted(log.parts.owners.accounts, guilty))
        return here.marks

    assert marks(1).equals(marks(1)) and not marks(1).equals(marks(2))


def test_the_log_is_not_touched_and_nothing_is_left(bench: limit.Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = bench.into.log.parts.among(np.arange(len(bench.into.log.parts.owners.accounts))).marks
    calls = before.num_rows
    copy = pa.concat_tables([before.slice(0, calls)]).combine_chunks()
    bench.plant("A-FEB-DS", 8, 12, 99)
    assert bench.into.log.parts.among(np.arange(len(bench.into.log.parts.owners.accounts))).marks.equals(copy)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "accounts", "calls_each"), [("O-SEP", 40, 8), ("A-FEB-DS", 60, 16), ("F-OCT", 60, 16), ("A-SEP-AL", 60, 16)])
def test_a_planting_is_judged_as_a_scan_would(bench: limit.Bench, name: str, accounts: int, calls_each: int) -> None:
    with planting.planted(bench.into, every_campaign()[name], made(bench, name, accounts, calls_each, 0), 0) as (log, guilty):
        short = judged(log, bench.reference, _quiet, about=guilty, others=bench.standing)
        whole = examine(log, bench.reference, _quiet).campaigns
    mine = set(guilty.tolist())
    told = sorted((each.verdict, sorted(each.accounts)) for each in whole if mine & set(each.accounts) and each.verdict in limit.NAMED)
    said = [(case[0].verdict, sorted(short.parts.owners.accounts[accounts_of(case)].tolist())) for case in short.cases if case[0].verdict in limit.NAMED]
    assert told and sorted(each for each in said if mine & set(each[1])) == told


def test_planted_accounts_know_no_more_than_the_log_does(bench: limit.Bench) -> None:
    """A column that the log lacks is unknown of the campaign as well, and clients, models and networks are the log's own."""
    lacking = planting.Ground(
        replace(bench.into.log, present=bench.into.log.present - {"payment", "tls"}), bench.into.how, bench.into.first, bench.into.last, bench.into.donors
    )
    with planting.planted(lacking, every_campaign()["A-FEB-DS"], made(bench, "A-FEB-DS", 20, 6, 7), 7) as (log, guilty):
        mine = log.parts.among(np.searchsorted(log.parts.owners.accounts, guilty)).marks
    assert len(guilty) == 20 and mine.num_rows >= 100
    assert mine["payment"].null_count == mine["tls"].null_count == mine.num_rows and mine["wordings"].null_count == 0
    for name in ("model", "user_agent", "headers", "asn", "plan", "path"):
        assert set(mine[name].to_pylist()) <= set(bench.into.donors[name].to_pylist()), name
    assert not set(guilty.tolist()) & set(bench.into.donors["account"].to_pylist())
    ts = mine["ts"].to_numpy()
    assert bench.into.first <= ts.min() and ts.max() <= bench.into.last


def test_a_log_on_disk_gives_what_one_in_memory_gives(bench: limit.Bench, how: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = bench.into.log
    on_disk = replace(kept, parts=OnDisk(tuple(kept.runs), tmp_path))
    other = limit.Bench(planting.ground(on_disk, how), bench.reference, 1, accused=bench.accused)
    assert other.into.donors.equals(bench.into.donors) and (other.into.first, other.into.last) == (bench.into.first, bench.into.last)
    assert other.plant("O-SEP", 16, 60, 0) == bench.plant("O-SEP", 16, 60, 0)
    assert list(tmp_path.iterdir()) == [], "what was planted goes"


def searched(found: Iterator[bool] | Any, **how: Any) -> tuple[Search, list[tuple[int, int]]]:
    """A search whose plantings are found as `found(size, number)` says."""
    search, asked = Search(**how), list[tuple[int, int]]()
    steps = search.run()
    try:
        at = next(steps)
        while True:
            asked.append(at)
            at = steps.send(bool(found(*at)))
    except StopIteration:
        return search, asked


HOW: dict[str, Any] = {"sizes": ladder(4, 200), "power": 0.95, "fresh": 20, "most": 200}


def test_the_search_states_the_smallest_size_that_fresh_plantings_confirm() -> None:
    search, asked = searched(lambda size, number: size >= 32, **HOW)
    assert search.rung is not None and search.sizes[search.rung] == 32
    assert search.confirmed == (20, 20) and search.half == (0, 7) and len(asked) == len(set(asked)), "no planting is asked for twice"


def test_a_size_chosen_by_luck_is_not_stated() -> None:
    """All that choose 16 are found, of those that confirm it half are not: the next size is looked at."""
    search, _ = searched(lambda size, number: size >= 32 or (size >= 16 and (number < 16 or number % 2)), **HOW)
    assert search.rung is not None and search.sizes[search.rung] == 32


def test_a_search_ends_at_the_top_and_when_all_is_spent() -> None:
    search, asked = searched(lambda size, number: False, **HOW)
    assert search.rung is None and not search.spent and len(asked) == 6
    search, asked = searched(lambda size, number: size >= 64, **{**HOW, "most": 30})
    assert search.rung is None and search.spent and len(asked) == 30


def test_what_is_stated_holds_on_coins_of_known_power() -> None:
    """Over 100 searches with coins in place of examinations, the power at the stated size is .9 or more nearly always, and the interval covers the truth."""
    rng, at, stated = np.random.default_rng(3), 24.0, list[float]()
    covered = 0
    for _ in range(100):
        search, _asked = searched(lambda size, number: rng.random() < 1 / (1 + (size / at) ** -4 / 19), **{**HOW, "fresh": 30, "most": 240})
        assert search.rung is not None
        stated.append(1 / (1 + (search.sizes[search.rung] / at) ** -4 / 19))
        low, high = within(search.cells, 0.95) or (0.0, np.inf)
        covered += low <= at <= high
    assert np.mean(np.array(stated) >= 0.9) >= 0.9 and np.mean(stated) >= 0.94
    assert covered >= 90


def test_intervals_say_what_was_seen() -> None:
    assert wilson(0, 0) == (0.0, 1.0) and wilson(20, 20)[1] == 1.0
    assert within({8: (0, 5)}, 0.95) is None and within({8: (5, 5)}, 0.95) is None
    few, many = (within({8: (0, n), 16: (n // 2, n), 32: (n, n), 64: (n, n)}, 0.95) for n in (6, 60))
    assert few is not None and many is not None and few[0] < many[0] < many[1] < few[1]


@pytest.fixture(scope="module")
def kept(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[dict[str, Any]]]:
    """Limits of one tradecraft, kept in a folder; what was kept at every step."""
    out, steps = tmp_path_factory.mktemp("kept") / "limits", list[dict[str, Any]]()

    def render(told: dict[str, Any]) -> str:
        steps.append(told)
        return limited.limited(told)

    told = flow.limits([str(logs.log)], out=out, history=[str(logs.history)], key=logs.key, render=render, **QUICK)
    return out, told, steps


def test_limits_are_stated_with_their_intervals_and_what_they_hold_for(kept: tuple[Path, dict[str, Any], list[dict[str, Any]]]) -> None:
    out, told, steps = kept
    (craft,) = told["limits"]
    (mine,) = craft["limits"]
    assert told["finished"] and json.loads((out / "limits.json").read_text()) == told
    assert mine["accounts"] and mine["calls"] == 8 * mine["accounts"] and craft["smallest"] == mine
    assert mine["confirmed"][0] >= 4 and mine["power_low"] < mine["confirmed"][0] / mine["confirmed"][1] <= mine["power_high"]
    assert sum(each["plantings"] for each in told["cells"]) == told["plantings"] == len(told["tried"]) <= told["plantings_at_most"]
    assert [len(each["tried"]) for each in steps[:3]] == [1, 2, 3] and not steps[0]["finished"]
    text = (out / "limits.txt").read_text()
    assert "holds for these tradecrafts" in text and f"{mine['accounts']:,}" in text and "by itself" in text, "the demo's log shows campaigns of its own"


@pytest.mark.parametrize("tried", [3, [[1, 2]], [["O-SEP", 4, "x", [], None, "y"]], [None]])
def test_plantings_that_were_damaged_are_named(tried: Any, tmp_path: Path) -> None:
    (tmp_path / "limits.json").write_text(json.dumps({"identity": "x", "tried": tried}))
    with pytest.raises(UserError, match="is damaged"):
        flow.kept_plantings.read(tmp_path, "x")


def test_what_was_measured_is_not_measured_again(
    kept: tuple[Path, dict[str, Any], list[dict[str, Any]]], logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed goes on where it was, to the same result; a folder of another seed is refused before anything is planted."""
    _, told, steps = kept
    half = steps[len(steps) // 2]
    flow.kept_plantings.write(tmp_path / "again", half, None)
    planted, plant = list[int](), planting.planted

    def counted(*args: Any) -> Any:
        planted.append(1)
        return plant(*args)

    monkeypatch.setattr(limit, "planted", counted)
    again = flow.limits([str(logs.log)], out=tmp_path / "again", history=[str(logs.history)], key=logs.key, **QUICK)
    assert {**again, "seconds": 0} == {**told, "seconds": 0}
    assert len(planted) == len(told["tried"]) - len(half["tried"])
    with pytest.raises(UserError, match="another log, history, key, unit, seed or version"):
        flow.limits([str(logs.log)], out=tmp_path / "again", history=[str(logs.history)], key=logs.key, seed=2, **QUICK)
    assert len(planted) == len(told["tried"]) - len(half["tried"])


def test_without_history_only_replays_are_found(logs: Logs) -> None:
    found = stillwatch.limits(str(logs.log), key=logs.key, tradecraft=["G-FEB", "O-SEP"], calls_each=16, plantings=5, power=0.8)
    by_name = {row["tradecraft"]: row for row in found.limits.to_pylist()}
    assert by_name["G-FEB"]["accounts"] is None and "not at any size that fits" in by_name["G-FEB"]["why"]
    assert by_name["O-SEP"]["accounts"] is not None
    assert "no history was given" in found.text and found.cells.num_rows > 2
    assert "limits" in repr(found).lower() and "<pre>" in found._repr_html_()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--tradecraft", "A-JUM"], "no such tradecraft; did you mean A-JUN?"),
        (["--tradecraft", "nothing"], "no such tradecraft; name one of A-FEB-DS"),
        (["--power", "1"], "--power"),
        (["--plantings", "2"], "--plantings"),
        (["--out", "mine"], "no earlier result of this command"),
    ],
)
def test_mistakes_cost_no_time(logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], says: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    done = CliRunner().invoke(main, ["limits", str(logs.log), "--key", str(logs.key), *args])
    assert done.exit_code == 2 and says in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_the_command_prints_a_table_and_a_map(logs: Logs, kept: tuple[Path, dict[str, Any], list[dict[str, Any]]]) -> None:
    out, told, _ = kept
    args = ["limits", str(logs.log), "--history", str(logs.history), "--key", str(logs.key), "--out", str(out)]
    args += ["--tradecraft", "O-SEP", "--calls-each", "8", "--plantings", "5", "--power", "0.8"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0 and "at most" in done.stderr
    assert "calls each" in done.stdout and "Share found" in done.stdout and "O-SEP" in done.stdout
    said = json.loads(CliRunner().invoke(main, [*args, "--json"]).stdout)
    assert {**said, "seconds": 0} == {**told, "seconds": 0}


def test_marks_are_a_log_too_and_a_log_too_small_says_so(logs: Logs, tmp_path: Path) -> None:
    few = pa.table({"call_id": ["a", "b"], "ts": [1_767_225_600_000_000, 1_767_225_700_000_000], "account": ["x", "y"], "model": ["m", "m"]})
    marks = stillwatch.marks(few, out=tmp_path / "few.marks", key=logs.key)
    assert marks.table.schema.names == MARKS.names
    found = stillwatch.limits(str(marks.path), key=logs.key, tradecraft="A-JUN", calls_each=4)
    assert found.limits["accounts"].to_pylist() == [None] and "does not fit this log" in found.limits["why"][0].as_py()
    assert "holds no content" in found.text
