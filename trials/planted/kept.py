"""Results that stay with the project: benign worlds take hours by the hundred, so those of several runs and machines are counted together."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

METHOD = "042"
"The decision that last changed what a scan may say, or the drill makes: results of another method do not count with these."

WORLDS = Path(__file__).parents[1] / "results" / "worlds.jsonl.gz"
"Benign worlds: each line a row of WORK/results.jsonl. Each run has a hashing key of its own."


def worlds(path: Path = WORLDS) -> list[dict[str, Any]]:
    """The worlds kept so far, of this method."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    return [row for row in rows if row["method"] == METHOD]


def keep(rows: Sequence[dict[str, Any]], path: Path = WORLDS) -> int:
    """Add the benign worlds among some results; one that is there stays as it is. Returns how many are there then."""
    held = {(row["key"], row["size"], row["texts"]): row for row in [*map(_named, rows), *worlds(path)] if row["factor"] == "world"}
    lines = [json.dumps(held[at], sort_keys=True) for at in sorted(held)]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))
    part.replace(path)
    return len(lines)


def with_kept(rows: Sequence[dict[str, Any]], path: Path = WORLDS) -> list[dict[str, Any]]:
    """Results of a run, and the kept worlds that it did not make itself."""
    own = {row["key"] for row in rows}
    return [*rows, *(row for row in worlds(path) if row["key"] not in own)]


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {"method": METHOD, **row}
