"""A scenario composed into a log and its truth: deterministic by seed, sorted by time, ids that tell nothing."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from stillwatch.calls import SCHEMA
from stillwatch.drill.declare import every_campaign, every_class, scale
from stillwatch.drill.personas import DAY
from stillwatch.drill.scenario import Scenario
from stillwatch.drill.texts import Texts
from stillwatch.drill.world import World
from stillwatch.errors import UserError

TRUTH = pa.schema([(name, pa.string()) for name in ("call_id", "account", "organisation", "campaign", "class")])
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".csv")


@dataclass(frozen=True)
class Drill:
    """A made log."""

    calls: pa.Table
    "calls.SCHEMA, by time."
    truth: pa.Table
    "call_id, account, organisation, campaign (null: innocent), class."
    campaigns: list[dict[str, Any]]
    "Of each campaign: id, calls, accounts, factors, assumptions."


def compose(scenario: Scenario, corpora: Path | None = None) -> Drill:
    """Make the log of a scenario. Every part has a seed of its own, so adding a campaign leaves the innocents as they were."""
    classes = every_class()
    weights = scenario.benign or {name: each.weight for name, each in classes.items()}
    benign = scenario.calls * (1 - sum(planted.share for planted in scenario.campaigns))
    rows: list[dict[str, Any]] = []
    truth: list[tuple[str, str, str, str | None, str]] = []
    texts = Texts(f"{scenario.seed}/{scenario.split}", corpora, scenario.split)
    for name, weight in sorted(weights.items()):
        world = World(scenario, texts, name)
        classes[name].grow(world, round(benign * weight / sum(weights.values())))
        rows += world.rows
        truth += world.truth
    told = []
    for planted in scenario.campaigns:
        disclosed = every_campaign()[planted.id]
        cut = scale(disclosed, round(scenario.calls * planted.share * (1 - planted.cover)))
        world = World(scenario, texts, planted.id)
        disclosed.plant(world, planted, cut)
        rows += world.rows
        truth += world.truth
        accounts = len({row["account"] for row in world.rows})
        told.append({"id": planted.id, "calls": len(world.rows), "accounts": accounts, "factors": cut.factors, "assumptions": list(disclosed.assumptions)})
    end = int((scenario.start + scenario.days * DAY) * 1e6)
    for row in rows:
        row["ts"] = min(row["ts"], end - 1)
    order = sorted(range(len(rows)), key=lambda i: (rows[i]["ts"], rows[i]["call_id"]))
    if scenario.artefact:
        guilty = {call for call, _, _, campaign, _ in truth if campaign is not None}
        for row in rows:
            if row["call_id"] in guilty:
                row["n"], row["temperature"] = 1, 0.7
    calls = pa.Table.from_pylist([{name: rows[i].get(name) for name in SCHEMA.names} for i in order], schema=SCHEMA)
    columns: list[Any] = list(zip(*(truth[i] for i in order), strict=True)) or [[] for _ in TRUTH]
    return Drill(calls, pa.table([pa.array(column, pa.string()) for column in columns], schema=TRUTH), told)


def truth_path(log: Path) -> Path:
    """Where the truth of a log lies: LOG.truth.parquet, LOG without its suffix."""
    stem = next((log.name[: -len(suffix)] for suffix in sorted(SUFFIXES, key=len, reverse=True) if log.name.endswith(suffix)), log.name)
    return log.with_name(stem + ".truth.parquet")


def write(drill: Drill, log: Path) -> dict[str, Any]:
    """Write the log by its suffix, and the truth; each appears whole. Returns what was made."""
    if not log.name.endswith(SUFFIXES):
        raise UserError("unknown suffix", str(log), f"end the name in one of {', '.join(SUFFIXES)}")
    log.parent.mkdir(parents=True, exist_ok=True)
    for path, table in ((truth_path(log), drill.truth), (log, drill.calls)):
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            _write(table, part, path.name)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return {
        "log": str(log), "truth": str(truth_path(log)), "calls": drill.calls.num_rows, "accounts": len(drill.calls["account"].unique()), "campaigns": drill.campaigns,
    }  # fmt: skip


def _write(table: pa.Table, path: Path, name: str) -> None:
    if name.endswith(".parquet"):
        pq.write_table(table, path, compression="zstd")
    elif name.endswith(".csv"):
        for at, field in enumerate(table.schema):
            if pa.types.is_list(field.type):  # lists as JSON
                told = pa.array([None if v is None else orjson.dumps(v).decode() for v in table[field.name].to_pylist()], pa.string())
                table = table.set_column(at, field.name, told)
        pc.write_csv(table, path)
    else:
        lines = b"".join(orjson.dumps({k: v for k, v in row.items() if v is not None}) + b"\n" for row in table.to_pylist())
        path.write_bytes(gzip.compress(lines, 6, mtime=0) if name.endswith(".gz") else lines)
