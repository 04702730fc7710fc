"""The same scan by the local engine and on Spark: seconds of each, step by step, and whether what they leave is the same, byte for byte.

    python trials/spark.py [LOG...] [--history DIR] [--calls 8000] [--keep DIR]

Without LOG, a drill of so many calls and its history are made on the spot, in nine files. Where Spark runs is said by its own configuration (SPARK_MASTER); a
session is started for each scan, and what it takes counts. What differs makes the trial fail.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch import flow
from stillwatch.drill import compose, scenario

BYTES = ("campaigns.jsonl", "accounts.parquet", "rejected.jsonl")
"Files that are compared byte for byte."

CLOCK = ("seconds", "peak_bytes", "parameters", "seal")
"What depends on the time, and the seal, which is of the files of marks: each engine cuts them in its own way."

UNORDERED = {"wordings.parquet"}
"Tables of which only the set of rows counts."


def differing(one: Path, other: Path) -> list[str]:
    """What differs between two scans' folders."""
    wrong = [name for name in BYTES if (one / name).read_bytes() != (other / name).read_bytes()]
    told = [json.loads((folder / "summary.json").read_bytes()) for folder in (one, other)]
    wrong += [f"summary: {name}" for name in {**told[0], **told[1]} if name not in CLOCK and told[0].get(name) != told[1].get(name)]
    tables = sorted(path.name for path in (one / "states").glob("*.parquet"))
    if tables != sorted(path.name for path in (other / "states").glob("*.parquet")):
        return [*wrong, "states: other files"]
    for name in tables:
        both = [pq.read_table(folder / "states" / name) for folder in (one, other)]
        if name in UNORDERED:
            both = [table.sort_by([(column, "ascending") for column in table.column_names]) for table in both]
        if not both[0].equals(both[1], check_metadata=True):
            wrong.append(f"states: {name}")
    return wrong


def made(folder: Path, calls: int) -> tuple[list[str], list[str]]:
    """A drill's log in nine files, and its history."""
    compose.write(compose.compose(scenario.load("demo").with_overrides(calls=calls)), folder / "drill.parquet")
    compose.write(compose.compose(scenario.load("demo-history").with_overrides(calls=calls * 3 // 2)), folder / "history.parquet")
    (folder / "log").mkdir()
    table = pq.read_table(folder / "drill.parquet")
    step = -(-table.num_rows // 9)
    for number, start in enumerate(range(0, table.num_rows, step)):
        pq.write_table(table.slice(start, step), folder / "log" / f"{number}.parquet")
    return [str(folder / "log")], [str(folder / "history.parquet")]


def scan(engine: str, logs: list[str], history: list[str], out: Path, key: Path) -> None:
    """One scan in this process, its steps told with the seconds at which they began."""
    began, last = time.monotonic(), ""

    def step(name: str, count: int) -> None:
        nonlocal last
        if name != last:
            print(f"  {time.monotonic() - began:8.1f} s {name}", flush=True)
            last = name

    summary = flow.watch(logs, out, history=history, key=key, engine=engine, progress=step)
    print(f"  {time.monotonic() - began:8.1f} s done: {summary['calls_read']:,} calls, {summary['peak_bytes'] / 1e9:.2f} GB in this process")


def _program(process: str) -> bytes:
    try:
        return Path("/proc", process, "cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return b""


class Family:
    """Processor seconds and memory of a process and all that come of it (JVM, Python workers), looked at twice a second. Linux only."""

    def __init__(self, root: int) -> None:
        self._root, self._used, self.peak, self.largest = root, dict[str, int](), 0, 0

    def look(self) -> None:
        """Look once; a process that has ended counts with what was last seen of it."""
        above, used, held = dict[str, str](), dict[str, int](), dict[str, int]()
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                told = path.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            above[path.parent.name] = told[1]
            used[path.parent.name] = int(told[11]) + int(told[12])
            held[path.parent.name] = int(told[21]) * os.sysconf("SC_PAGE_SIZE")
        mine = {str(self._root)}
        while more := {child for child, parent in above.items() if parent in mine} - mine:
            mine |= more
        self._used |= {each: used[each] for each in mine if each in used}
        self.peak = max(self.peak, sum(held.get(each, 0) for each in mine))
        # The JVM keeps what it was once given; what an organisation needs shows in the workers.
        self.largest = max([self.largest, *(held[each] for each in mine if each in held and b"java" not in _program(each))])

    @property
    def seconds(self) -> float:
        """Processor seconds so far, about."""
        return sum(self._used.values()) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Scan twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*")
    parser.add_argument("--history", action="append", default=[])
    parser.add_argument("--calls", type=int, default=8000)
    parser.add_argument("--keep", type=Path, help="folder for the results")
    parser.add_argument("--only", choices=("local", "spark"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        key = folder / "hashing.key"
        if options.only:
            scan(options.only, options.logs, options.history, folder / options.only, key)
            return
        folder.mkdir(parents=True, exist_ok=True)
        logs, history = (options.logs, options.history) if options.logs else made(folder, options.calls)
        key.write_text("11" * 32 + "\n")
        key.chmod(0o600)
        for engine in ("local", "spark"):
            print(engine, flush=True)
            given = [argument for each in history for argument in ("--history", each)]
            # A process each, so that neither finds anything ready.
            command = [sys.executable, __file__, *logs, *given, "--keep", str(folder), "--only", engine]
            with subprocess.Popen(command) as process:
                family = Family(process.pid)
                while process.poll() is None:
                    family.look()
                    time.sleep(0.5)
            if process.returncode:
                sys.exit(process.returncode)
            print(
                f"  {family.seconds:8.0f} processor seconds, {family.peak / 1e9:.1f} GB at most (pages that processes share count for each), "
                f"{family.largest / 1e9:.1f} GB in the largest Python process",
                flush=True,
            )
        wrong = differing(folder / "local", folder / "spark")
        print("the same, byte for byte" if not wrong else f"differs: {', '.join(wrong)}")
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
