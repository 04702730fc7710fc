"""A scan on Spark leaves what a scan on one machine leaves, byte for byte; whatever dies on the way changes nothing, and no secret is written down.

One Spark for most of it: real workers in processes of their own, a task a file, many small parts, and everything it writes in one folder.
"""

from __future__ import annotations

import base64
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from faults import DyingTaking, DyingWork
from pyspark.sql import SparkSession

from conftest import Logs
from read_back import holding, pieces, quoting
from spark import differing
from stillwatch import flow, sources
from stillwatch.earlier import RUNS
from stillwatch.engines import disk
from stillwatch.engines.spark import work as works
from stillwatch.engines.spark.parts import OnSpark, named
from stillwatch.errors import UserError
from stillwatch.parts import Work

SECRET = "c0ffee" + "5a17" * 14 + "ab"
"A hashing key that nothing else looks like."


@dataclass(frozen=True)
class Place:
    """A session, and where it writes."""

    session: SparkSession
    folder: Path

    @property
    def events(self) -> Path:
        """Its event log."""
        return self.folder / "events"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("spark")
    (folder / "events").mkdir()
    # Workers are processes of their own: what tests hand to tasks must be found there.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_DIRS"] = str(folder / "local")
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "2g",
        "spark.sql.shuffle.partitions": "6",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": (folder / "events").as_uri(),
        "spark.eventLog.compress": "false",
    }
    builder = SparkSession.builder.master("local[2,4]").appName("tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield Place(session, folder)
    session.stop()


@pytest.fixture(scope="session")
def earlier(logs: Logs, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The history as the folder of a scan."""
    out = tmp_path_factory.mktemp("earlier") / "scan"
    flow.watch([str(logs.history)], out, key=key)
    return out


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "hashing.key"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small log makes many parts."""
    monkeypatch.setattr(disk, "CALLS", 500)


def split(table: pa.Table, folder: Path, files: int) -> Path:
    """A log in several files."""
    folder.mkdir()
    step = -(-table.num_rows // files)
    for number in range(files):
        pq.write_table(table.slice(number * step, step), folder / f"{number}.parquet")
    return folder


def one_large(table: pa.Table, share: int) -> pa.Table:
    """The log with one organisation that has most of the calls: `share` of ten accounts belong to it."""
    names = table["account"].to_pylist()
    mine = pa.array([sum(name.encode()) % 10 < share for name in names])
    at = table.schema.get_field_index("org")
    return table.set_column(at, "org", pc.if_else(mine, "the large one", table["org"]))


def scan(log: Path, out: Path, key: Path, **rest: Any) -> dict[str, Any]:
    return flow.watch([str(log)], out, key=key, **rest)


def _messy(logs: Logs, folder: Path) -> Path:
    """The drill's log in nine files, with calls that are delivered again in another file (one of them with an earlier time), records that cannot be used,
    and two files in the middle that break off."""
    table = pq.read_table(logs.log)
    split(table, folder, 9)
    again = pa.concat_tables([table.slice(100, 60), table.slice(150, 1).set_column(1, "ts", pa.array([1_700_000_000_000_000])).cast(table.schema)])
    pq.write_table(again, folder / "4-again.parquet")
    whole = (folder / "5.parquet").read_bytes()
    (folder / "5-broken.parquet").write_bytes(whole[: len(whole) // 2])
    lines = [f'{{"call_id": "x{n}", "ts": {1_767_300_000_000_000 + n}, "account": "odd {n % 7}", "model": "m", "prompt": "hello {n}"}}' for n in range(20_000)]
    lines[10:10] = ["not json", '{"call_id": "y"}']
    packed = gzip.compress("\n".join(lines).encode())
    (folder / "6-broken.jsonl.gz").write_bytes(packed[: len(packed) - 5000])
    return folder


class Watching:
    """Looks, as long as something runs, whether any file holds the hashing key."""

    def __init__(self, *folders: Path) -> None:
        self.found: set[Path] = set()
        self.looked = 0
        self._folders, self._stop = folders, threading.Event()
        raw = bytes.fromhex(SECRET)
        self._wanted = (raw, SECRET.encode(), base64.b64encode(raw)[:40])
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            for path in (Path(where) / name for folder in self._folders for where, _, names in os.walk(folder) for name in names):
                try:
                    data = path.read_bytes()
                except OSError:
                    continue  # it was there for a moment only
                self.looked += 1
                if any(word in data for word in self._wanted):
                    self.found.add(path)

    def __enter__(self) -> Watching:
        self._thread.start()
        return self

    def __exit__(self, *rest: object) -> None:
        self._stop.set()
        self._thread.join()


def test_a_messy_log_with_workers_that_die_gives_the_same_and_no_secret_is_written(
    logs: Logs, key: Path, spark: Place, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = _messy(logs, tmp_path / "log")
    scan(log, tmp_path / "local", key, history=[str(logs.history)])
    each = OnSpark.each
    monkeypatch.setattr(sources, "Taking", partial(DyingTaking, marker=str(tmp_path / "died while reading")))

    def dying(log: OnSpark, work: Work, reads: Sequence[str], sums: Sequence[str] = (), ordered: bool = True) -> dict[str, pa.Table]:
        return each(log, DyingWork(work, str(tmp_path / f"died {named(work)}")), reads, sums, ordered)

    monkeypatch.setattr(OnSpark, "each", dying)
    monkeypatch.setattr(works.Folder, "delete", lambda self, url=None: None)
    (tmp_path / "work").mkdir()
    with Watching(spark.folder, tmp_path / "work") as watching:
        summary = scan(log, tmp_path / "spark", key, history=[str(logs.history)], engine="spark", work=str(tmp_path / "work"))
    assert len(list(tmp_path.glob("died *"))) >= 5, "workers died"
    assert differing(tmp_path / "local", tmp_path / "spark") == []
    assert summary["calls_duplicate"] > 0 and summary["calls_rejected"] == 3 and summary["alerts"]
    reasons = (tmp_path / "spark" / "rejected.jsonl").read_text()
    assert "5-broken.parquet" in reasons and "truncated" in reasons
    assert not watching.found and watching.looked > 100
    table = pq.read_table(logs.log, columns=["account", "prompt"])
    events = [path for path in spark.events.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in events) > 10**6, "there is an event log"
    names, texts = set(table["account"].to_pylist()), pieces(text for text in table["prompt"].to_pylist() if text)
    for folder in (spark.events, tmp_path / "work"):
        assert holding(folder, names) == [] and quoting(folder, texts) == [], folder


def test_what_is_looked_for_would_be_found(logs: Logs, tmp_path: Path) -> None:
    """The checks above, on files that do hold a name, a text and the key."""
    table = pq.read_table(logs.log, columns=["account", "prompt"])
    prompt = next(text for text in table["prompt"].to_pylist() if text and len(text) > 100)
    pq.write_table(pa.table({"told": [table["account"][0].as_py()], "body": [prompt.encode()]}), tmp_path / "a.parquet")
    assert holding(tmp_path, {table["account"][0].as_py()}) and quoting(tmp_path, pieces([prompt]))
    with Watching(tmp_path) as watching:
        (tmp_path / "b").write_bytes(b"before" + bytes.fromhex(SECRET) + b"after")
        time.sleep(1)
    assert watching.found == {tmp_path / "b"}


def test_one_organisation_with_most_of_the_calls(logs: Logs, key: Path, earlier: Path, spark: Place, small: None, tmp_path: Path) -> None:
    table = one_large(pq.read_table(logs.log), 7)
    assert sum(org == "the large one" for org in table["org"].to_pylist()) > table.num_rows / 2
    log = split(table, tmp_path / "log", 7)
    scan(log, tmp_path / "local", key, history=[str(earlier)])
    scan(log, tmp_path / "spark", key, history=[str(earlier)], engine="spark")
    assert differing(tmp_path / "local", tmp_path / "spark") == []
    assert not list(tmp_path.rglob("stillwatch-*")), "the work folder is gone"


def test_a_scan_goes_on_with_one_on_the_other_engine(logs: Logs, key: Path, earlier: Path, spark: Place, tmp_path: Path) -> None:
    """Day by day: the first on Spark, the second here, the third on Spark again."""
    table = pq.read_table(logs.log).sort_by("ts")
    cuts = np.linspace(0, table.num_rows, 4).astype(int)
    days = [table.slice(start, end - start) for start, end in zip(cuts[:-1], cuts[1:], strict=True)]
    days[2] = pa.concat_tables([days[2], days[0].slice(0, 40)])
    for number, day in enumerate(days):
        pq.write_table(day, tmp_path / f"{number}.parquet")
    pq.write_table(pa.concat_tables(days), tmp_path / "all.parquet")
    how = {"history": [str(earlier)]}
    scan(tmp_path / "all.parquet", tmp_path / "whole", key, **how)
    for number, engine in enumerate(("spark", "local", "spark")):
        onto = tmp_path / f"day{number - 1}" if number else None
        scan(tmp_path / f"{number}.parquet", tmp_path / f"day{number}", key, engine=engine, onto=onto, **how)
        assert len(list((tmp_path / f"day{number}" / RUNS).glob("*.arrow"))) == number + 1
    assert differing(tmp_path / "whole", tmp_path / "day2") == []


def test_marks_are_read_with_their_names_and_a_mistake_is_told(logs: Logs, key: Path, spark: Place, tmp_path: Path) -> None:
    flow.marks([str(logs.log)], tmp_path / "log.marks", key=key)
    scan(tmp_path / "log.marks", tmp_path / "local", key)
    scan(tmp_path / "log.marks", tmp_path / "spark", key, engine="spark")
    assert differing(tmp_path / "local", tmp_path / "spark") == []
    with pytest.raises(UserError) as raised:
        scan(tmp_path / "log.marks", tmp_path / "other", logs.key, engine="spark")
    assert str(raised.value) == f"{tmp_path / 'log.marks'}: these marks were made with another hashing key; pass the key they were made with by --key"
    assert not (tmp_path / "other").exists()


def test_mistakes_are_one_line(logs: Logs, key: Path, spark: Place, tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        flow.watch([pq.read_table(logs.log)], tmp_path / "out", key=key, engine="spark")
    assert str(raised.value) == "--engine spark: a table in memory is not where a cluster could read it; write it to a file, or use the local engine"
    (tmp_path / "bad.jsonl").write_text('{"call_id": "1", "ts": 1767300000000000, "account": "", "model": "m"}\n' * 3)
    with pytest.raises(UserError, match="no usable record .3 rejected; the first, .*bad.jsonl line 1: account is missing or empty"):
        scan(tmp_path / "bad.jsonl", tmp_path / "out", key, engine="spark")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"], "nothing is half-written"


def _executors(parent: int) -> list[int]:
    """Executors among the descendants of a process."""
    parents, named = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            named[int(path.name)] = (path / "cmdline").read_bytes()
        except OSError:
            continue
    mine = {parent}
    while more := {child for child, above in parents.items() if above in mine} - mine:
        mine |= more
    return sorted(each for each in mine if b"CoarseGrainedExecutorBackend" in named.get(each, b""))


def test_an_executor_is_lost(logs: Logs, key: Path, earlier: Path, tmp_path: Path) -> None:
    """By the command line, on two executors in processes of their own; one is killed when the log was read and work on its parts has begun."""
    log = split(pq.read_table(logs.log), tmp_path / "log", 6)
    scan(log, tmp_path / "local", key, history=[str(earlier)])
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "stillwatch", "scan", str(log), "--out", str(tmp_path / "spark"), "--key", str(key), "--history", str(earlier)]
    command += ["--engine", "spark", "--work", str(tmp_path / "work")]
    environment = {**os.environ, "SPARK_MASTER": "local-cluster[2,1,1024]", "SPARK_LOCAL_DIRS": str(tmp_path / "scratch")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        end, lost = time.monotonic() + 400, 0
        while process.poll() is None and time.monotonic() < end and not lost:
            if list((tmp_path / "work").glob("stillwatch-*/000001*")) and len(running := _executors(process.pid)) == 2:
                lost = running[0]
                os.kill(lost, signal.SIGKILL)
            time.sleep(0.05)
        try:
            _, told = process.communicate(timeout=max(1.0, end - time.monotonic()))
        finally:
            process.kill()
    assert lost, "there was an executor to lose"
    assert process.returncode == 0, told[-3000:]
    assert "Lost executor" in told
    assert differing(tmp_path / "local", tmp_path / "spark") == []
    assert not list((tmp_path / "work").iterdir()), "the work folder is empty again"
    assert disk.CALLS == 300_000


def test_without_java_it_is_said_what_to_do(logs: Logs, key: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "SPARK_HOME", "PYSPARK_GATEWAY_PORT")}
    command = [sys.executable, "-m", "stillwatch", "scan", str(logs.log), "--out", str(tmp_path / "out"), "--key", str(key), "--engine", "spark"]
    done = subprocess.run(command, env={**environment, "PATH": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "stillwatch: --engine spark: there is no Java; install Java 17 or later, or set JAVA_HOME to it\n")
    assert not (tmp_path / "out").exists()
