"""The Python door: the same results as the command line, as tables, and nothing left behind."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stillwatch
from conftest import Logs
from read_back import holding
from stillwatch import flow
from stillwatch.doors import api, cli, outcomes, rungs
from stillwatch.doors.report import page
from stillwatch.errors import UserError

SECRET = "Zanzibar7Quorum"


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a temporary folder of the test's own, to see what is left in them."""
    for name in ("TMPDIR", "XDG_CONFIG_HOME"):
        (tmp_path / "room" / name).mkdir(parents=True)
        monkeypatch.setenv(name, str(tmp_path / "room" / name))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path / "room"


def _left(room: Path) -> list[str]:
    return [str(path.relative_to(room)) for path in room.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def folder(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line would have written."""
    out = tmp_path_factory.mktemp("api") / "scan"
    flow.watch([str(logs.log)], out, history=[str(logs.history)], key=logs.key, render=page.render)
    return out


@pytest.fixture(scope="module")
def found(logs: Logs) -> stillwatch.Scan:
    return stillwatch.scan(logs.log, history=logs.history, key=logs.key)


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "campaigns.jsonl").read_text().splitlines()]


def test_tables_hold_what_the_command_line_writes(found: stillwatch.Scan, folder: Path) -> None:
    lines = _lines(folder)
    assert lines and list(found.cases) == lines
    rows = found.campaigns.to_pylist()
    for name in ("campaign", "verdict", "log10_e", "q", "p_floor", "accounts", "calls"):
        assert [row[name] for row in rows] == [line[name] for line in lines], name
    assert [row["tokens_out"] for row in rows] == [line["taken"]["tokens_out"] for line in lines]
    assert [row["severity"] for row in rows] == [line["taken"]["severity"] for line in lines]
    assert [row["purpose"] for row in rows] == [line["conditions"]["purpose"]["grade"] for line in lines]
    assert rows[0]["first_ts"].timestamp() == pytest.approx(lines[0]["first_ts"] / 1e6) and found.campaigns.schema == api.CAMPAIGNS
    assert found.accounts.equals(pq.read_table(folder / "accounts.parquet"))
    assert found.signals.num_rows == sum(len(line["signals"]) for line in lines) and found.ties.num_rows == sum(len(line["ties"]) for line in lines)
    assert set(found.signals["campaign"].to_pylist()) <= {line["campaign"] for line in lines} and found.signals.schema == api.SIGNALS
    assert found.summary["alerts"] == json.loads((folder / "summary.json").read_text())["alerts"] and found.rejected.num_rows == 0


def test_a_drill_is_charged_what_was_taken(found: stillwatch.Scan) -> None:
    for case in found.cases:
        assert case["taken"]["list_price_usd"] == pytest.approx(case["taken"]["charged_usd"], rel=0.02), "the drill's own prices"
        assert case["taken"]["calls"] == case["calls"] and case["taken"]["unpriced_calls"] == 0


@pytest.mark.parametrize("kind", ["arrow", "pandas", "polars", "batches"])
def test_frames_give_the_same_as_the_file(kind: str, logs: Logs, folder: Path, room: Path) -> None:
    table = pq.read_table(logs.log)
    given: Any = table
    if kind == "pandas":
        pytest.importorskip("pandas", reason="pandas is not installed")
        given = table.to_pandas()
    elif kind == "polars":
        given = pytest.importorskip("polars", reason="polars is not installed").from_arrow(table)
    elif kind == "batches":
        given = [table.slice(0, 3000), table.slice(3000)]
    made = stillwatch.scan(given, history=pq.read_table(logs.history), key=logs.key)
    assert list(made.cases) == _lines(folder) and made.summary["calls_read"] == table.num_rows and made.rejected.num_rows == 0
    assert made.summary["parameters"]["logs"] == ["table"] * (2 if kind == "batches" else 1) and _left(room) == []


def test_results_are_usable_by_pandas_and_polars(found: stillwatch.Scan) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    assert len(found.campaigns.to_pandas()) == found.campaigns.num_rows == polars.DataFrame(found.campaigns).height
    assert polars.from_arrow(found.ties)["campaign"].to_list() == found.ties["campaign"].to_pylist()


def test_nothing_is_left_and_no_text_is_ever_written(logs: Logs, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pq.read_table(logs.log).slice(0, 2000).to_pylist()
    for i, row in enumerate(rows):
        row |= {name: f"{SECRET}{i} {row[name] or ''}" for name in ("prompt", "system", "response")}
    rows.append({**rows[0], "call_id": None})
    seen: list[Path] = []

    def look(step: str, count: int) -> None:
        for path in (path for path in room.rglob("*") if path.is_file()):
            seen.append(path)
            assert holding(path, [SECRET]) == [], path

    read = api._read
    monkeypatch.setattr(api, "_read", lambda *given: (look("done", 0), read(*given))[1])
    made = stillwatch.scan(pa.Table.from_pylist(rows, schema=pa.schema([f.with_nullable(True) for f in pq.read_schema(logs.log)])), progress=look)
    assert any(path.name == "campaigns.jsonl" for path in seen), "it was looked at while there was something to see"
    assert _left(room) == [] and not list((room / "TMPDIR").iterdir())
    assert made.rejected.to_pylist() == [{"file": "table", "line": 2001, "reason": "call_id is missing or empty"}]


def test_nothing_is_left_after_an_error(logs: Logs, room: Path) -> None:
    class Stop(Exception):
        pass

    def stop(step: str, count: int) -> None:
        if step == "weighing":
            raise Stop

    with pytest.raises(Stop):
        stillwatch.scan(pq.read_table(logs.log).slice(0, 2000), progress=stop)
    assert _left(room) == [] and not list((room / "TMPDIR").iterdir())


def test_with_a_folder_it_is_the_command_lines_folder(logs: Logs, folder: Path, room: Path, tmp_path: Path) -> None:
    made = stillwatch.scan([logs.log], out=tmp_path / "scan", history=[folder], key=logs.key)
    assert {path.name for path in (tmp_path / "scan").iterdir()} == {path.name for path in folder.iterdir()}
    assert (tmp_path / "scan" / "report.html").read_text() == made.report() and made.summary["reference_organisations"] > 0
    assert _left(room) == []


def test_an_existing_key_is_used_and_nothing_is_sealed_beside_it(logs: Logs, room: Path) -> None:
    key = room / "XDG_CONFIG_HOME" / "stillwatch" / "hashing.key"
    few = pq.read_table(logs.log).slice(0, 500)
    without = stillwatch.scan(few).summary["key_fingerprint"]
    assert not key.exists()
    key.parent.mkdir()
    key.write_bytes(logs.key.read_bytes())
    key.chmod(0o600)
    with_key = stillwatch.scan(few).summary["key_fingerprint"]
    assert with_key == stillwatch.scan(few, key=logs.key).summary["key_fingerprint"] != without
    assert _left(room) == ["XDG_CONFIG_HOME/stillwatch/hashing.key"]


def test_pseudonymous_tables_hold_no_account_of_the_log(logs: Logs) -> None:
    made = stillwatch.scan(logs.log, key=logs.key, pseudonymous=True)
    known = set(pq.read_table(logs.log, columns=["account"])["account"].to_pylist())
    assert made.accounts.num_rows and not known & set(made.accounts["account"].to_pylist())


def test_a_map_and_prices_of_ones_own(logs: Logs, tmp_path: Path) -> None:
    theirs = {"account": "customer", "model": "engine"}
    table = pq.read_table(logs.log).rename_columns(theirs)
    (tmp_path / "map.toml").write_text("\n".join(f'{name} = "{theirs.get(name, name)}"' for name in pq.read_schema(logs.log).names))
    (tmp_path / "prices.toml").write_text('source = "ours"\n[[price]]\nmodels = ["orion-5"]\ninput = 1\noutput = 1\nas_of = 2026-01-31\n')
    made = stillwatch.scan(table, map=tmp_path / "map.toml", key=logs.key, prices=str(tmp_path / "prices.toml"))
    told = made.cases[0]["taken"]
    assert told["prices"]["source"] == "ours" and "orion-5.5" in told["unpriced_models"]


@pytest.mark.parametrize("command", ["scan", "explain", "marks", "drill"])
def test_python_has_every_word_of_the_command_line(command: str) -> None:
    renamed = {"mapping": "map", "json_": None}
    words = {renamed.get(param.name or "", param.name) for param in cli.main.commands[command].params} - {None}
    known = set(inspect.signature(getattr(stillwatch, command)).parameters) - {"progress"}
    if command == "drill":
        known = known - {"ladder"} | set(rungs.Ladder.__annotations__)
    assert words == known


def test_a_unit_is_linked_as_on_the_command_line(logs: Logs) -> None:
    table = pq.read_table(logs.log).slice(0, 1000)
    by_key = stillwatch.scan(table, key=logs.key, unit="key")
    assert by_key.summary["parameters"]["unit"] == "key"
    with pytest.raises(UserError, match="no such unit: team; name one of account, key, end_user"):
        stillwatch.scan(table, unit="team")


def test_explain_gives_tables_and_the_words_of_the_command_line(folder: Path, logs: Logs) -> None:
    case = _lines(folder)[0]
    told = stillwatch.explain(folder, case["accounts"][0], key=logs.key)
    assert told.answer == "in" and case["campaign"] in told.campaigns and repr(told).startswith("<Explanation: acct_")
    assert (told.cases.schema, told.ties.schema, told.signals.schema) == (outcomes.CASES, outcomes.TIES, outcomes.SIGNALS)
    assert told.ties.num_rows and told.signals.num_rows and told.change is not None and told.change["to"] == "not in"
    assert told.change["text"] in told.text and "<pre>" in told._repr_html_()
    view = stillwatch.explain(str(folder), case["accounts"][0], for_account=True, key=str(logs.key))
    assert view.answer == "in" and view.ties.num_rows == view.signals.num_rows == view.cases.num_rows == 0 and view.change is None and not view.campaigns
    assert type(view) is type(told) and not any(name in view.text + repr(view) for name in case["accounts"][1:]) and case["campaign"] not in repr(view)


def test_marks_give_what_the_log_gives(logs: Logs, folder: Path, tmp_path: Path) -> None:
    made = stillwatch.marks(logs.log, out=tmp_path / "marks.parquet", key=logs.key)
    assert made.calls_read == made.table.num_rows and made.rejected.num_rows == 0 and "marked" in made._repr_html_() and "<Marked: " in repr(made)
    again = stillwatch.scan(made.path, history=logs.history, key=logs.key)
    assert [line["campaign"] for line in again.cases] == [line["campaign"] for line in _lines(folder)]


def test_a_drill_is_a_table_or_a_file(tmp_path: Path, room: Path) -> None:
    made = stillwatch.drill("demo", calls=1500, seed=3)
    assert made.log.num_rows == made.truth.num_rows == made.planted["calls"] and not list((room / "TMPDIR").iterdir())
    assert made.planted["log"] is None and "<td>O-SEP</td>" in made._repr_html_() and "campaigns>" in repr(made)
    kept = stillwatch.drill("demo", out=tmp_path / "log.parquet", calls=1500, seed=3)
    assert kept.log.equals(made.log) and kept.truth.equals(made.truth)
    lines = stillwatch.drill("demo", out=tmp_path / "log.jsonl", calls=1500, seed=3)
    assert lines.truth.equals(made.truth)
    with pytest.raises(UserError, match="only Parquet is read back"):
        lines.log  # noqa: B018


@pytest.mark.parametrize(
    "first", ["", "from stillwatch import flow; ", "import stillwatch.drill.compose; ", "from stillwatch.drill import compose; compose.write; "]
)
def test_drill_is_the_function_whatever_was_imported_before(first: str) -> None:
    code = f"{first}import stillwatch; from stillwatch.drill import scenario; stillwatch.drill.__module__ == 'stillwatch.doors.api' or exit(3); scenario.load"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "no log: int; give a path"),
        ({"call_id": ["1"]}, "no log: dict"),
        (pa.table({"call_id": ["1"], "ts": [1], "account": ["a"]}), "model not among them"),
        ("no-such-log.parquet", "no such file or folder"),
        (pa.table({"call_id": ["1"], "ts": ["soon"], "account": ["a"], "model": ["m"]}), "no usable record .*ts is not a whole number"),
    ],
)
def test_what_is_no_log_is_said(given: Any, said: str, room: Path) -> None:
    with pytest.raises(UserError, match=said):
        stillwatch.scan(given)
    assert _left(room) == []


def test_a_frame_with_mixed_columns_is_refused_without_quoting_it() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"call_id": ["1", "2"], "ts": [1, 2], "account": ["a", "b"], "model": ["m", "m"], "prompt": [SECRET, 7]})
    with pytest.raises(UserError, match="one type") as error:
        stillwatch.scan(frame)
    assert SECRET not in str(error.value) and error.value.__suppress_context__


def test_an_optional_column_of_a_wrong_type_is_said_once_and_unknown(logs: Logs) -> None:
    table = pq.read_table(logs.log).slice(0, 300)
    table = table.set_column(table.schema.get_field_index("tools"), "tools", pa.array([1.5] + [0.0] * 299))
    table = table.set_column(table.schema.get_field_index("plan"), "plan", pa.array([True] * 300))
    made = stillwatch.scan(table)
    assert made.summary["calls_read"] == 299 and made.summary["calls_rejected"] == 1
    assert sorted((row["line"] or 0, row["reason"]) for row in made.rejected.to_pylist()) == [
        (0, "column plan is not text (it is bool); read as unknown"), (1, "tools is not a whole number"),
    ]  # fmt: skip


def test_the_notebooks_view_is_short_and_escaped(found: stillwatch.Scan) -> None:
    html = found._repr_html_()
    assert html.count("<tr>") == 1 + min(20, found.campaigns.num_rows) and "alert" in html and len(html) < 20_000
    assert repr(found).startswith("<Scan: ") and found.report().startswith("<!doctype html>")
    evil = {**found.campaigns.slice(0, 1).to_pylist()[0], "verdict": "<script>", "list_price_usd": None}
    html = replace(found, campaigns=pa.Table.from_pylist([evil] * 25, schema=api.CAMPAIGNS))._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html and "<td>unknown</td>" in html and "5 more" in html
    with pytest.raises(FrozenInstanceError):
        found.summary = {}  # type: ignore[misc]


def _loaded(code: str) -> set[str]:
    """Top-level modules that are loaded after the code ran in a fresh interpreter."""
    code = f"{code}\nimport sys; print('LOADED', *{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split("LOADED", 1)[1].split())


def test_importing_is_quick_and_names_come_when_asked_for() -> None:
    heavy = {"numba", "pyarrow", "numpy", "scipy", "click"}
    assert not heavy & _loaded("import stillwatch; dir(stillwatch); stillwatch.UserError")
    assert heavy - {"click"} <= _loaded("import stillwatch; stillwatch.scan")
    shown = _loaded("from stillwatch.doors import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass")
    assert not {"numba", "pyarrow"} & shown
    assert set(stillwatch.__all__) <= set(dir(stillwatch)) and stillwatch.UserError is UserError
    with pytest.raises(AttributeError, match="no attribute 'scam'"):
        stillwatch.scam  # type: ignore[attr-defined]  # noqa: B018


def test_types_are_part_of_the_package() -> None:
    assert (Path(stillwatch.__file__).parent / "py.typed").exists()
