"""The trial of campaigns: who counts as found, what is tried, and what the tables say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import lines
import trial
from planted import grounds, kept, plan, run, tables
from planted.examined import examined, reference_of
from planted.judged import NAMED, Labels, judged, language_of, said
from stillwatch import flow
from stillwatch.drill import compose
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Texts


def _truth(rows: list[tuple[str, str | None, str]]) -> pa.Table:
    return pa.table(
        [pa.array([str(each) for each in column] if at == 0 else [row[at] for row in rows], pa.string()) for at, column in enumerate(zip(*rows, strict=True))],
        names=["account", "campaign", "class"],
    )


def _case(verdict: str, accounts: list[str], without: dict[str, str | None] | None = None) -> dict[str, Any]:
    left_out = [{"name": name, "verdict": other} for name, other in (without or {}).items()]
    return {
        "verdict": verdict, "accounts": accounts, "log10_e": 9.0, "q": 0.001, "ties": [], "signals": [], "left_out": left_out,
        "conditions": {"exculpations": [], "purpose": {"grade": "some"}, "replay": None},
    }  # fmt: skip


def _scan(folder: Path, cases: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / "campaigns.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (folder / "summary.json").write_text(json.dumps({"placebo": {"alerts": 0, "reviews": 1}, "calls_read": 9, "clusters_tested": 3, "seconds": 1.0}))
    return folder


TRUTH = _truth(
    [
        ("a", "X", "campaign"),
        ("a", "X", "cover"),
        ("b", "X", "campaign"),
        ("c", "X", "campaign"),
        ("d", "Y", "campaign"),
        ("e", None, "chat"),
        ("f", None, "chat"),
        ("f", None, "suite"),
    ]
)


def test_recall_precision_and_innocents_by_hand(tmp_path: Path) -> None:
    cases = [_case("alert", ["a", "b", "e"]), _case("review", ["c", "f"]), _case("watch", ["d"])]
    told = judged(Labels.of_truth(TRUTH), said(_scan(tmp_path / "scan", cases)), {"e": "fr"})
    x, y = told["found"]["X"], told["found"]["Y"]
    assert (x["verdict"], x["accounts"], x["calls"], x["recall"], x["recall_alert"], x["precision"]) == ("alert", 3, 3, 1.0, 0.6667, 0.6667)
    assert (y["verdict"], y["recall"], y["precision"]) == ("watch", 0.0, None)
    assert told["innocent"] == {"alert": {"chat": 1}, "review": {"chat": 1}} and told["innocent_by_language"] == {"alert": {"fr": 1}, "review": {"unclear": 1}}
    assert [case["verdict"] for case in told["false"]] == ["review"]  # half of its accounts are the campaign's: not more than half


def test_a_case_of_innocents_is_false_whatever_it_is_called(tmp_path: Path) -> None:
    told = judged(Labels.of_truth(TRUTH), said(_scan(tmp_path / "scan", [_case("alert", ["e", "f"])])), {})
    assert len(told["false"]) == 1 and told["found"]["X"]["verdict"] == "-"


def test_languages_are_told_by_words_and_script() -> None:
    assert language_of(["what is the name of this and that"]) == "en" and language_of(["was ist der name und die zahl, das ist nicht klar"]) == "de"
    assert language_of(["请把这段文字翻译成英文"]) == "zh" and language_of(["これはペンです"]) == "ja" and language_of(["1 2 3"]) == "unclear"


@pytest.mark.parametrize("tier", ["small", "centre", "prefix", "varied", "scale", "prevalence", "full"])
def test_no_log_is_planned_twice(tier: str) -> None:
    cells = plan.plan(tier, [1, 2])
    assert cells and len({cell.key for cell in cells}) == len(cells)
    assert all(cell == plan.Cell(**json.loads(cell.key)) for cell in cells)


def test_the_full_plan_varies_one_factor_at_a_time() -> None:
    for cell in plan.plan("full", [1]):
        history = cell.history != plan.history_of(cell.scale)  # that of a large log grows with it
        differs = [cell.scale != 10, history, cell.options not in ({}, {"infrastructure": False}), cell.until < 1]
        assert sum(differs) <= 1 or (cell.history == "older" and cell.options["before_history"]) or "short history" in cell.value, cell


def _row(**rest: Any) -> dict[str, Any]:
    row = {
        "factor": "centre", "value": "", "campaign": "X", "seed": 1, "scale": 10, "history": "whole", "until": 1.0, "size": 10, "texts": "built-in", "false": [],
        "innocent": {"alert": {"chat": 1}, "review": {}}, "innocent_by_language": {"alert": {"en": 1}, "review": {}}, "people": {"chat": 50}, "people_by_language": {"en": 50},
        "placebo": [0, 0], "planted": [{"id": "X", "calls": 100, "accounts": 20, "factors": {"days": 0.1, "accounts": 0.5, "calls_per_account": 1.0}}], "calls": 900,
        "found": {"X": {"verdict": "alert", "accounts": 20, "calls": 90, "recall": 0.9, "recall_alert": 0.8, "precision": 1.0, "cases": [{"verdict": "alert", "without": {"wording": "watch"}}]}},
    }  # fmt: skip
    return {**row, **rest}


def _said(verdict: str) -> dict[str, Any]:
    return {"X": {**_row()["found"]["X"], "verdict": verdict}}


def test_first_named_and_where_it_stays_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PREFIXES", (0.05, 0.1, 0.2))
    prefix = {"factor": "prefix"}
    rows = [
        _row(),
        _row(**prefix, until=0.05, found=_said("review")),
        _row(**prefix, until=0.1, found=_said("watch")),
        _row(**prefix, until=0.2, found=_said("alert")),
    ]
    assert tables._first(rows, "X", 1, NAMED, good=False) == 0.05 and tables._first(rows, "X", 1, NAMED, good=True) == 0.2
    assert tables._first([*rows[:3], _row(**prefix, until=0.2, found=_said("review"))], "X", 1, ["alert"], good=False) == 1
    lost = [_row(found=_said("watch")), *rows[1:]]
    assert tables._first(lost, "X", 1, NAMED, good=False) == 0.05 and tables._first(lost, "X", 1, NAMED, good=True) == 2.0
    assert tables._first(rows[:3], "X", 1, NAMED, good=False) is None, "not every prefix was scanned"


def test_a_page_of_hand_made_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PREFIXES", (0.05,))
    rows = [
        _row(), _row(seed=2, found=_said("watch")), _row(factor="ladder", value="cover 95 %", found=_said("-")), _row(factor="prefix", value="5 %", until=0.05),
        _row(factor="world", value="mixed", found={}, campaign="", false=[{"verdict": "alert", "main": "chat"}]), _row(factor="world", value="drift", found={}, campaign=""),
    ]  # fmt: skip
    page = tmp_path / "trial.md"
    tables.tell(rows, page)
    told = page.read_text()
    assert "| X | 100, 20 | 0.1 0.5 1 | alert, watch | 0.90 | 0.80 | 1.00 | 5 % | 5 % |" in told
    assert "| cover 95 % | 0 | 0 | 0 | 1 | 0.90 | X |" in told
    assert "| wording | 0 | 0 | 2 | 0 |" in told  # the second seed's watch was one without it as well
    assert "| 900 | all | 2 | 50.0 (9.5-90.5; 1/2) | 50.0 (9.5-90.5; 1/2) |" in told
    assert "1 logs, campaigns of 10 calls, texts built-in, seeds 1." in told.partition("### How they adapt")[2].partition("<!--")[0]
    with pytest.raises(SystemExit, match="mix"):
        tables.tell([*rows, _row(size=11)], page)


def test_a_section_without_new_results_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PREFIXES", (0.05,))
    page = tmp_path / "trial.md"
    tables.tell([_row(), _row(factor="ladder", value="cover 95 %", found=_said("-"))], page)
    tables.tell([_row(found=_said("watch"))], page)
    told = page.read_text()
    assert "| cover 95 % | 0 | 0 | 0 | 1 |" in told and "| watch |" in told and told.count("### Every documented campaign") == 1


def test_results_of_several_runs_are_told_together(tmp_path: Path) -> None:
    world = {"factor": "world", "value": "mixed", "campaign": "", "found": {}}
    assert kept.keep([_row(**world, key="a"), _row(key="planted")], tmp_path) == 2
    assert kept.keep([_row(**world, key="b"), _row(**world, key="a", calls=1)], tmp_path) == 3
    both = kept.with_kept([_row(**world, key="b", calls=7)], tmp_path)
    assert [(row["key"], row["calls"]) for row in both] == [("b", 7), ("a", 900), ("planted", 900)], "what is kept stays; a run's own row goes before"
    assert {row["key"] for row in kept.with_kept([_row(key="other", texts="corpora")], tmp_path)} == {"other", "a", "b"}, (
        "campaigns with other texts are not told beside these"
    )
    kept.keep([_row(**world, key="c", method="older")], tmp_path)
    assert {row["key"] for row in kept.held(tmp_path)} == {"a", "b", "planted"}


def test_a_cut_line_of_results_is_passed_over(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text('{"key": "a"}\n{"key": "b"')
    assert lines.read(results) == [{"key": "a"}]


@pytest.mark.parametrize(("name", "scale"), [("as long", 1000), ("ten times", 100)])
def test_the_history_of_a_large_log_grows_with_it(name: str, scale: int, tmp_path: Path) -> None:
    assert [each.history for each in plan.worlds(1, scale)] == [name]
    store = grounds.Store(tmp_path, None, calls=20, history_calls=500)
    *whole, longest = store.reference(name, scale=scale)
    assert [Path(each).name for each in whole] == [f"broad-{at}" for at in range(grounds.PARTS)]
    told = json.loads((Path(longest) / "summary.json").read_text())
    assert told["calls_read"] == 20_000 and not (Path(longest) / "states" / "calls").exists()
    assert list((tmp_path / "grounds").iterdir()) == [], "the log itself is not kept"


def test_planted_campaign_and_its_prefix() -> None:
    chosen = grounds.replace(grounds.scenario.load("broad"), seed=5, calls=3_000)
    texts = Texts("5/a", None, "a")
    made = compose._made(chosen, *compose._innocents(chosen, texts, 0.9), [])
    drill = grounds.plant(grounds.Ground(chosen, texts, made.calls, made.truth, {}), [Planted("O-SEP", share=0.1, infrastructure=False)])
    assert drill.calls["call_id"].equals(drill.truth["call_id"]) and (np.diff(drill.calls["ts"].to_numpy()) >= 0).all()
    whole = sum(name == "O-SEP" and kind != "cover" for name, kind in zip(*(drill.truth[each].to_pylist() for each in ("campaign", "class")), strict=True))
    cut = grounds.until(drill, "O-SEP", 0.2)
    own = [name == "O-SEP" and kind != "cover" for name, kind in zip(*(cut.truth[each].to_pylist() for each in ("campaign", "class")), strict=True)]
    assert sum(own) == -(-whole // 5) and own[-1]


def test_worlds_differ_in_mix_and_the_unseen_class_is_in_its_own(tmp_path: Path) -> None:
    store = grounds.Store(tmp_path, None, calls=150)
    kinds = {kind: grounds.benign_world(store, kind, 10, 3) for kind in plan.WORLDS}
    assert grounds.unseen.NAME in set(kinds["unseen class"].truth["class"].to_pylist()) - set(kinds["mixed"].truth["class"].to_pylist())
    assert all((np.diff(each.calls["ts"].to_numpy()) >= 0).all() and 1_200 < each.calls.num_rows < 2_200 for each in kinds.values())
    assert grounds._mix(1) != grounds._mix(2)


def test_large_logs_with_a_campaign_and_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of the large scales, made small: innocents multiplied, of one drill, and of several side by side."""
    monkeypatch.setattr(run, "DRILLED", 20)
    monkeypatch.setattr(run, "ONE_DRILL", 40)
    monkeypatch.setattr(grounds, "PARTS", 1)
    store = grounds.Store(tmp_path, None, calls=200, history_calls=3_000)
    alone = {"infrastructure": False}
    worlds = [plan.Cell("world", "mixed", "", 7, 40), plan.Cell("world", plan.SIDE_BY_SIDE, "", 7, 100)]
    run.run([plan.Cell("scale", "40, alone", "O-SEP", 1, 40, options=alone), *worlds], store, 2)
    campaign, one, several = sorted(lines.read(tmp_path / "results.jsonl"), key=lambda row: (row["factor"], row["scale"]))
    assert set(campaign["found"]) == {"O-SEP"} and one["found"] == several["found"] == {}
    for world, calls in ((one, 8_000), (several, 20_000)):
        assert 0.85 * calls < world["calls"] < 1.15 * calls and sum(world["people"].values()) > calls / 100
    assert [each.name for each in (tmp_path / "grounds").iterdir()] == ["40-1-200"], "a benign world goes when it was scanned"


def test_a_log_examined_for_its_cases_alone_has_those_of_a_scan(tmp_path: Path) -> None:
    chosen = grounds.replace(grounds.scenario.load("broad"), seed=5, calls=4_000, campaigns=(Planted("O-SEP", share=0.3, infrastructure=False),))
    drill, key = compose.compose(chosen, None), tmp_path / "key"
    past = compose.compose(grounds.replace(grounds.scenario.load("broad-history"), seed=6, calls=4_000), None)
    flow.watch([past.calls], tmp_path / "history", key=key)
    flow.watch([drill.calls], tmp_path / "scan", history=[str(tmp_path / "history")], key=key)
    labels = Labels.of_truth(drill.truth)
    whole = judged(labels, said(tmp_path / "scan"), {})
    quick = judged(labels, examined([drill.calls], tmp_path, reference_of([str(tmp_path / "history")], key), key), {})
    assert whole["found"]["O-SEP"]["verdict"] == "alert"

    def bare(told: dict[str, Any]) -> dict[str, Any]:
        found = {name: {**each, "cases": [{**case, "without": {}} for case in each["cases"]]} for name, each in told["found"].items()}
        return {**told, "found": found, "false": [{**case, "without": {}} for case in told["false"]], "placebo": None, "seconds": None}

    assert bare(quick) == bare(whole)


def test_the_small_tier_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(trial, "SMALL", {"calls": 600, "history_calls": 3_000})
    monkeypatch.setattr(grounds, "PARTS", 2)
    monkeypatch.setattr(plan, "PREFIXES", (0.2,))
    asked = ["trial.py", "run", "--work", str(tmp_path), "--tier", "small", "--campaigns", "O-SEP", ""]
    monkeypatch.setattr("sys.argv", asked)
    trial.main()
    count = len(lines.read(tmp_path / "results.jsonl"))
    assert count == len([cell for cell in plan.plan("small", trial.SEEDS) if cell.campaign in ("O-SEP", "")])
    capsys.readouterr()
    trial.main()
    assert f"0 of {count} logs to scan" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["trial.py", "tell", "--work", str(tmp_path), "--into", str(tmp_path / "page.md")])
    trial.main()
    told = (tmp_path / "page.md").read_text()
    assert "| O-SEP |" in told and "## Innocents alone" in told
