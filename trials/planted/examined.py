"""A log examined as a scan examines it, for its cases alone: no placebo, no pictures, nothing written. Half of a scan's time, and the same cases."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch import examination, flow
from stillwatch.campaigns import tell, weigh
from stillwatch.campaigns.judge import Judged, accounts_of
from stillwatch.records import NO_CONTEXT
from stillwatch.results import Reference
from stillwatch.sources import Log, Reading, gather
from stillwatch.store import keys
from stillwatch.traffic import Owners

REFERENCES: dict[tuple[str, ...], Reference] = {}
"References that were read already: children that are forked from here share them."


def reference_of(folders: Sequence[str], key: Path) -> Reference:
    """The reference of earlier scans' folders, read once."""
    if tuple(folders) not in REFERENCES:
        REFERENCES[tuple(folders)] = flow._reference(list(folders), _how(key), _quiet, NO_CONTEXT, lambda rejected: None)
    return REFERENCES[tuple(folders)]


def examined(logs: Sequence[Log], work: Path, reference: Reference, key: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The cases as lines of campaigns.jsonl, of what a trial reads of them (`left_out` is empty), and what it reads of the summary (no placebo)."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        log = gather(logs, _how(key), lambda rejected: None, Path(folder), ())
        assert log is not None, "a log without a usable record"
        found = examination.judged(log, reference, _quiet)
        accounts = found.parts.owners.accounts
        lines = [_line(case, found.traffic.owners, [log.names[int(accounts[at])] for at in _accounts(case)]) for case in found.cases]
        tested = sum(weigh.is_tested(each) for each in found.linked.clusters)
    return lines, {"placebo": None, "calls_read": log.read, "clusters_tested": tested, "seconds": round(time.monotonic() - began, 3)}


def _accounts(case: list[Judged]) -> list[int]:
    each: list[int] = accounts_of(case).tolist()
    return each


def _line(case: list[Judged], owners: Owners, names: list[str]) -> dict[str, Any]:
    lead = case[0]
    return {
        "verdict": lead.verdict,
        "log10_e": round(lead.log10_e, 4),
        "q": round(lead.q, 8),
        "accounts": names,
        "conditions": tell._conditions(case, owners),
        "ties": tell._ties(case),
        "signals": [{"name": each.name, "fires": each.fires} for each in lead.evidence],
        "left_out": [],
    }


def _how(key: Path) -> Reading:
    return Reading(keys.load_or_create(key), key, None, "account")


def _quiet(name: str, count: int) -> None:
    return None
