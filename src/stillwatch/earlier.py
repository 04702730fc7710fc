"""An earlier scan that another one goes on with: its marks, its names, and what it could not use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from stillwatch.engines import runs
from stillwatch.engines.runs import Run
from stillwatch.errors import UserError
from stillwatch.store import names, scans, seals, states
from stillwatch.store.states import States

RUNS = f"{states.FOLDER}/calls"
"Where a scan keeps the marks of its calls."


@dataclass(frozen=True)
class Earlier:
    """What an earlier scan left for one that goes on with it."""

    runs: tuple[Run, ...]
    "Its calls, linked into the new scan's folder."
    names: Mapping[int, str]
    "Keyed hash -> the log's own account id; a hash's own digits where its name is not at hand."
    rejected: tuple[dict[str, Any], ...]
    "Rows of its rejected.jsonl."
    logs: tuple[str, ...]
    "The logs that it read."


NOTHING = Earlier((), {}, (), ())
"A scan that begins anew."


def taken_up(folder: Path, staging: Path, fingerprint: str, unit: str, key: Path | None, secret: bytes) -> Earlier:
    """The earlier scan of `folder`, its runs linked into `staging`.

    Raises: UserError when it is no scan with kept calls, when another key or unit or version made it, or when its calls are not what it wrote.
    """
    if not scans.is_scan(folder, "scan"):
        raise UserError("is no folder that a scan wrote", str(folder), "name the DIR that was given to `stillwatch scan --out`")
    states.read(folder, fingerprint, unit)
    kept = runs.found(folder / RUNS)
    if not kept:
        raise UserError("keeps no calls to go on with", str(folder), "scan its log again with this version, or name it with --history")
    seals.check_marks(folder, secret)
    moved = []
    for run in kept:
        runs.check(run)
        for end in (runs.MARK_FILE, runs.CALL_FILE, runs.NOTE_FILE):
            linked(run.path.with_suffix(end), staging / RUNS / f"{run.path.name}{end}")
        moved.append(Run(staging / RUNS / run.path.name, run.rows, run.sizes, run.present))
    summary = orjson.loads((folder / "summary.json").read_bytes())
    rejected = tuple(orjson.loads(line) for line in (folder / "rejected.jsonl").read_bytes().splitlines())
    return Earlier(tuple(moved), _names(summary, moved, key, secret), rejected, tuple(summary["parameters"]["logs"]))


def keep_reference(staging: Path, kept: Sequence[States], sources: Sequence[Path | None], fingerprint: str, unit: str) -> None:
    """Keep the states of a history: those of an earlier scan (`sources`, None for a log) linked, so that they take no room on one file system."""
    for number, (each, source) in enumerate(zip(kept, sources, strict=True)):
        place = staging / states.REFERENCE / f"{number:04d}"
        if source is None:
            states.write_into(place, each, fingerprint, unit)
            continue
        place.mkdir(parents=True)
        for name in states.TABLES:
            linked(source / states.FOLDER / f"{name}.parquet", place / f"{name}.parquet")


def linked(there: Path, here: Path) -> None:
    """One file in two places, so that nothing is copied; copied where the two are on different file systems."""
    try:
        os.link(there, here)
    except OSError:
        shutil.copyfile(there, here)


def _names(summary: Mapping[str, Any], kept: list[Run], key: Path | None, secret: bytes) -> dict[int, str]:
    try:
        if summary.get("scan") is not None:
            return names.open(key, secret, summary["scan"])
    except UserError:
        pass
    accounts = pa.chunked_array([batch["account"] for run in kept for batch in run.read(range(runs.BUCKETS), ["account"])], pa.int64()).unique()
    return {account: f"{account & (2**64 - 1):016x}" for account in accounts.to_pylist()}
