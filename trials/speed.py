"""How long a scan of 100,000 calls takes, and how that compares with a plain read of the same columns.

    python trials/speed.py [LOG] [--rounds 3]

Without LOG, the `mixed` scenario is made on the spot. The floor is pyarrow reading the same columns of the same Parquet file and touching
every byte. Kernels are compiled before the first measured round. Prints minimum, median and maximum.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.calls import SCHEMA
from stillwatch.drill import compose, scenario


def floor(log: Path) -> float:
    """Seconds to read every column that a scan reads, and to sum every byte of it."""
    began = time.perf_counter()
    total = 0
    for column in pq.read_table(log, columns=[name for name in SCHEMA.names if name in pq.read_schema(log).names]).columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                if buffer is not None:
                    total += int(np.frombuffer(buffer, np.uint8).sum())
    assert total > 0
    return time.perf_counter() - began


def scan(log: Path, out: Path, key: Path) -> tuple[float, float, int]:
    """(wall seconds of the whole process, seconds of the scan itself, peak bytes)."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "stillwatch", "scan", str(log), "--out", str(out), "--key", str(key), "--json"], capture_output=True, check=True
    )
    summary = json.loads(done.stdout)
    return time.perf_counter() - began, summary["seconds"], summary["peak_bytes"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        log = args.log
        if log is None:
            log = folder / "log.parquet"
            compose.write(compose.compose(scenario.load("mixed")), log)
        scan(log, folder / "out", folder / "key")
        rounds = [(floor(log), *scan(log, folder / "out", folder / "key")) for _ in range(args.rounds)]
    print(f"{pq.read_metadata(log).num_rows if log.exists() else '100,000'} calls, pyarrow {pa.__version__}")
    for name, values in (("read (s)", [r[0] for r in rounds]), ("whole process (s)", [r[1] for r in rounds]), ("scan (s)", [r[2] for r in rounds])):
        print(f"{name:18} min {min(values):.2f}  median {statistics.median(values):.2f}  max {max(values):.2f}")
    print(f"whole process / read: {statistics.median(r[1] / r[0] for r in rounds):.1f}; peak {max(r[3] for r in rounds) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
