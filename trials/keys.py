"""How much the verdicts on the demo depend on the hashing key, which decides what marks are kept of a text.

    python trials/keys.py DEMO

DEMO is the folder that `stillwatch demo --out DEMO` wrote. Prints a line a key: verdict and accounts found of each campaign, and innocents named.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from stillwatch import flow
from stillwatch.doors.demo import compare

KEYS = ("00", "11", "22", "33", "44", "55")
"Bytes of which a key is made; the first is the demo's own."


def main() -> None:
    """Scan and compare under each key."""
    demo = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for byte in KEYS:
            key, out = Path(folder) / f"{byte}.key", Path(folder) / byte
            key.touch(mode=0o600)
            key.write_text(byte * 32 + "\n")
            flow.watch([str(demo / "log.parquet")], out, history=[str(demo / "history.parquet")], key=key)
            told = compare(out, demo / "log.truth.parquet")
            verdicts = {name: f"{each['verdict']} {each['found']}/{each['accounts']}" for name, each in told["campaigns"].items()}
            print(byte, verdicts, "innocents", told["innocents"], flush=True)


if __name__ == "__main__":
    main()
