"""How long a scan of millions of calls takes, beside a plain read of the same columns, how much memory it needs, and whether it finds what is planted.

    python trials/scale/bench.py LOGDIR [--history DIR] [--rounds 2] [--out FILE] [--key FILE]

LOGDIR is one that trials/scale/make.py wrote. Floor and scan take turns, each as a process of its own on the same two processors, after a warm-up (every file
is read once, and a scan of the first calls compiles the kernels). The floor reads, with pyarrow and two threads, every column that a scan reads of the log, and of the
history where that is a log and not an earlier scan, a row group at a time, and touches every byte of every buffer. Its seconds are those of the reading alone, the scan's those of
the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.calls import SCHEMA

THREADS = 2
"Threads of the floor, and processors of both."

BATCH = 65_536
"Calls that the floor holds at a time, in each thread."

WARM = 65_536
"Calls of the scan that compiles the kernels."

ROOM = 2e9
"Bytes that must be free beside as many as the log has: a scan may put things by."

TEXT = ("prompt", "system", "response")
NAMED = ("alert", "review")


def files(folder: Path) -> list[Path]:
    """The log's files."""
    return sorted(each for each in folder.glob("*.parquet") if not each.name.endswith((".truth.parquet", ".rejected.parquet")))


def touch(file: Path) -> dict[str, int]:
    """Read the columns of a file that a scan reads and add up every byte: calls, bytes of text, and the sum, so that nothing is left out."""
    calls = text = total = 0
    with pq.ParquetFile(file) as held:
        wanted = [name for name in SCHEMA.names if name in held.schema_arrow.names]
        for batch in held.iter_batches(batch_size=BATCH, columns=wanted, use_threads=False):
            calls += len(batch)
            for name, column in zip(wanted, batch.columns, strict=True):
                for buffer in column.buffers():
                    if buffer is not None:
                        whole = buffer.size // 8 * 8
                        total ^= int(np.frombuffer(buffer, np.uint64, whole // 8).sum())
                        total ^= int(np.frombuffer(buffer, np.uint8)[whole:].sum())
                if name in TEXT:
                    text += int(pc.sum(pc.binary_length(column)).as_py() or 0)
    return {"calls": calls, "text": text, "sum": total}


def floor(folders: list[Path]) -> dict[str, Any]:
    """The floor, in this process."""
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(touch, [file for folder in folders for file in files(folder)]))
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "calls": sum(each["calls"] for each in done), "text_bytes": sum(each["text"] for each in done)}


def run(command: list[str]) -> tuple[dict[str, Any], float, int]:
    """(what a process printed as JSON, its wall seconds, its peak memory in bytes), on THREADS processors."""
    processors = sorted(os.sched_getaffinity(0))[:THREADS]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(command, stdout=told, preexec_fn=lambda: os.sched_setaffinity(0, processors))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if child.returncode:
            sys.exit(f"error: {' '.join(command[:5])} ended with {child.returncode}; its message stands above")
        told.seek(0)
        return json.loads(told.read()), seconds, usage.ru_maxrss * 1024


def scan(log: Path, history: list[Path], out: Path, key: Path) -> dict[str, Any]:
    """A scan as anybody runs it."""
    before = [part for each in history for part in ("--history", str(each))]
    told, seconds, peak = run([sys.executable, "-m", "stillwatch", "scan", str(log), *before, "--out", str(out), "--key", str(key), "--json"])
    return {
        "seconds": seconds,
        "inside": told["seconds"],
        "peak_bytes": told["peak_bytes"],
        "peak_rss": peak,
        "calls": told["calls_read"],
        "rejected": told["calls_rejected"],
    }


def found(log: Path, out: Path) -> dict[str, Any]:
    """What the alerts and reviews name, beside the truth; recall and precision count accounts, recall also calls."""
    truth = pq.read_table(log / "log.truth.parquet").to_pylist()
    guilty = {row["account"]: row["calls"] for row in truth if row["campaign"] is not None}
    label = {row["account"]: row["class"] for row in truth}
    named: set[str] = set()
    cases = []
    for line in (out / "campaigns.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if case["verdict"] in NAMED:
            named |= set(case["accounts"])
            cases.append({"verdict": case["verdict"], "accounts": len(case["accounts"]), "guilty": sum(each in guilty for each in case["accounts"])})
    caught = named & set(guilty)
    classes: dict[str, int] = {}
    for account in sorted(named - set(guilty)):
        classes[label[account]] = classes.get(label[account], 0) + 1
    return {
        "cases": cases, "campaign_accounts": len(guilty), "found": len(caught), "innocents": len(named) - len(caught), "innocent_classes": classes,
        "recall": len(caught) / len(guilty) if guilty else None, "precision": len(caught) / len(named) if named else None,
        "recall_of_calls": sum(guilty[each] for each in caught) / sum(guilty.values()) if guilty else None,
    }  # fmt: skip


def warm(log: Path, scratch: Path, key: Path) -> None:
    """Compile the kernels on the first calls, once as log and once as history."""
    small = scratch / "small"
    small.mkdir()
    with pq.ParquetFile(files(log)[0]) as held:
        pq.write_table(pa.Table.from_batches([next(held.iter_batches(batch_size=WARM))]), small / "small.parquet")
    scan(small, [small], scratch / "warm", key)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--history", type=Path, action="append", default=[], help="an earlier log or scan; may be given several times")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--key", type=Path, help="the hashing key; default: one that is made for the purpose")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--floor", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    read = [args.log, *(each for each in args.history if not (each / "summary.json").is_file())]
    if args.floor:
        print(json.dumps(floor(read)))
        return
    for folder in read:
        if not files(folder):
            sys.exit(f"error: {folder} holds no Parquet files; make a log with trials/scale/make.py")
    size = sum(file.stat().st_size for folder in read for file in files(folder))
    if shutil.disk_usage(tempfile.gettempdir()).free < size + ROOM:
        sys.exit(f"error: {tempfile.gettempdir()} has no room for {(size + ROOM) / 1e9:.0f} GB; set TMPDIR to a disk that has")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        key = args.key or scratch / "key"
        reading = [sys.executable, __file__, str(args.log), "--floor", *(part for each in args.history for part in ("--history", str(each)))]
        warm(args.log, scratch, key)
        run(reading)
        rounds = []
        for _ in range(args.rounds):
            shutil.rmtree(scratch / "out", ignore_errors=True)  # no room for two
            least, _, least_peak = run(reading)
            rounds.append({"floor": {**least, "peak_rss": least_peak}, "scan": scan(args.log, args.history, scratch / "out", key)})
            print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
        told = report(args.log, rounds, found(args.log, scratch / "out"), size)
    if args.out:
        args.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def report(log: Path, rounds: list[dict[str, Any]], hit: dict[str, Any], size: int) -> dict[str, Any]:
    """Print the figures and return them."""
    least, took = rounds[0]["floor"], rounds[0]["scan"]
    seconds = statistics.median(each["scan"]["seconds"] for each in rounds)
    ratio = statistics.median(each["scan"]["seconds"] / each["floor"]["seconds"] for each in rounds)
    told = {
        "log": log.name, "calls": took["calls"], "calls_read_with_history": least["calls"], "text_bytes": least["text_bytes"], "disk_bytes": size, "rounds": rounds, "ratio": ratio,
        "calls_a_second": least["calls"] / seconds, "text_mb_a_second": least["text_bytes"] / 1e6 / seconds, "peak_bytes": max(each["scan"]["peak_rss"] for each in rounds),
        "found": hit, "pyarrow": pa.__version__,
    }  # fmt: skip
    print(
        f"{took['calls']:,} calls ({least['calls']:,} with history that is read), {least['text_bytes'] / 1e9:.2f} GB of text, {size / 1e9:.2f} GB on the disk"
    )
    for name in ("floor", "scan"):
        values = [each[name]["seconds"] for each in rounds]
        print(
            f"{name:6} min {min(values):.1f} s  median {statistics.median(values):.1f} s  max {max(values):.1f} s   peak {max(each[name]['peak_rss'] for each in rounds) / 1e9:.2f} GB"
        )
    print(f"scan / floor {ratio:.1f}; {told['calls_a_second']:,.0f} calls/s, {told['text_mb_a_second']:.0f} MB of text/s; {took['rejected']} rejected")
    print(f"found {hit['found']} of {hit['campaign_accounts']} accounts of the campaign, {hit['innocents']} innocents named {hit['innocent_classes'] or ''}")
    for case in hit["cases"]:
        print(f"  {case['verdict']:6} {case['accounts']:6} accounts, {case['guilty']} of the campaign")
    return told


if __name__ == "__main__":
    main()
