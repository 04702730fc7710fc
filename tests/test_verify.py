"""A scan made again from what it kept: an untouched one verifies however it was made, and no figure, account or date can be changed unnoticed.

One long file, because all of it changes copies of the same few scans, and making those takes longer than the tests.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import stillwatch
from conftest import KEY, Logs
from stillwatch import flow, verification
from stillwatch.doors.cli import main
from stillwatch.doors.report import page
from stillwatch.earlier import RUNS
from stillwatch.engines import runs
from stillwatch.errors import UserError
from stillwatch.records import MARKS
from stillwatch.store import keys, names, seals
from stillwatch.verification import Again, Difference

SECRET = bytes.fromhex(KEY)

CONTEXT = """[[release]]
model = "orion-6"
at = 2026-01-02
ours = true
[[payment]]
at = 2026-01-02T12:00:00Z
what = "free tier ended"
"""

PRICES = """source = "a list"
[[price]]
models = ["*"]
input = 1.5
output = 6.0
as_of = 2026-01-01
"""


def _known(accounts: list[str]) -> str:
    return f'[[programme]]\nname = "a round"\nreason = "agreed"\nexpires = 2099-01-01\naccounts = {json.dumps(accounts)}\n'


@pytest.fixture(scope="module")
def made(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of scans: `whole` with everything that can be told beside a log, against a log as history; `before`, a scan of that history."""
    folder = tmp_path_factory.mktemp("verify")
    truth = pq.read_table(logs.truth, columns=["account", "campaign"]).to_pylist()
    (folder / "events.toml").write_text(CONTEXT)
    (folder / "prices.toml").write_text(PRICES)
    (folder / "known.toml").write_text(_known(sorted({row["account"] for row in truth if row["campaign"] == "O-SEP"})[:40]))
    told = {"context": folder / "events.toml", "prices": folder / "prices.toml", "known": folder / "known.toml"}
    flow.watch([str(logs.log)], folder / "whole", history=[str(logs.history)], key=logs.key, render=page.render, **told)
    flow.watch([str(logs.history)], folder / "before", key=logs.key)
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """The scan `whole`, to be changed."""
    shutil.copytree(made / "whole", tmp_path / "scan")
    return tmp_path / "scan"


@pytest.fixture(scope="module")
def again(made: Path, logs: Logs) -> Again:
    """What the files of `whole` must hold."""
    return verification.made_again(made / "whole", SECRET, logs.key, runs.found(made / "whole" / RUNS), lambda name, count: None, 0)


def _verify(folder: Path, logs: Logs, **rest: Any) -> dict[str, Any]:
    return flow.verify(folder, key=logs.key, render=page.render, **rest)


def test_an_untouched_scan_verifies(made: Path, logs: Logs) -> None:
    told = _verify(made / "whole", logs)
    assert told["verified"] and told["differences"] == [] and told["calls"] > 7000 and told["campaigns"] > 3 and told["figures"] > 1000
    summary = json.loads((made / "whole" / "summary.json").read_bytes())
    assert told["seal"] == summary["seal"] and len(told["seal"]) == 32
    assert _verify(made / "whole", logs, seal=told["seal"])["verified"]


def test_it_leaves_the_folder_as_it_was(copied: Path, logs: Logs) -> None:
    held = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in copied.rglob("*") if path.is_file()}
    os.chmod(copied, 0o500)
    try:
        assert _verify(copied, logs)["verified"]
    finally:
        os.chmod(copied, 0o700)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in copied.rglob("*") if path.is_file()} == held


def test_rejected_records_that_were_changed_are_the_only_file_that_is_named(copied: Path, logs: Logs) -> None:
    with (copied / "rejected.jsonl").open("ab") as file:
        file.write(b'{"file": "log.parquet", "line": 7, "reason": "ts is missing"}\n')
    assert _verify(copied, logs)["differences"] == [{"where": "rejected.jsonl", "what": "is not the file that was sealed"}]


@pytest.mark.parametrize("how", ["history scans", "no history", "unit key", "unit end_user", "pseudonymous", "onto", "marks", "follow"])
def test_scans_made_in_any_way_verify_without_their_logs(how: str, made: Path, logs: Logs, tmp_path: Path) -> None:
    shutil.copy(logs.log, tmp_path / "log.parquet")
    shutil.copytree(made / "before", tmp_path / "before")
    table, out = pq.read_table(logs.log), tmp_path / "scan"
    usual: dict[str, Any] = {"key": logs.key, "render": page.render}
    if how == "history scans":
        flow.watch([str(tmp_path / "log.parquet")], out, history=[str(tmp_path / "before"), str(made / "whole")], **usual)
    elif how == "no history":
        flow.watch([str(tmp_path / "log.parquet")], out, **usual)
    elif how.startswith("unit"):
        flow.watch([str(tmp_path / "log.parquet")], out, history=[str(logs.history)], unit=how.removeprefix("unit "), **usual)
    elif how == "pseudonymous":
        flow.watch([str(tmp_path / "log.parquet")], out, history=[str(tmp_path / "before")], pseudonymous=True, **usual)
    elif how == "onto":
        pq.write_table(table.slice(0, 5000), tmp_path / "one.parquet")
        pq.write_table(pa.concat_tables([table.slice(4900)]), tmp_path / "two.parquet")
        flow.watch([str(tmp_path / "one.parquet")], tmp_path / "first", history=[str(tmp_path / "before")], **usual)
        flow.watch([str(tmp_path / "two.parquet")], out, onto=tmp_path / "first", history=[str(tmp_path / "before")], **usual)
        shutil.rmtree(tmp_path / "first")
    elif how == "marks":
        flow.marks([str(tmp_path / "log.parquet")], tmp_path / "log.marks", key=logs.key)
        flow.watch([str(tmp_path / "log.marks")], out, history=[str(tmp_path / "before")], **usual)
    else:
        pq.write_table(table.sort_by("ts").slice(0, 3000), tmp_path / "one.parquet")
        flow.follow([str(tmp_path / "*.parquet")], out, history=[str(tmp_path / "before")], once=True, **usual)
    for path in (tmp_path / "log.parquet", tmp_path / "log.marks"):
        path.unlink(missing_ok=True)
    shutil.rmtree(tmp_path / "before")
    told = _verify(out, logs)
    assert told["differences"] == [] and told["verified"] and told["campaigns"]


def test_names_need_not_be_sealed_beside_the_key(copied: Path, logs: Logs, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(logs.key, tmp_path / "elsewhere" / "key")
    assert flow.verify(copied, key=tmp_path / "elsewhere" / "key", render=page.render)["verified"]


def _leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(each, (*at, name))
    else:
        yield at, value


def _otherwise(value: Any) -> Any:
    """Another value, as near as can be written."""
    if value is None:
        return 0
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return math.nextafter(value, math.inf)
    return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"


def _place(line: Any, at: tuple[Any, ...]) -> Any:
    """The part of a case that holds a leaf."""
    for name in at[:-1]:
        line = line[name]
    return line


def test_every_leaf_of_every_case_is_noticed_by_what_the_marks_give(made: Path, again: Again) -> None:
    """Each in turn, by the least change that can be written; no seal is looked at here."""
    written = [orjson.loads(line) for line in (made / "whole" / "campaigns.jsonl").read_bytes().splitlines()]
    count, kinds = 0, set()
    assert len(written) == len(again.lines) > 3 and any(line["known"] for line in written)
    for line, want in zip(written, again.lines, strict=True):
        assert list(verification.cases([orjson.dumps(line)], [want])) == []
        for at, value in list(_leaves(line)):
            _place(line, at)[at[-1]] = _otherwise(value)
            (found,) = verification.cases([orjson.dumps(line)], [want])
            _place(line, at)[at[-1]] = value
            assert str(at[-1] if isinstance(at[-1], str) else at[-2]) in found.where and "by the marks" in found.what, (at, value)
            count, kinds = count + 1, kinds | {type(value)}
    assert count > 5000 and kinds == {str, int, float, bool, type(None)}


def test_accounts_that_come_or_go_and_parts_and_cases_are_noticed(made: Path, again: Again) -> None:
    lines = (made / "whole" / "campaigns.jsonl").read_bytes().splitlines()
    lead = orjson.loads(lines[0])

    def told(first: Any, *others: bytes) -> list[Difference]:
        return list(verification.cases([first if isinstance(first, bytes) else orjson.dumps(first), *others], again.lines))

    rest = lines[1:]
    for number in range(len(lead["accounts"])):
        (found,) = told({**lead, "accounts": lead["accounts"][:number] + lead["accounts"][number + 1 :]}, *rest)
        assert f'missing: ["{lead["accounts"][number]}"]' in found.what
    (found,) = told({**lead, "accounts": [*lead["accounts"], "acct_of_a_rival"]}, *rest)
    assert 'besides: ["acct_of_a_rival"]' in found.what
    for name in lead:
        (found,) = told({key: value for key, value in lead.items() if key != name}, *rest)
        assert found.where.endswith(f": {name}") and "is nothing" in found.what
    assert [each.what for each in told({**lead, "more": 1}, *rest)] == ["is 1, by the marks nothing"]
    assert [each.what for each in told(json.dumps(lead).encode(), *rest)] == ["is written otherwise"], "the same values in other bytes"
    assert not told(json.dumps(lead).encode(), *rest)[0].where.endswith(": ")
    assert [each.what for each in told(lines[0], *rest, lines[0])] == ["1 lines too many"]
    assert "is missing" in {each.what for each in told(lines[0], *rest[:-1])}
    assert [each.what for each in told(_exact(lead), *rest)] == [f"is {lead['calls']}.0, by the marks {lead['calls']}"], "a count that was made a measurement"
    assert told(rest[0], lines[0], *rest[1:]) and told(b"{", *rest) and told(b"[]", *rest)


def _exact(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "calls": float(line["calls"])}


def _resealed_by_nobody(folder: Path) -> None:
    """All that somebody without the key can do: make every plain digest anew."""
    for note in sorted((folder / RUNS).glob("*.json")):
        told = orjson.loads(note.read_bytes())
        told["sha256"], told["sha256_calls"] = (seals.digest(note.with_suffix(end)) for end in (runs.MARK_FILE, runs.CALL_FILE))
        note.write_bytes(orjson.dumps(told))
    told = orjson.loads((folder / seals.FILE).read_bytes())
    told["evidence"] = seals.evidence(folder)
    told["results"] = {name: seals.digest(folder / name) for name in told["results"] if (folder / name).exists()}
    (folder / seals.FILE).write_bytes(orjson.dumps(told))


def _figure(folder: Path) -> None:
    lines = (folder / "campaigns.jsonl").read_bytes().splitlines()
    told = orjson.loads(lines[0])
    told["calls"] += 1
    (folder / "campaigns.jsonl").write_bytes(b"\n".join([orjson.dumps(told), *lines[1:]]) + b"\n")


def _date(folder: Path) -> None:
    lines = (folder / "campaigns.jsonl").read_bytes().splitlines()
    told = orjson.loads(lines[-1])
    told["first_ts"] -= 1
    (folder / "campaigns.jsonl").write_bytes(b"\n".join([*lines[:-1], orjson.dumps(told)]) + b"\n")


def _account(folder: Path) -> None:
    rows = pq.read_table(folder / "accounts.parquet").to_pylist()
    rows[3]["calls"] += 1
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(folder / "accounts.parquet")), folder / "accounts.parquet")


def _count(folder: Path) -> None:
    told = orjson.loads((folder / "summary.json").read_bytes())
    told["alerts"] = 0
    (folder / "summary.json").write_bytes(orjson.dumps(told))


def _report(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    (folder / "report.html").write_text(text.replace("Case 1:", "Case one:", 1))


def _membership(folder: Path) -> None:
    path = folder / "states" / "member-own.parquet"
    table = pq.read_table(path)
    values = table["value"].to_pylist()
    values[0] = (values[0] or 0.0) + 1.0
    pq.write_table(table.set_column(3, "value", pa.array(values, pa.float64())), path)


def _exposure(folder: Path) -> None:
    path = folder / "states" / "organisations.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, table.column_names[1], pa.array(np.asarray(table[1]) + 1)), path)


RESULTS: list[Callable[[Path], None]] = [_figure, _date, _account, _count, _report, _membership, _exposure]


@pytest.mark.parametrize("change", RESULTS, ids=lambda change: change.__name__[1:])
@pytest.mark.parametrize("who", ["nobody", "without the key", "with the key"])
def test_a_changed_result_is_noticed_whoever_made_the_digests_anew(
    change: Callable[[Path], None], who: str, copied: Path, again: Again, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marks are as they were, so what they give is worked out anew in one of the three alone."""
    change(copied)
    if who != "without the key":
        monkeypatch.setattr(verification, "made_again", lambda *given: again)
    if who == "without the key":
        _resealed_by_nobody(copied)
    if who == "with the key":
        seals.write(copied, seals.evidence(copied), SECRET)
    told = _verify(copied, logs)
    assert not told["verified"] and told["differences"]
    where = {_report: "report.html", _count: "summary.json: alerts", _account: "accounts.parquet", _figure: "campaigns.jsonl: line 1"}.get(change, "")
    assert any(each["where"].startswith(where) for each in told["differences"])


def test_who_holds_the_key_and_seals_another_name_for_an_account_is_found_out(copied: Path, logs: Logs) -> None:
    """The marks tell the keyed hash of each account; a name is its own only where it has that hash."""
    scan = json.loads((copied / "summary.json").read_bytes())["scan"]
    first = json.loads((copied / "campaigns.jsonl").read_bytes().splitlines()[0])["accounts"][0]
    held = names.open(logs.key, SECRET, scan)
    try:
        other = {account: "acct_somebody_else" if name == first else name for account, name in held.items()}
        names.seal(logs.key, SECRET, scan, list(other), other.values())
        assert _verify(copied, logs)["verified"], "as the results have it, the name is the account's"
        for path in (copied / "campaigns.jsonl", copied / "report.html"):
            path.write_bytes(path.read_bytes().replace(first.encode(), b"acct_somebody_else"))
        accounts = pq.read_table(copied / "accounts.parquet")
        renamed = pa.array(["acct_somebody_else" if name == first else name for name in accounts["account"].to_pylist()])
        pq.write_table(accounts.set_column(accounts.column_names.index("account"), "account", renamed), copied / "accounts.parquet")
        seals.write(copied, seals.evidence(copied), SECRET)
        where = [each["where"] for each in _verify(copied, logs)["differences"]]
        assert "accounts.parquet" in where and any(each.startswith("campaigns.jsonl: line 1, ") and "accounts" in each for each in where), where
    finally:
        names.seal(logs.key, SECRET, scan, list(held), held.values())


@pytest.mark.parametrize(("name", "value"), [("seconds", None), ("peak_bytes", []), ("versions", "new")])
def test_a_summary_of_which_no_report_can_be_drawn_is_a_difference_and_no_failure(name: str, value: Any, copied: Path, logs: Logs) -> None:
    told = orjson.loads((copied / "summary.json").read_bytes())
    (copied / "summary.json").write_bytes(orjson.dumps(told | {name: value}))
    _resealed_by_nobody(copied)
    assert [each["where"] for each in _verify(copied, logs)["differences"]] == [f"summary.json: {name}", "report.html", seals.FILE]


def test_a_seal_may_be_anything_and_is_sound_only_as_it_was_written(copied: Path) -> None:
    written = orjson.loads((copied / seals.FILE).read_bytes())
    assert (held := seals.read(copied, SECRET)).sound and held.sound_results and held.results and held.evidence
    seals.check_marks(copied, SECRET)
    for part in ("seal", "evidence", "results", "results_seal"):
        for value in (None, 7, "x", [], {}, [{"x": "y"}]):
            (copied / seals.FILE).write_bytes(orjson.dumps(written | {part: value}))
            held = seals.read(copied, SECRET)
            assert not held.sound_results and held.results == {}, (part, value)
            assert held.sound is part.startswith("result") and bool(held.evidence) is held.sound, (part, value)
            if not held.sound:
                with pytest.raises(UserError, match="not those that were sealed"):
                    seals.check_marks(copied, SECRET)
    for value in ([], "x", 7, None, {}):
        (copied / seals.FILE).write_bytes(orjson.dumps(value))
        assert not seals.read(copied, SECRET).sound, value


def _rewritten(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """The marks of the first run, changed, with its digests."""
    (run, *_) = runs.found(folder / RUNS)
    marks = pa.Table.from_batches(run.read(range(runs.BUCKETS), MARKS.names))
    runs.write(run.path, change(marks))


def _later(marks: pa.Table) -> pa.Table:
    return marks.set_column(marks.column_names.index("ts"), MARKS.field("ts"), pa.array(np.asarray(marks["ts"]) + 1))


def _marks(folder: Path) -> None:
    _rewritten(folder, _later)


def _bytes(folder: Path) -> None:
    path = folder / RUNS / "000000.arrow"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def _calls(folder: Path) -> None:
    path = folder / RUNS / "000000.calls"
    path.write_bytes(path.read_bytes()[8:] + bytes(8))


def _one_run_more(folder: Path) -> None:
    for end in (runs.MARK_FILE, runs.CALL_FILE, runs.NOTE_FILE):
        shutil.copy((folder / RUNS / "000000").with_suffix(end), (folder / RUNS / "000001").with_suffix(end))


def _one_run_less(folder: Path) -> None:
    (folder / RUNS / "000000.json").unlink()


def _reference(folder: Path) -> None:
    (path,) = (folder / "states" / "reference").glob("*/wordings.parquet")
    pq.write_table(pq.read_table(path).slice(100), path)


def _asked(folder: Path) -> None:
    told = orjson.loads((folder / "states" / "asked.json").read_bytes())
    told["prices"]["prices"][0]["output"] = 60.0
    (folder / "states" / "asked.json").write_bytes(orjson.dumps(told))


EVIDENCE: list[Callable[[Path], None]] = [_marks, _bytes, _calls, _one_run_more, _one_run_less, _reference, _asked]


@pytest.mark.parametrize("change", EVIDENCE, ids=lambda change: change.__name__[1:])
@pytest.mark.parametrize("anew", [False, True], ids=["as it is", "digests made anew"])
def test_changed_evidence_is_noticed_before_anything_is_made_of_it(change: Callable[[Path], None], anew: bool, copied: Path, logs: Logs) -> None:
    change(copied)
    if anew:
        _resealed_by_nobody(copied)
    told = _verify(copied, logs)
    assert not told["verified"] and told["campaigns"] == 0
    assert all(each["where"].startswith("states/") for each in told["differences"])
    if change not in (_reference, _asked):  # what is gone on with is the marks alone
        with pytest.raises(UserError):
            flow.watch([str(logs.log)], copied.parent / "out", onto=copied, key=logs.key)


def test_who_holds_the_key_and_rewrites_the_marks_is_noticed_by_a_seal_that_lies_elsewhere(made: Path, copied: Path, logs: Logs) -> None:
    """What verify cannot see alone, and what is there against it."""
    written_down = json.loads((copied / "summary.json").read_bytes())["seal"]
    _rewritten(copied, _later)
    seals.write(copied, seals.evidence(copied), SECRET)
    assert not _verify(copied, logs)["verified"], "the results are not those of these marks"
    shutil.rmtree(copied)
    table = pq.read_table(logs.log)
    pq.write_table(_later(table), copied.parent / "forged.parquet")
    flow.watch([str(copied.parent / "forged.parquet")], copied, history=[str(logs.history)], key=logs.key, render=page.render)
    assert _verify(copied, logs)["verified"], "a forgery that is whole"
    told = _verify(copied, logs, seal=written_down)
    assert not told["verified"] and "not the seal that was written down" in told["differences"][0]["what"]


def test_what_cannot_be_verified_is_no_success(copied: Path, logs: Logs, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.write_text("22" * 32)
    other.chmod(0o600)

    def refused(folder: Path = copied, key: Path = logs.key) -> str:
        with pytest.raises(UserError) as error:
            flow.verify(folder, key=key)
        return str(error.value)

    assert "is no folder that a scan wrote" in refused(tmp_path)
    assert "was made with another hashing key" in refused(key=other)
    assert "the hashing key of this scan is not here" in refused(key=tmp_path / "none.key") and not (tmp_path / "none.key").exists()
    (copied / seals.FILE).write_bytes(b"{")
    assert _verify(copied, logs)["differences"][0] == {"where": seals.FILE, "what": "was not made with the hashing key"}
    (copied / seals.FILE).unlink()
    assert "has no seal" in refused()
    with pytest.raises(UserError, match="has no seal"):
        flow.watch([str(logs.log)], tmp_path / "out", onto=copied, key=logs.key)


def test_a_stream_with_calls_that_wait_has_no_seal(logs: Logs, tmp_path: Path) -> None:
    table = pq.read_table(logs.log).sort_by("ts")
    (tmp_path / "in").mkdir()
    pq.write_table(table.slice(0, 6000), tmp_path / "in" / "0.parquet")
    flow.follow([str(tmp_path / "in")], tmp_path / "out", once=True, key=logs.key)
    assert _verify(tmp_path / "out", logs)["verified"]
    pq.write_table(table.slice(6000, 100), tmp_path / "in" / "1.parquet")
    looks = iter([False, False])
    flow.follow([str(tmp_path / "in")], tmp_path / "out", once=True, key=logs.key, stopped=lambda: next(looks, True))
    told = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    waiting = told["calls_read"] < sum(run.rows for run in runs.found(tmp_path / "out" / RUNS))
    assert waiting, "or the test says nothing"
    with pytest.raises(UserError, match="calls that were not examined"):
        _verify(tmp_path / "out", logs)
    flow.follow([str(tmp_path / "in")], tmp_path / "out", once=True, key=logs.key)
    assert _verify(tmp_path / "out", logs)["verified"]


def test_the_command_line_ends_with_1_and_says_what_differs(copied: Path, logs: Logs) -> None:
    def run(*rest: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["verify", str(copied), "--key", str(logs.key), *rest])
        return done.exit_code, done.output

    code, said = run()
    assert code == 0 and said.startswith("verified: ") and "not compared with one written down elsewhere" in said
    _figure(copied)
    code, said = run()
    assert code == 1 and "NOT verified" in said and "campaigns.jsonl: line 1" in said and ": calls: is" in said
    code, said = run("--json")
    told = json.loads(said)
    assert code == 1 and told["verified"] is False and set(told["differences"][0]) == {"where", "what"}
    assert run("--seal", "0" * 32)[0] == 1


def test_the_python_door_gives_a_table(copied: Path, logs: Logs) -> None:
    found = stillwatch.verify(copied, key=logs.key)
    assert found.verified and found.differences.num_rows == 0 and repr(found) == "<Verification: verified>"
    _date(copied)
    found = stillwatch.verify(copied, key=logs.key)
    assert not found.verified and found.differences.column_names == ["where", "what"] and "first_ts" in found.text
    assert "1 difference" in repr(found) and "first_ts" in found._repr_html_()


def test_the_seal_tells_keys_apart_and_nothing_of_them(copied: Path) -> None:
    held = seals.evidence(copied)
    assert json.loads((copied / "summary.json").read_bytes())["seal"] == seals.seal(held, SECRET) != seals.seal(held, bytes(32))
    assert KEY not in (copied / seals.FILE).read_text() and keys.fingerprint(SECRET) in (copied / seals.FILE).read_text()
