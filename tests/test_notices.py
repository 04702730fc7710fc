"""What of a log was not read whole is told, goes on where others can be read, and gets advice that helps."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stillwatch.doors.cli import main
from stillwatch.errors import UserError
from stillwatch.intake.mapping import load
from test_intake import calls, jsonl, put, run

GOOD = b'{"call_id": "1", "ts": 1767225600000000, "account": "acct-1", "model": "m", "prompt": "hello there"}\n'


def command(*args: str | bytes, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(cwd / "config"), "COLUMNS": "200"}
    return subprocess.run([sys.executable, "-m", "stillwatch", *args], capture_output=True, text=True, errors="replace", cwd=cwd, env=environment, timeout=120)


Command = Callable[..., Result]


@pytest.fixture
def at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command in the folder, in the tests' own process: one of its own takes seconds to start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *args: CliRunner().invoke(main, args)


def mixed(tmp_path: Path) -> None:
    put(tmp_path, "logs/a.jsonl", GOOD)
    put(tmp_path, "logs/b.txt", b"hello\nworld\n")
    put(tmp_path, "logs/c.bin", b"\x7fELF\x02\x01\x01\xff\xfe\x00")
    put(tmp_path, "logs/d.jsonl", b"")
    put(tmp_path, "logs/e.json", b'{\n  "call_id": "9",\n  "ts": 1\n}\n')


def test_a_file_of_no_format_among_others_is_told_and_the_scan_goes_on(tmp_path: Path) -> None:
    mixed(tmp_path)
    done = command("scan", "logs", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0 and "1 calls read, 0 rejected" in done.stdout
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["logs/b.txt", "logs/c.bin", "logs/d.jsonl", "logs/e.json"]
    assert lines[0] == "stillwatch: logs/b.txt: not read: no known log format: columns hello; call_id, ts, account, model not among them"
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert [(each["file"], each["line"]) for each in rejected] == [(f"logs/{name}", None) for name in ("b.txt", "c.bin", "d.jsonl", "e.json")]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["notices"]["count"] == 4 and summary["notices"]["first"][1] == {"file": "logs/c.bin", "reason": "not read: not a log that is known: binary"}
    assert summary["calls_rejected"] == 0


@pytest.mark.parametrize("args", [["marks", "logs/*", "--out", "out.marks"], ["drill", "A-JUN", "--into", "logs", "--out", "out.jsonl", "--seed", "1"]])
def test_so_do_the_other_commands_that_read(args: list[str], tmp_path: Path, at_once: Command) -> None:
    mixed(tmp_path)
    put(tmp_path, "logs/a.jsonl", b"".join(GOOD.replace(b'"1"', b'"%d"' % at).replace(b"acct-1", b"acct-%d" % (at % 7)) for at in range(60)))
    done = at_once(*args)
    assert done.exit_code == 0 and "logs/b.txt: not read: no known log format" in done.stderr
    told = json.loads(at_once(*args, "--json").stdout)
    assert told["notices"]["count"] == 4 and told["calls_rejected"] == 0


def test_history_is_told_too(tmp_path: Path) -> None:
    mixed(tmp_path)
    done = command("scan", "logs/a.jsonl", "--history", "logs", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0 and "logs/b.txt: not read" in done.stderr


def test_named_itself_it_is_an_error_and_so_is_a_folder_of_nothing_else(tmp_path: Path) -> None:
    mixed(tmp_path)
    (tmp_path / "logs" / "a.jsonl").unlink()
    put(tmp_path, "x.jsonl", GOOD)
    for sources in (("logs/b.txt", "x.jsonl"), ("logs", "x.jsonl"), ("logs/*.txt", "x.jsonl"), ("logs/b.txt", "logs", "x.jsonl")):
        with pytest.raises(UserError, match="b.txt: no known log format"):
            run(*(tmp_path / source for source in sources))


def test_a_mistake_in_the_map_stays_an_error_in_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "logs/a.csv", b"call_id,ts,customer,model\n1,1767225600000000,a,m\n")
    put(tmp_path, "logs/b.csv", b"call_id,ts,kunde,model\n1,1767225600000000,a,m\n")
    (tmp_path / "m.toml").write_text('account = "customer"\n')
    with pytest.raises(UserError, match='the log has no column "customer"'):
        run(tmp_path / "logs", mapping=load(tmp_path / "m.toml"))


@pytest.mark.parametrize(
    ("data", "mapped", "said"),
    [
        (
            gzip.compress(jsonl(calls(5)), mtime=0)[:30],
            "",
            "no usable record (log: the gzip stream is truncated or damaged; what came before was used); give the whole file",
        ),
        (b"", "", "no usable record (log: the file is empty); check that it is the log, and how it is written"),
        (b'{\n  "call_id": "9",\n  "ts": 1\n}\n', "", "JSON objects spread over lines, not one a line; write one object a line (jq -c . does it)"),
        (b'{"call_id":"1","ts":-5,"account":"a","model":"m"}\n', "", "line 1: ts is negative); see in the manual what its format must hold"),
        (b'{"call_id":"1","ts":1767225600000,"account":"a","model":"m"}\n', "", "it looks like milliseconds); describe the columns with --map FILE"),
        (b'{"call_id":7,"ts":1767225600000000,"account":"a","model":"m"}\n', "", "call_id is not text); describe the columns with --map FILE"),
        (b'{"call_id":"1","ts":1767225600000,"account":"a","model":"m"}\n', 'ts = "ts"\n', "); compare the map with the log, its units too"),
        (b"hello\nworld\n", 'ts = "ts"\n', "see the formats in the manual"),
    ],
)
def test_advice_is_what_helps(data: bytes, mapped: str, said: str, tmp_path: Path, at_once: Command) -> None:
    put(tmp_path, "log", data)
    (tmp_path / "m.toml").write_text(mapped)
    given = ["--map", "m.toml"] if mapped else []
    for args in (["scan", "log", "--out", "out"], ["marks", "log", "--out", "out.marks"], ["drill", "A-JUN", "--into", "log", "--out", "out.jsonl"]):
        done = at_once(*args, *given)
        assert done.exit_code == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1, (args, done.stderr)


def test_an_empty_file_is_no_rejected_record_whoever_reads_it(tmp_path: Path, at_once: Command) -> None:
    put(tmp_path, "a.jsonl", GOOD)
    put(tmp_path, "b.jsonl", b"")
    scanned = json.loads(at_once("scan", "a.jsonl", "b.jsonl", "--out", "out", "--json").stdout)
    marked = json.loads(at_once("marks", "a.jsonl", "b.jsonl", "--out", "out.marks", "--json").stdout)
    assert scanned["calls_rejected"] == marked["calls_rejected"] == 0 and scanned["notices"] == marked["notices"] != {"count": 0, "first": []}


def test_a_mapped_column_that_no_record_has_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('prompt = "question"\norg = "zzz"\nip = "sometimes"\n')
    records: list[dict[str, Any]] = [{"call_id": str(at), "ts": 1767225600000000 + at, "account": "a", "model": "m", "question": "q"} for at in range(300)]
    put(tmp_path, "1.jsonl", jsonl(records))
    put(
        tmp_path,
        "2.jsonl",
        jsonl([{**each, "call_id": f"x{each['call_id']}"} | ({"sometimes": "1.2.3.4"} if each["call_id"] == "250" else {}) for each in records]),
    )
    rows, rejected = run(tmp_path / "1.jsonl", tmp_path / "2.jsonl", mapping=load(tmp_path / "m.toml"))
    assert len(rows) == 600
    assert [(each.file, each.line, each.reason) for each in rejected] == [
        (str(tmp_path / "m.toml"), None, 'no record has a value in column "zzz", mapped to org; it is unknown')
    ]


def test_results_under_a_name_that_is_not_utf_8_are_explained(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/o\xff")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/l\xff.jsonl")).write_bytes(GOOD)
    for args in ([b"scan", b"l\xff.jsonl", b"--out", b"o\xff/r"], [b"explain", b"o\xff/r", b"acct-1"], [b"scan", b"l\xff.jsonl", b"--out", b"r", b"--history", b"o\xff/r"],
                 [b"marks", b"l\xff.jsonl", b"--out", b"o\xff/m\xff"]):  # fmt: skip
        done = command(*args, cwd=tmp_path)
        assert done.returncode == 0, (args, done.stderr)
    done = command(b"explain", b"o\xff/r", b"acct-\xff", cwd=tmp_path)
    assert done.returncode == 2 and "no such account" in done.stderr
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["parameters"]["logs"] == ["l\\xff.jsonl"]
