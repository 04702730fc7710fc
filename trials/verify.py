"""How long `verify` takes beside the scan that it makes again, and how much memory; processes of their own, one after the other.

    python trials/verify.py LOG --history HISTORY

Prints what was verified, and of each command its seconds, processor seconds and peak memory.
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


def timed(*command: str) -> tuple[dict[str, object], float, float, float]:
    """What a command prints with --json; its seconds, processor seconds and peak memory in MB."""
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "stillwatch", *command, "--json"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    said = child.stdout.read()
    _, code, used = os.wait4(child.pid, 0)
    assert code == 0, command
    return json.loads(said), time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Scan and verify, and say what each cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--history", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        key, out = Path(folder) / "key", Path(folder) / "scan"
        _, *scan = timed("scan", args.log, "--history", args.history, "--out", str(out), "--key", str(key))
        told, *verify = timed("verify", str(out), "--key", str(key))
    assert told["verified"]
    print(f"{told['calls']:,} calls, {told['campaigns']} cases, {told['figures']:,} figures")
    for name, (seconds, processor, peak) in (("scan", scan), ("verify", verify)):
        print(f"{name}: {seconds:.1f} s, {processor:.1f} s of processor, {peak:,.0f} MB at the peak")


if __name__ == "__main__":
    main()
