"""What is found, and who is accused, when a log keeps only a share of its calls.

    python trials/sampled.py LOGS --history HISTORY [--shares 0.5 0.3 0.1] [--key FILE]

LOGS are logs of `stillwatch drill` with their truth beside them; HISTORY is an earlier scan under the same key, or a log. Calls are kept by hash of
their id. Prints one line of JSON a log and share: alerts and reviews by campaign or benign class, in accounts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def thinned(log: Path, out: Path, share: float) -> Path:
    """The log with a share of its calls, and that share told in `sampled`."""
    table = pq.read_table(log)
    digest = [hashlib.blake2b(call.encode(), digest_size=8).digest() for call in table["call_id"].to_pylist()]
    table = table.filter(pa.array([int.from_bytes(each, "big") < share * 2**64 for each in digest]))
    at = table.schema.get_field_index("sampled")
    pq.write_table(table.set_column(at, "sampled", pa.array([share if share < 1 else None] * table.num_rows, pa.float64())), out)
    return out


def named(log: Path, scan: Path) -> dict[str, dict[str, int]]:
    """Accounts in alerts and reviews, by campaign or benign class; an account in both counts as in an alert."""
    truth = pq.read_table(log.with_suffix("").with_suffix(".truth.parquet"), columns=["account", "campaign", "class"])
    kind = {account: campaign or benign for account, campaign, benign in zip(*(truth[name].to_pylist() for name in truth.column_names), strict=True)}
    verdicts: dict[str, str] = {}
    for line in map(json.loads, (scan / "campaigns.jsonl").read_text().splitlines()):
        if line["verdict"] != "watch":
            verdicts |= {account: min(verdicts.get(account, "review"), line["verdict"]) for account in line["accounts"]}
    return {verdict: dict(Counter(kind[a] for a, said in verdicts.items() if said == verdict).most_common()) for verdict in ("alert", "review")}


def main() -> None:
    """Scan every log whole and at every share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--history", required=True)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.5, 0.3, 0.1])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for log in args.logs:
            for share in (1.0, *args.shares):
                part, out = thinned(log, Path(folder) / "part.parquet", share), Path(folder) / "scan"
                command = [sys.executable, "-m", "stillwatch", "scan", str(part), "--history", args.history, "--out", str(out), "--json"]
                done = subprocess.run([*command, *(["--key", str(args.key)] if args.key else [])], capture_output=True, text=True, check=True)
                calls = json.loads(done.stdout)["calls_read"]
                print(json.dumps({"log": log.stem, "share": share, "calls": calls, **named(log, out)}), flush=True)


if __name__ == "__main__":
    main()
