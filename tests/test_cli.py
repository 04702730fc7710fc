"""The command line: exit codes, one line an error, JSON everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Logs

SNAPSHOT = Path(__file__).parent / "snapshots" / "errors.txt"
MISTAKES = {
    "no log": ["scan"],
    "no out": ["scan", "x.parquet"],
    "unknown command": ["scna"],
    "unknown option": ["scan", "--hisory", "x", "y"],
    "missing file": ["scan", "nowhere.parquet", "--out", "o"],
    "empty glob": ["scan", "none-*.jsonl", "--out", "o"],
    "no format": ["scan", "odd.txt", "--out", "o"],
    "unknown columns": ["scan", "flat.csv", "--out", "o"],
    "out in use": ["scan", "good.jsonl", "--out", "mine"],
    "no record": ["scan", "bad.jsonl", "--out", "o"],
    "no history": ["scan", "good.jsonl", "--out", "o", "--history", "mine"],
    "unknown scenario": ["drill", "A-JUM", "--out", "o.parquet"],
    "unknown suffix": ["drill", "A-JUN", "--out", "o.txt", "--calls", "200"],
    "unknown word": ["drill", "broken.toml", "--out", "o.parquet"],
    "unknown class": ["drill", "benign", "--out", "o.parquet", "--benign", "viral promt=0.2"],
    "no weight": ["drill", "benign", "--out", "o.parquet", "--benign", "viral prompt"],
    "nothing to change": ["drill", "benign", "--out", "o.parquet", "--cover", "0.3"],
    "share out of range": ["drill", "A-JUN", "--out", "o.parquet", "--share", "15"],
    "unknown rung": ["drill", "A-JUN", "--out", "o.parquet", "--shufle"],
    "over the log": ["drill", "A-JUN", "--into", "good.jsonl", "--out", "good.jsonl"],
    "over a log in a folder": ["drill", "A-JUN", "--into", "logs", "--out", "logs/a.jsonl"],
    "truth over the log": ["drill", "A-JUN", "--into", "logs/a.truth.parquet", "--out", "logs/a.csv"],
    "drill over a file": ["drill", "A-JUN", "--out", "good.jsonl", "--calls", "200"],
    "history over a file": ["drill", "mixed", "--out", "o.parquet", "--history-out", "good.jsonl", "--calls", "200"],
    "one truth for two logs": ["drill", "mixed", "--out", "o.parquet", "--history-out", "o.jsonl", "--calls", "200"],
    "marks over the log": ["marks", "good.jsonl", "--out", "good.jsonl"],
    "marks over a log in a folder": ["marks", "logs", "--out", "logs/a.jsonl"],
    "marks over a log of a glob": ["marks", "logs/*.jsonl", "--out", "mine/../logs/b.jsonl"],
    "rejected over the log": ["marks", "logs/b.rejected.jsonl", "--out", "logs/b"],
    "marks over a file": ["marks", "good.jsonl", "--out", "odd.txt"],
    "marks over a folder": ["marks", "good.jsonl", "--out", "logs"],
    "into nothing": ["drill", "A-JUN", "--into", "bad.jsonl", "--out", "o.parquet"],
    "into with innocents": ["drill", "A-JUN", "--into", "good.jsonl", "--out", "o.parquet", "--calls", "9"],
    "map without a log": ["drill", "A-JUN", "--map", "m.toml", "--out", "o.parquet"],
    "mistake in a map": ["scan", "flat.csv", "--out", "o", "--map", "m.toml"],
    "column of a map": ["scan", "flat.csv", "--out", "o", "--map", "who.toml"],
    "unknown event": ["scan", "good.jsonl", "--out", "o", "--context", "events.toml"],
    "unknown word of what is known": ["scan", "good.jsonl", "--out", "o", "--known", "known.toml"],
    "nothing to verify": ["verify", "mine"],
    "verified with another key": ["verify", "scanned", "--key", "other.key"],
    "verified without a key": ["verify", "scanned", "--key", "none.key"],
    "no scan": ["explain", "mine", "acct-1"],
    "unknown account": ["explain", "scanned", "acct-2"],
    "unknown account, for its holder": ["explain", "scanned", "acct-2", "--for-account"],
    "another key": ["explain", "scanned", "acct-1", "--key", "other.key"],
    "no key": ["explain", "scanned", "acct-1", "--key", "none.key"],
    "limits of no log": ["limits", "nowhere.parquet"],
    "limits of no record": ["limits", "bad.jsonl"],
    "unknown tradecraft": ["limits", "good.jsonl", "--tradecraft", "A-JUM"],
    "power out of range": ["limits", "good.jsonl", "--power", "1"],
    "limits over a folder": ["limits", "good.jsonl", "--out", "mine"],
    "demo into another folder": ["demo", "--out", "mine"],
    "unknown shell": ["completion", "tcsh"],
    "no command": [],
    "no command of a group": ["pack"],
    "a number without end": ["scan", "good.jsonl", "--out", "o", "--known", "long.toml"],
    "brackets without end": ["drill", "deep.toml", "--out", "o.parquet"],
    "a map without end": ["scan", "flat.csv", "--out", "o", "--map", "long.toml"],
    "prices without end": ["scan", "good.jsonl", "--out", "o", "--prices", "long.toml"],
    "endless weight": ["drill", "A-JUN", "--out", "o.parquet", "--benign", "homework=inf"],
    "no packs": ["scan", "good.jsonl", "--out", "o", "--packs", "nowhere"],
    "trust for nothing": ["scan", "good.jsonl", "--out", "o", "--trust", "other.key"],
}


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(cwd / "config"), "COLUMNS": "200"}
    return subprocess.run([sys.executable, "-m", "stillwatch", *args], capture_output=True, text=True, cwd=cwd, env=environment, timeout=120)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "odd.txt").write_text("hello\nworld\n")
    (tmp_path / "flat.csv").write_text("who,when,question\na,1,b\n")
    (tmp_path / "bad.jsonl").write_text('{"call_id": "1", "ts": -5, "account": "a", "model": "m"}\n')
    (tmp_path / "good.jsonl").write_text('{"call_id": "1", "ts": 1767225600000000, "account": "acct-1", "model": "m", "prompt": "hello there"}\n')
    (tmp_path / "broken.toml").write_text("calls = 100\nseeed = 3\n")
    (tmp_path / "events.toml").write_text('[[release]]\nmodel = "orion-6"\nat = 2026-01-02\nourss = true\n')
    (tmp_path / "known.toml").write_text('[[programme]]\nname = "a"\nreson = "b"\n')
    (tmp_path / "m.toml").write_text('acount = "who"\n')
    (tmp_path / "who.toml").write_text('call_id = "question"\naccount = "hwo"\n')
    (tmp_path / "other.key").write_text("22" * 32)
    (tmp_path / "other.key").chmod(0o600)
    (tmp_path / "long.toml").write_text(f"[[programme]]\nname = {'9' * 5000}\n")
    (tmp_path / "deep.toml").write_text(f"calls = {'[' * 5000}\n")
    (tmp_path / "logs").mkdir()
    for name in ("a.jsonl", "b.jsonl", "a.truth.parquet", "b.rejected.jsonl"):
        (tmp_path / "logs" / name).write_bytes((tmp_path / "good.jsonl").read_bytes())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    return tmp_path


def test_every_mistake_is_one_line_that_says_what_where_and_what_to_try(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from stillwatch.doors.cli import main

    assert run("scan", "good.jsonl", "--out", "scanned", cwd=place).returncode == 0
    held = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    # In this process: fifty starts of the program would take a minute.
    monkeypatch.chdir(place)
    for name, value in {"XDG_CONFIG_HOME": str(place / "config"), "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    told = []
    for name, args in MISTAKES.items():
        with pytest.raises(SystemExit) as stopped:
            main(args)
        out, error = capfd.readouterr()
        assert stopped.value.code == 2, (name, out, error)
        assert out == "" and len(error.strip().splitlines()) == 1, (name, error)
        told.append(f"{name}: {error.strip()}")
        assert not (place / "o").exists() and not (place / "o.parquet").exists()
    assert all(path.read_bytes() == content for path, content in held.items()), "no mistake costs a file"
    text = "\n".join(told) + "\n"
    if os.environ.get("STILLWATCH_SNAPSHOTS") == "write":
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text()


def test_a_result_lies_where_its_name_leads_whatever_is_not_there_on_the_way(place: Path) -> None:
    done = run("scan", "good.jsonl", "--out", "nowhere/../there", cwd=place)
    assert done.returncode == 0 and (place / "there" / "campaigns.jsonl").exists(), done.stderr


def test_an_interrupt_anywhere_ends_with_2(tmp_path: Path) -> None:
    """Also inside code that is made from a text, as dataclasses and compiled kernels are."""
    said = "from stillwatch.doors import cli\ncli.get_completion_class = lambda shell: exec('raise KeyboardInterrupt')\ncli.main(['completion', 'bash'])\n"
    (tmp_path / "interrupted.py").write_text(said)
    done = subprocess.run([sys.executable, "-m", "interrupted"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2 and "stopped before the end" in done.stderr


def test_mistakes_in_json(place: Path) -> None:
    done = run("scan", "nowhere.parquet", "--out", "o", "--json", cwd=place)
    assert done.returncode == 2 and set(json.loads(done.stdout)["error"]) == {"what", "where", "try"}


def test_scan_prints_a_summary_and_nothing_else_in_a_pipe(place: Path) -> None:
    done = run("scan", "good.jsonl", "--out", "o", cwd=place)
    assert done.returncode == 0 and done.stderr == "" and "1 calls read" in done.stdout and "report.html" in done.stdout
    done = run("scan", "good.jsonl", "--out", "o", "--json", cwd=place)
    assert json.loads(done.stdout)["calls_read"] == 1


def test_in_json_a_scan_does_not_read_its_cases_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from stillwatch import flow
    from stillwatch.doors.cli import main

    monkeypatch.setattr(flow, "watch", lambda *args, **rest: {"calls_read": 7})
    with pytest.raises(SystemExit) as stopped:
        main(["scan", "x.jsonl", "--out", str(tmp_path / "none"), "--json"])
    assert stopped.value.code == 0 and json.loads(capsys.readouterr().out) == {"calls_read": 7}


def test_explain_answers_in_words_and_json_and_for_the_holder(place: Path) -> None:
    run("scan", "good.jsonl", "--out", "o", "--pseudonymous", cwd=place)
    done = run("explain", "o", "acct-1", cwd=place)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith("acct-1: in no campaign\n1 call, 2026-01-01 00:00 to")
    told = json.loads(run("explain", "o", "acct-1", "--json", cwd=place).stdout)
    assert told["answer"] == "not in" and told["calls"] == 1 and told["change"] is None and told["ties"] == []
    done = run("explain", "o", "acct-1", "--for-account", cwd=place)
    assert done.stdout.startswith("acct-1: in no case") and "To object" in done.stdout
    told = json.loads(run("explain", "o", "acct-1", "--for-account", "--json", cwd=place).stdout)
    assert "ties" not in told and "change" not in told


def test_explain_imports_no_compiled_kernel(place: Path) -> None:
    run("scan", "good.jsonl", "--out", "o", cwd=place)
    code = (
        "import sys\nfrom stillwatch.doors.cli import main\ntry:\n    main(['explain', 'o', 'acct-1'])\nexcept SystemExit as done:\n    assert done.code == 0"
        "\nsys.exit(bool({'numba', 'scipy', 'networkit'} & set(sys.modules)))"
    )
    environment = {**os.environ, "XDG_CONFIG_HOME": str(place / "config")}
    done = subprocess.run([sys.executable, "-c", code], cwd=place, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_drill_prints_factors_and_assumptions(place: Path) -> None:
    done = run("drill", "A-JUN", "--out", "log.parquet", "--calls", "2000", "--seed", "5", cwd=place)
    assert done.returncode == 0 and "days x" in done.stdout and "assumed:" in done.stdout
    assert (place / "log.parquet").exists() and (place / "log.truth.parquet").exists()
    told = json.loads(run("drill", "A-JUN", "--out", "again.jsonl", "--calls", "2000", "--json", cwd=place).stdout)
    assert set(told["campaigns"][0]["factors"]) == {"days", "accounts", "calls_per_account"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(place: Path, shell: str) -> None:
    done = run("completion", shell, cwd=place)
    assert done.returncode == 0 and "_STILLWATCH_COMPLETE" in done.stdout


def test_version_and_help_are_quick_and_import_no_kernels(place: Path) -> None:
    assert run("--version", cwd=place).stdout.startswith("stillwatch ")
    code = "import sys, stillwatch.doors.cli; sys.exit('numba' in sys.modules or 'pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("json_", [False, True])
def test_being_stopped_is_the_users_wish_and_exit_2(json_: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from stillwatch import flow
    from stillwatch.doors.cli import main

    def stopped(*args: object, **rest: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(flow, "watch", stopped)
    with pytest.raises(SystemExit) as ended:
        main(["scan", "x.jsonl", "--out", str(tmp_path / "o"), *(["--json"] if json_ else [])])
    said = capsys.readouterr()
    assert ended.value.code == 2
    if json_:
        assert json.loads(said.out)["error"]["what"].startswith("stopped")
    else:
        assert said.err.strip() == "stillwatch: stopped before the end; nothing is half-written; run it again"


def test_our_fault_is_one_line_and_exit_1(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logs: Logs) -> None:
    from stillwatch import flow
    from stillwatch.doors.cli import main

    def broken(*args: object, **rest: object) -> None:
        raise ZeroDivisionError("a prompt that nobody may see")

    monkeypatch.setattr(flow, "watch", broken)
    with pytest.raises(SystemExit) as stopped:
        main(["scan", str(logs.log), "--out", str(place / "o")])
    said = capsys.readouterr().err
    assert stopped.value.code == 1 and len(said.splitlines()) == 1 and "ZeroDivisionError" in said and "prompt" not in said
