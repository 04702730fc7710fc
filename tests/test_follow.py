"""A stream ends where one scan of everything ends, whatever came late, twice or in pieces, and whenever it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Logs
from stillwatch import flow, following
from stillwatch.doors.report import page
from stillwatch.earlier import RUNS
from stillwatch.engines import runs, stream
from stillwatch.errors import UserError
from stillwatch.intake import growing
from stillwatch.store import checkpoints

CALLS = 4_000
"Calls of the log that are followed."

PLAIN = ("seconds", "peak_bytes", "parameters", "seal", "scan", "stream", "unfinished_lines", "unexamined")
"Parts of the summary that tell of a scan, not of its log."


@pytest.fixture(scope="module")
def history(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("follow") / "history"
    flow.watch([str(logs.history)], out, key=logs.key)
    return out


@pytest.fixture(scope="module")
def pieces(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six files: calls up to a day late, some of them twice in the same file and in later ones, and two records that cannot be used."""
    folder = tmp_path_factory.mktemp("pieces")
    table = pq.read_table(logs.log).sort_by("ts").slice(0, CALLS)
    rng = np.random.default_rng(3)
    ts = table["ts"].to_numpy()
    late = np.where(rng.random(CALLS) < 0.15, rng.exponential(12 * 3.6e9, CALLS), 0)
    assert (late >= 6 * 3.6e9).sum() > 300, "many are six hours late and more"
    table = table.take(np.argsort(ts + late, kind="stable"))
    for number in range(6):
        mine = table.slice(number * CALLS // 6, CALLS // 6)
        again = table.slice(max(0, number - 3) * CALLS // 6, 40)
        mine = pa.concat_tables([mine, mine.slice(5, 3), again])
        if number == 4:
            mine = pa.concat_tables([mine, mine.slice(0, 2).set_column(1, "ts", pa.array([5, 6])).cast(mine.schema)])
        pq.write_table(mine, folder / f"{number}.parquet")
    return folder


@pytest.fixture(scope="module")
def whole(logs: Logs, history: Path, pieces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "scan"
    flow.watch([str(pieces)], out, history=[str(history)], key=logs.key, render=page.render)
    return out


@pytest.fixture(scope="module")
def followed(logs: Logs, history: Path, pieces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("followed") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing, "PORTION", 1)
        _follow(logs, history, out, pieces)
    return out


def _follow(logs: Logs, history: Path, out: Path, *sources: Path, **rest: Any) -> dict[str, Any]:
    return flow.follow([str(source) for source in sources], out, history=[str(history)], key=logs.key, **{"once": True, "render": page.render, **rest})


def _told(folder: Path) -> dict[str, Any]:
    summary = json.loads((folder / "summary.json").read_bytes())
    held: dict[str, Any] = {"summary": {name: value for name, value in summary.items() if name not in PLAIN}}
    held |= {name: (folder / name).read_bytes() for name in ("campaigns.jsonl", "rejected.jsonl", "accounts.parquet")}
    return held | {path.name: pq.read_table(path).sort_by("unit") for path in (folder / "states").glob("organisations.parquet")}


def test_the_end_is_what_one_scan_of_everything_gives(followed: Path, whole: Path) -> None:
    assert (followed / "campaigns.jsonl").read_bytes().count(b"\n") > 0
    assert _told(followed) == _told(whole)
    summary = json.loads((followed / "summary.json").read_bytes())
    assert summary["calls_duplicate"] == 6 * 43 and summary["calls_rejected"] == 2 and summary["stream"]["micro_batches"] == 6
    assert len(runs.found(followed / RUNS)) < 6, "small runs are put together"


def test_what_is_known_stands_beside_the_cases_as_a_scan_tells_it_and_is_read_again(
    logs: Logs, history: Path, pieces: Path, followed: Path, tmp_path: Path
) -> None:
    case = json.loads((followed / "campaigns.jsonl").read_text().splitlines()[0])
    named = json.dumps(case["accounts"][:5])
    known, growing_log = tmp_path / "known.toml", tmp_path / "logs"
    known.write_text(f'[[programme]]\nname = "a round"\nreason = "agreed"\nexpires = 2999-12-31\naccounts = {named}\n')
    growing_log.mkdir()
    files = sorted(pieces.iterdir())
    for file in files[:3]:
        (growing_log / file.name).write_bytes(file.read_bytes())
    _follow(logs, history, tmp_path / "out", growing_log, known=known)
    known.write_text(known.read_text() + known.read_text().replace("a round", "a second").replace("agreed", "agreed since"))
    for file in files[3:]:
        (growing_log / file.name).write_bytes(file.read_bytes())
    summary = _follow(logs, history, tmp_path / "out", growing_log, known=known)
    flow.watch([str(growing_log)], tmp_path / "scan", history=[str(history)], key=logs.key, known=known, render=page.render)
    assert _told(tmp_path / "out") == _told(tmp_path / "scan")
    assert [each["entry"] for each in json.loads((tmp_path / "out" / "campaigns.jsonl").read_text().splitlines()[0])["known"]] == ["a round", "a second"]
    assert summary["parameters"]["known"] == str(known) and flow.verify(tmp_path / "out", key=logs.key)["verified"]
    known.write_text("[[programme]]\n")
    with pytest.raises(UserError, match="known"):
        _follow(logs, history, tmp_path / "out", growing_log, known=known)


def test_alerts_are_told_once_and_are_alerts_of_the_scan(followed: Path) -> None:
    alerts = following.rows(followed / "alerts.jsonl")
    assert alerts, "the log has a replay that nobody misses"
    assert len({line["campaign"] for line in alerts}) == len(alerts) and all(line["log10_e"] > 2 and line["calls_read"] < CALLS + 300 for line in alerts)
    last = {line["campaign"]: line["verdict"] for line in following.rows(followed / "campaigns.jsonl")}
    assert all(last.get(line["campaign"]) == "alert" for line in alerts)


def test_again_with_nothing_new_changes_nothing(logs: Logs, history: Path, pieces: Path, followed: Path) -> None:
    before = {path: path.read_bytes() for path in followed.rglob("*") if path.is_file()}
    _follow(logs, history, followed, pieces)
    assert {path: path.read_bytes() for path in followed.rglob("*") if path.is_file()} == before


KILLED = """
import os, signal, sys
from pathlib import Path
from stillwatch import flow
from stillwatch.intake import growing
from stillwatch.store import checkpoints, scans
growing.PORTION = 1
log, out, history, key, where, number = sys.argv[1:]
count = 0
def now(place):
    global count
    count += place == where
    if count == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
def around(owner, name, before, after):
    inner = getattr(owner, name)
    def outer(*args):
        now(before)
        made = inner(*args)
        now(after)
        return made
    setattr(owner, name, outer)
around(scans, "_appear", "before the exchange", "after the exchange")
around(scans, "_exchanged", "at the exchange", "between exchange and clearing away")
around(checkpoints.Checkpoint, "write", "before the checkpoint", "after the checkpoint")
flow.follow([log], Path(out), history=[history], key=Path(key), once=True, progress=lambda step, count: now(step))
"""


def test_a_kill_at_any_moment_loses_nothing_and_repeats_nothing(logs: Logs, history: Path, pieces: Path, followed: Path, tmp_path: Path) -> None:
    """One stream, killed at seven places one after the other; every time its folder is whole, and the end is that of the undisturbed one."""
    moments = [
        ("before the checkpoint", 1), ("after the exchange", 1), ("surveying", 1), ("before the exchange", 1), ("between exchange and clearing away", 1),
        ("writing", 1), ("after the checkpoint", 1),
    ]  # fmt: skip
    out, reached = tmp_path / "out", []
    for where, number in moments:
        done = subprocess.run([sys.executable, "-c", KILLED, *map(str, (pieces, out, history, logs.key, where)), str(number)], timeout=300, check=False)
        assert done.returncode in (0, -signal.SIGKILL), where
        reached.append(done.returncode)
        if out.exists():
            assert json.loads((out / "summary.json").read_bytes())["calls_read"] and checkpoints.read(out) is not None
            for run in runs.found(out / RUNS):
                runs.check(run)
    assert sum(reached) <= -6 * signal.SIGKILL, "most moments were met"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing, "PORTION", 1)
        _follow(logs, history, out, pieces)
    assert _told(out) == _told(followed)
    assert (out / "alerts.jsonl").read_bytes() == (followed / "alerts.jsonl").read_bytes()
    one, other = checkpoints.read(out), checkpoints.read(followed)
    assert one is not None and other is not None
    for name in ("accounts", "calls", "ticks", "shown", "spent"):
        assert np.array_equal(getattr(one[1], name), getattr(other[1], name)), name
    for name in ("uses", "nominated", "issued", "replays", "groups"):
        mine, theirs = getattr(one[1], name), getattr(other[1], name)
        assert all(np.array_equal(mine[column], theirs[column]) for column in mine), name
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing half-written is left"


def _lines(count: int, first: int = 0) -> list[bytes]:
    return [
        orjson.dumps({"call_id": f"c{i}", "ts": 1_750_000_000_000_000 + i * 1_000_000, "account": f"a{i % 7}", "model": "m", "prompt": f"what is {i}"})
        for i in range(first, first + count)
    ]


def test_json_lines_may_grow_by_whole_lines(tmp_path: Path) -> None:
    log, key = tmp_path / "log.jsonl", tmp_path / "k"
    lines = _lines(30)

    def read() -> dict[str, Any]:
        return flow.follow([str(log)], tmp_path / "out", key=key, once=True)

    log.write_bytes(b"\n".join(lines[:10]) + b"\n" + lines[10][:25])
    assert (told := read())["calls_read"] == 10 and told["unfinished_lines"] == 1
    log.write_bytes(b"\n".join(lines[:20]))  # the last line is whole, though no newline ends it
    assert (told := read())["calls_read"] == 20 and told["unfinished_lines"] == 0
    with log.open("ab") as file:
        file.write(b"\n" + b"\n".join(lines[20:25]) + b"\nnonsense\n" + b"\n".join(lines[25:]) + b"\n")
    assert (told := read())["calls_read"] == 30 and told["calls_rejected"] == 1 and told["calls_duplicate"] == 0
    assert following.rows(tmp_path / "out" / "rejected.jsonl")[0]["line"] == 26, "counted from the beginning of the file"
    flow.watch([str(log)], tmp_path / "scan", key=key)
    assert _told(tmp_path / "out") == _told(tmp_path / "scan")


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    log, key = tmp_path / "log.jsonl", tmp_path / "k"
    for first in (0, 100):  # as long as before, and another
        log.write_bytes(b"\n".join(_lines(10, 200 + first)) + b"\n")
        told = flow.follow([str(log)], tmp_path / "out", key=key, once=True)
    assert told["calls_read"] == 20
    pq.write_table(pa.Table.from_pylist([orjson.loads(line) for line in _lines(10, 300)]), tmp_path / "log.parquet")
    for count in (10, 12):  # a file that does not grow is read anew, and its calls count once
        pq.write_table(pa.Table.from_pylist([orjson.loads(line) for line in _lines(count, 400)]), tmp_path / "log.parquet")
        told = flow.follow([str(tmp_path / "log.parquet")], tmp_path / "other", key=key, once=True)
    assert told["calls_read"] == 22 and told["calls_duplicate"] == 10


def test_what_cannot_be_gone_on_with_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(_lines(20)))
    log, key = [str(tmp_path / "log.jsonl")], tmp_path / "k"
    flow.follow(log, tmp_path / "out", key=key, once=True)
    with pytest.raises(UserError, match="another key, unit or history"):
        flow.follow(log, tmp_path / "out", key=key, unit="key", once=True)
    with pytest.raises(UserError, match="another key, unit or history"):
        flow.follow(log, tmp_path / "out", key=key, history=log, once=True)
    flow.watch(log, tmp_path / "scan", key=key)
    with pytest.raises(UserError, match="holds the result of another command"):
        flow.follow(log, tmp_path / "scan", key=key, once=True)
    with pytest.raises(UserError, match="no such file or folder"):
        flow.follow([str(tmp_path / "gone.jsonl")], tmp_path / "new", key=key, once=True)
    (tmp_path / "bad.jsonl").write_bytes(b'{"call_id":"c","ts":5,"account":"a","model":"m"}\n')
    with pytest.raises(UserError, match=r"no usable record \(1 rejected; the first: ts lies outside"):
        flow.follow([str(tmp_path / "bad.jsonl")], tmp_path / "new", key=key, once=True)
    assert not (tmp_path / "new").exists()


def test_two_that_follow_into_one_folder_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "0.jsonl").write_bytes(b"\n".join(_lines(20)))
    log, out, key = [str(tmp_path / "logs")], tmp_path / "out", tmp_path / "k"
    inner = growing.state

    def meanwhile(sources: list[str]) -> dict[str, tuple[int, int]]:
        monkeypatch.setattr(growing, "state", inner)  # once: between two looks somebody else goes on
        (tmp_path / "logs" / "1.jsonl").write_bytes(b"\n".join(_lines(20, 20)))
        flow.follow(log, out, key=key, once=True)
        return inner(sources)

    monkeypatch.setattr(growing, "state", meanwhile)
    with pytest.raises(UserError, match="another run goes on with this folder"):
        flow.follow(log, out, key=key, every=0.1, until_idle=60)
    assert flow.follow(log, out, key=key, once=True)["calls_read"] == 40


def test_a_scan_takes_the_place_of_no_stream(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(_lines(20, 0)) + b"\n")
    flow.follow([str(tmp_path / "a.jsonl")], tmp_path / "out", key=tmp_path / "key", once=True)
    with pytest.raises(UserError, match="holds a stream"):
        flow.watch([str(tmp_path / "a.jsonl")], tmp_path / "out", key=tmp_path / "key")
    assert flow.follow([str(tmp_path / "a.jsonl")], tmp_path / "out", key=tmp_path / "key", once=True)["calls_read"] == 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: int) -> None:
    """Started on an empty folder; files appear; it stops with 0 and everything is examined or kept."""
    (tmp_path / "logs").mkdir()
    command = [sys.executable, "-m", "stillwatch", "follow", "logs", "--out", "out", "--key", "k", "--every", "0.2", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "STILLWATCH_TRACEBACK": "1"}) as started:
        for count in range(2):
            (tmp_path / "part").write_bytes(b"\n".join(_lines(20, 20 * count)) + b"\n")
            (tmp_path / "part").rename(tmp_path / "logs" / f"{count}.jsonl")
            until = time.monotonic() + 120
            while time.monotonic() < until and not ((tmp_path / "out").exists() and checkpoints.read(tmp_path / "out")[0].calls_read == 20 * (count + 1)):  # type: ignore[index]
                time.sleep(0.2)
        started.send_signal(number)
        out, err = started.communicate(timeout=120)
    assert (started.returncode, err) == (0, b""), err.decode()
    told = json.loads(out.splitlines()[-1])
    assert told["calls_read"] + told["unexamined"] == 40


def test_runs_put_together_hold_the_same_calls(tmp_path: Path, logs: Logs, followed: Path) -> None:
    held = runs.found(followed / RUNS)
    marks = pa.Table.from_batches([batch for run in held for batch in run.read(range(runs.BUCKETS), ["call", "ts"])]).sort_by(
        [("ts", "ascending"), ("call", "ascending")]
    )
    assert marks.num_rows == CALLS // 6 * 6 + 6 * 43
    parts = [runs.write(tmp_path / str(i), pa.Table.from_batches(held[0].read(range(i, runs.BUCKETS, 4), pa.schema(runs.MARKS).names))) for i in range(4)]
    made = stream.put_together(parts, tmp_path, "all")
    assert len(made) == 1 and made[0].rows == held[0].rows and np.array_equal(made[0].calls(), held[0].calls())
    assert not stream.fresh(made[0], [held[0]]).num_rows and stream.fresh(made[0], []).num_rows == len(np.unique(held[0].calls()))
