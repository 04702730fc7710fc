"""The demo: a history and a log made on the spot, a scan, and what it found against what was planted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from stillwatch import flow
from stillwatch.doors.report import page
from stillwatch.errors import UserError

KEY = "00" * 32
"Known to everybody: the demo has no secrets, and two runs of it should show the same."


def run(out: Path, progress: Callable[[str, int], None]) -> dict[str, Any]:
    """Make `out`/history.parquet, `out`/log.parquet and `out`/scan; returns the summary with `planted` and `compared`. Raises: UserError for a folder of something else."""
    key = key_in(out)
    _refuse_others(out, key)
    out.mkdir(parents=True, exist_ok=True)
    key.touch(mode=0o600)
    key.write_text(KEY + "\n", encoding="ascii")
    flow.rehearse("demo-history", out / "history.parquet", progress=progress)
    planted = flow.rehearse("demo", out / "log.parquet", progress=progress)
    summary = flow.watch([str(out / "log.parquet")], out / "scan", history=[str(out / "history.parquet")], key=key, progress=progress, render=page.render)
    return {**summary, "planted": planted, "compared": compare(out / "scan", out / "log.truth.parquet")}


def key_in(out: Path) -> Path:
    """Where the key of a demo lies; it is made first, so a demo that was stopped is known by it as well."""
    return out / "demo.key"


def _refuse_others(out: Path, key: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not key.is_file() or key.read_bytes() != KEY.encode() + b"\n":
        raise UserError("is there already and is no earlier demo", str(out), "name a new folder with --out, or empty this one yourself")


def compare(scan: Path, truth: Path) -> dict[str, Any]:
    """Per planted campaign the strongest verdict on it and the accounts found; innocents in any alert or review."""
    guilty: dict[str, set[str]] = {}
    for account, campaign in zip(*pq.read_table(truth, columns=["account", "campaign"]).to_pydict().values(), strict=True):
        if campaign is not None:
            guilty.setdefault(campaign, set()).add(account)
    lines = [orjson.loads(line) for line in (scan / "campaigns.jsonl").read_bytes().splitlines()]
    named = [line for line in lines if line["verdict"] in ("alert", "review")]
    accused = {account for line in named for account in line["accounts"]}
    found: dict[str, dict[str, Any]] = {}
    for name, accounts in sorted(guilty.items()):
        # A line is about the campaign when most of its accounts are the campaign's.
        verdicts = [line["verdict"] for line in named if 2 * len(accounts.intersection(line["accounts"])) > len(line["accounts"])]
        found[name] = {"verdict": min(verdicts, default=None), "found": len(accounts & accused), "accounts": len(accounts)}
    return {"campaigns": found, "innocents": len(accused - set().union(*guilty.values()))}
