"""The drill: deterministic, to scale, and giving as little away as it can."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.drill import compose, scenario
from stillwatch.drill.declare import every_campaign, scale
from stillwatch.errors import UserError

SMALL = scenario.load("mixed").with_overrides(seed=3, calls=6_000)


@pytest.fixture(scope="module")
def made() -> compose.Drill:
    return compose.compose(SMALL)


def test_the_same_seed_gives_the_same_log_and_another_seed_another(made: compose.Drill) -> None:
    assert compose.compose(SMALL).calls.equals(made.calls)
    other = compose.compose(SMALL.with_overrides(seed=4))
    assert not set(other.calls["account"].to_pylist()) & set(made.calls["account"].to_pylist())
    assert len(set(other.calls["prompt"].to_pylist()) & set(made.calls["prompt"].to_pylist())) < 0.05 * SMALL.calls


def test_the_log_has_the_contracts_columns_and_the_truth_fits_it(made: compose.Drill) -> None:
    assert made.calls.schema.equals(SCHEMA)
    assert all(made.calls[name].null_count == 0 for name in REQUIRED)
    assert made.calls["call_id"].to_pylist() == made.truth["call_id"].to_pylist()
    assert len(set(made.calls["call_id"].to_pylist())) == made.calls.num_rows
    assert abs(made.calls.num_rows - SMALL.calls) < 0.1 * SMALL.calls
    ts = made.calls["ts"].to_pylist()
    assert ts == sorted(ts) and SMALL.start * 1e6 <= ts[0] and ts[-1] < (SMALL.start + SMALL.days * 86_400) * 1e6
    assert set(made.truth["class"].to_pylist()) == set(SMALL.benign) | {"campaign", "cover"}
    assert set(made.truth["campaign"].to_pylist()) == {planted.id for planted in SMALL.campaigns} | {None}


@pytest.mark.parametrize("calls", [100, 5_000, 16_000, 1_000_000])
@pytest.mark.parametrize("name", sorted(every_campaign()))
def test_scaling_cuts_days_then_accounts_then_calls_per_account(name: str, calls: int) -> None:
    campaign = every_campaign()[name]
    cut = scale(campaign, calls)
    assert cut.calls <= 16_000 and cut.accounts >= 20 and cut.days >= 2.0
    assert cut.calls / cut.accounts >= 4.0 - 0.1
    factors = cut.factors
    assert set(factors) == {"days", "accounts", "calls_per_account"} and all(0 < factor <= 1.01 for factor in factors.values())
    if factors["accounts"] < 0.99:
        assert cut.days == pytest.approx(2.0)
    if factors["calls_per_account"] < 0.99:
        assert cut.accounts == pytest.approx(20, abs=1) or factors["calls_per_account"] > 0.9


def test_assumptions_are_stated(made: compose.Drill) -> None:
    assert all(campaign["assumptions"] and campaign["factors"] for campaign in made.campaigns)


def test_no_field_is_set_or_null_in_one_class_only(made: compose.Drill) -> None:
    guilty = [campaign is not None for campaign in made.truth["campaign"].to_pylist()]
    for name in SCHEMA.names:
        known = [value is not None for value in made.calls[name].to_pylist()]
        of_guilty = [k for k, g in zip(known, guilty, strict=True) if g]
        of_innocent = [k for k, g in zip(known, guilty, strict=True) if not g]
        assert any(of_guilty) == any(of_innocent), name
        assert all(of_guilty) == all(of_innocent) or abs(sum(of_guilty) / len(of_guilty) - sum(of_innocent) / len(of_innocent)) < 0.1, name


def test_every_suffix_reads_back(made: compose.Drill, tmp_path: Path) -> None:
    for suffix in compose.SUFFIXES:
        told = compose.write(made, tmp_path / f"log{suffix}")
        assert Path(told["log"]).exists() and pq.read_table(told["truth"]).equals(made.truth)
    with pytest.raises(UserError, match="unknown suffix"):
        compose.write(made, tmp_path / "log.txt")


def test_two_logs_of_one_name_do_not_share_a_truth(made: compose.Drill, tmp_path: Path) -> None:
    compose.write(made, tmp_path / "log.parquet")
    other = compose.compose(SMALL.with_overrides(seed=9))
    with pytest.raises(UserError, match=r"its truth would take the place of that of log\.parquet"):
        compose.write(other, tmp_path / "log.jsonl")
    assert {each.name for each in tmp_path.iterdir()} == {"log.parquet", "log.truth.parquet"}
    compose.write(made, tmp_path / "log.csv")  # one drill in two formats has one truth
    (tmp_path / "log.csv").unlink()
    assert compose.write(other, tmp_path / "log.parquet")["calls"] == other.calls.num_rows, "the same name again is the next drill"


def test_scenarios_of_ones_own_are_checked(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('calls = 500\ncampaigns = [{ id = "A-JUM", share = 0.1 }]\n')
    with pytest.raises(UserError, match=r"unknown name 'A-JUM' \(line 2, column \d+\); did you mean A-JUN\?"):
        scenario.load(str(tmp_path / "s.toml"))
    (tmp_path / "s.toml").write_text("calls = 'many'\n")
    with pytest.raises(UserError, match="calls must be"):
        scenario.load(str(tmp_path / "s.toml"))
    (tmp_path / "s.toml").write_text("calls = = 3\n")
    with pytest.raises(UserError, match="not TOML"):
        scenario.load(str(tmp_path / "s.toml"))


def _trial(name: str) -> ModuleType:
    path = Path(__file__).parents[1] / "trials" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"trial_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_metadata_of_single_accounts_tell_little_and_a_planted_artefact_is_seen() -> None:
    """The bar (.8) is measured at full size by the trial; at this size the estimate is noisy, so the test allows a margin."""
    trial = _trial("artefact")
    chosen = scenario.load("mixed").with_overrides(seed=5, calls=16_000)
    for artefact in (False, True):
        drill = compose.compose(dataclasses.replace(chosen, artefact=artefact))
        auc = {each.campaign: each.auc for each in trial.told(drill.calls, drill.truth, chosen.start, rounds=60)}
        for name in ("A-JUN", "O-SEP"):
            assert (auc[name] > 0.9) if artefact else (auc[name] < 0.9), (artefact, auc)


@pytest.mark.parametrize("wrong", [{"days": -1.0}, {"days": 0.0}, {"calls": 0}, {"calls": -5}])
def test_a_log_without_time_or_calls_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="more than 0"):
        dataclasses.replace(scenario.load("mixed"), **wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[benign]\n"ordinary chat" = "x"\n', "the weight of"),
        ('[benign]\n"ordinary chat" = 0\n', "leave nobody"),
        ("campaigns = 3\n", "no list of tables"),
        ("[[campaigns]]\nshare = 0.1\n", "has no id"),
        ('[[campaigns]]\nid = "A-JUN"\nshare = 0\n', "share is 0"),
        ('[[campaigns]]\nid = "A-JUN"\nshare = 0.6\n[[campaigns]]\nid = "O-SEP"\nshare = 0.6\n', "campaigns are 1.2 of the calls"),
        ("days = inf\n", "days is inf"),
        ("days = 1e300\n", "days is 1e"),
        ("days = nan\n", "days is nan"),
        ("start = -99999999999\n", "start is -"),
        ("start = 99999999999999999\n", "start is 9"),
        ("least_calls = 1000000\n", "least_calls is 1e"),
        (f"seen_before = {'9' * 400}\n", "seen_before is 99999999999999999999..."),
        (f"start = {'9' * 400}\n", "start is 99999999999999999999..."),
        ("[benign]\nhomework = 1e308\n", "leave nobody"),
        ("least_calls = -1\n", "least_calls is -1"),
        ('split = "z"\n', "split is 'z'"),
        ('[benign]\n"ordinary chat" = 1e308\nhomework = 1e308\n', "leave nobody"),
    ],
)
def test_mistakes_inside_a_scenario_are_told(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        scenario.parse(f"calls = 1000\n{text}", "mine.toml")


@pytest.mark.parametrize("size", [1 << 12, 1 << 24])
def test_calls_are_put_in_order_span_by_span(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a span holds, it is the order of one sort; no moment is torn in two."""
    monkeypatch.setattr(compose, "SPAN", size)
    made = compose.compose(dataclasses.replace(scenario.load("demo"), calls=600))
    shuffled = np.random.default_rng(1).permutation(made.calls.num_rows)
    ts = pa.array(made.calls["ts"].to_numpy() // 10**10 * 10**10)  # many at one moment
    calls = made.calls.set_column(made.calls.column_names.index("ts"), "ts", ts)
    order = np.lexsort((calls["call_id"].to_numpy(zero_copy_only=False), ts.to_numpy()))
    found = compose.by_time(calls.take(shuffled), made.truth.take(shuffled))
    assert found[0].equals(calls.take(order)) and found[1].equals(made.truth.take(order))
    assert len(list(compose.spans(calls, made.truth))) > (size < 1 << 24)
