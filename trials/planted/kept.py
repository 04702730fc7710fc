"""Results that stay with the project: logs take days by the hundred, so those of several runs and machines are told together."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

METHOD = "043"
"The decision that last changed what a scan may say, or the drill makes: results of another method do not count with these."

KEPT = Path(__file__).parents[1] / "results"
"Each line of its files is a row of WORK/results.jsonl. Each run has a hashing key of its own."

WORLDS, CAMPAIGNS = "worlds.jsonl.gz", "campaigns.jsonl.gz"
"Benign worlds, and logs with a campaign (or as many innocents without one)."


def held(folder: Path = KEPT) -> list[dict[str, Any]]:
    """The rows kept so far, of this method."""
    return [row for name in (WORLDS, CAMPAIGNS) for row in _read(folder / name)]


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    return [row for row in rows if row["method"] == METHOD]


def keep(rows: Sequence[dict[str, Any]], folder: Path = KEPT) -> int:
    """Add results to those that are kept; one that is there stays as it is. Returns how many are there then."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name in (WORLDS, CAMPAIGNS):
        mine = [{"method": METHOD, **row} for row in rows if (row["factor"] == "world") == (name == WORLDS)]
        both = {(row["key"], row["size"], row["texts"]): row for row in [*mine, *_read(folder / name)]}
        part = folder / f"{name}.part"
        part.write_bytes(gzip.compress("".join(f"{json.dumps(both[at], sort_keys=True)}\n" for at in sorted(both)).encode(), mtime=0))
        part.replace(folder / name)
        count += len(both)
    return count


def with_kept(rows: Sequence[dict[str, Any]], folder: Path = KEPT) -> list[dict[str, Any]]:
    """Results of a run, and the kept ones that it did not make itself: all worlds, and campaigns of the same size and texts as its own."""
    own, alike = {row["key"] for row in rows}, {(row["size"], row["texts"]) for row in rows}
    told = (row for row in held(folder) if row["factor"] == "world" or not alike or (row["size"], row["texts"]) in alike)
    return [*rows, *(row for row in told if row["key"] not in own)]
