"""Files that appear whole or not at all, and never beside another's truth, at any moment of death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch import flow
from stillwatch.drill import compose
from stillwatch.drill.scenario import Scenario
from stillwatch.errors import UserError
from stillwatch.files import publish, rejected_path

KILLED = """
import os, signal, sys
left, replace = int(sys.argv[1]), os.replace

def dies(source, target):
    global left
    if not str(target).endswith((".sealed", ".key")):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = dies
"""
"Dies in the place of putting one more file into its place than the argument says."

DRILL = """
from pathlib import Path
from stillwatch.drill import compose
from stillwatch.drill.scenario import Scenario
compose.write(compose.compose(Scenario("new", calls=40, seed=2)), Path("log.parquet"))
"""
MARKS = """
from pathlib import Path
from stillwatch import flow
flow.marks(["log.jsonl"], Path("log.marks"), key=Path("my.key"))
"""
CALL = '{"call_id": "%d", "ts": 1767225600000000, "account": "a", "model": "m"}\n'


def killed(code: str, placed: int, cwd: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED + code, str(placed)], cwd=cwd, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr


def parts(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".part")]


def test_a_file_appears_whole_and_replaces_an_earlier_one_whole(tmp_path: Path) -> None:
    out, about = tmp_path / "deep" / "out", tmp_path / "deep" / "out.about"
    for word in ("one", "two"):
        with publish(out, outdated=[about]) as part:
            part.write_text(word)
            assert part.parent == out.parent and "out" not in part.name and (not out.exists() or (out.read_text(), about.read_text()) == ("one", "one"))
        assert os.listdir(out.parent) == ["out"] and out.read_text() == word
        about.write_text(word)
    with pytest.raises(RuntimeError), publish(out, outdated=[about]) as part:
        part.write_text("half")
        raise RuntimeError
    assert out.read_text() == about.read_text() == "two" and sorted(os.listdir(out.parent)) == ["out", "out.about"]


def test_never_two_writers_and_nobody_sweeps_what_is_being_written(tmp_path: Path) -> None:
    with publish(tmp_path / "out") as part:
        part.write_text("one")
        with pytest.raises(UserError, match="another run is writing this file; wait for it"), publish(tmp_path / "out"):
            pytest.fail("two writers")
        with publish(tmp_path / "other") as beside:
            beside.write_text("two")
    assert (tmp_path / "out").read_text() == "one" and (tmp_path / "other").read_text() == "two"


@pytest.mark.parametrize("placed", [0, 1])
def test_a_drill_that_is_killed_leaves_no_truth_beside_another_log(placed: int, tmp_path: Path) -> None:
    compose.write(compose.compose(Scenario("old", calls=40, seed=1)), tmp_path / "log.parquet")
    rejected_path(tmp_path / "log.parquet").write_text("of the old log")
    old = pq.read_table(tmp_path / "log.parquet")
    killed(DRILL, placed, tmp_path)
    assert pq.read_table(tmp_path / "log.parquet").equals(old) == (placed == 0), "whole, the old or the new"
    assert not (tmp_path / "log.truth.parquet").exists() and not rejected_path(tmp_path / "log.parquet").exists()
    assert parts(tmp_path)
    told = compose.write(compose.compose(Scenario("next", calls=40, seed=3)), tmp_path / "next.parquet")
    assert not parts(tmp_path), "cleared away by the next run into this folder"
    assert pq.read_table(told["log"])["call_id"].equals(pq.read_table(told["truth"])["call_id"])


@pytest.mark.parametrize("placed", [0, 1])
def test_marks_that_are_killed_leave_no_rejected_records_of_others(placed: int, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(CALL % 1 + "{}\n")
    flow.marks([str(tmp_path / "log.jsonl")], tmp_path / "log.marks", key=tmp_path / "my.key")
    (tmp_path / "log.jsonl").write_text(CALL % 1 + CALL % 2 + "{}\n{}\n")
    killed(MARKS, placed, tmp_path)
    assert pq.read_table(tmp_path / "log.marks").num_rows == (2 if placed else 1) and not rejected_path(tmp_path / "log.marks").exists()
    assert parts(tmp_path)
    made = flow.marks([str(tmp_path / "log.jsonl")], tmp_path / "log.marks", key=tmp_path / "my.key")
    assert not parts(tmp_path) and Path(made["rejected"]).read_text().count("\n") == 2


def test_an_earlier_drill_and_earlier_marks_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(CALL % 1)
    for _ in range(2):
        flow.rehearse("benign", tmp_path / "drill.parquet", calls=60)
        flow.marks([str(tmp_path / "log.jsonl")], tmp_path / "log.marks", key=tmp_path / "my.key")
    (tmp_path / "drill.truth.parquet").unlink()
    with pytest.raises(UserError, match="no truth lies beside it"):
        flow.rehearse("benign", tmp_path / "drill.parquet", calls=60)


def test_a_folder_with_rejected_records_beside_a_log_is_a_log(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "log.jsonl").write_text(CALL % 1 + "{}\n")
    flow.marks([str(tmp_path / "in")], tmp_path / "made" / "log.marks", key=tmp_path / "my.key")
    assert rejected_path(tmp_path / "made" / "log.marks").exists()
    assert flow.watch([str(tmp_path / "made")], tmp_path / "scan", key=tmp_path / "my.key")["calls_read"] == 1
