"""What a scan found and what it leaves in its folder, file by file."""

from __future__ import annotations

import platform
import resource
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.campaigns.known import Known, state
from stillwatch.codes import Ints
from stillwatch.engines.local import Gathered
from stillwatch.evidence.placebo import Placebo
from stillwatch.evidence.pooled import NO_POOL, Pool
from stillwatch.facts import COUNT, SPAN
from stillwatch.features.rows import KEPT
from stillwatch.linking.history import History
from stillwatch.parts import Parts
from stillwatch.records import Campaign, Cluster, Context, Rejected
from stillwatch.store.states import States
from stillwatch.store.tables import writable

Names = Mapping[int, str] | None
"Keyed hash -> the log's own account id; None leaves the hashes (--pseudonymous)."

NOTICES = 20
"Files and columns that summary.json names, at most; rejected.jsonl has all of the log's."

PICTURED = (("graph", "groups"), ("raster", "rows"), ("templates", "pieces"))
"Parts of a campaign whose rows name a few members."


@dataclass(frozen=True)
class Found:
    """What the examination of one log found."""

    campaigns: list[Campaign]
    "Strongest first."
    tested: int
    "Clusters tested."
    off: dict[str, list[str]]
    "Detectors and ties that could not run -> the columns they lack."
    detectors: list[str]
    "All detectors."
    ties: list[str]
    "All ties."
    placebo: Placebo
    "The same method on organisations dealt at random to today and before."
    kept: States
    "What later scans may use."
    members: dict[str, pa.Table]
    "What explains any account (campaigns.membership)."
    parts: Parts
    "The log, with the facts of the whole."
    listed: list[tuple[str, str, list[Cluster]]]
    "Id, verdict and clusters of each campaign."
    looks: list[tuple[str, dict[str, float | None]]] = field(default_factory=list)
    "Of every cluster that was described: its verdict, its features, its size (accounts, organisations, calls) and its first moment (ts, seconds)."


@dataclass(frozen=True)
class Reference:
    """Earlier traffic of the same provider."""

    history: History
    "Exposure and wordings."
    organisations: pa.Table | None
    "Features of the reference organisations; None without history."
    kept: list[States]
    "The states it was made of."
    sources: list[Path | None]
    "Of each: the folder of the earlier scan that it lies in, None for a log."
    pool: Pool = NO_POOL
    "What other members told of their innocents."


class Counted(Protocol):
    """How many records could not be used, and which whole files and columns."""

    count: int
    noticed: int
    notices: list[Rejected]


@dataclass
class Lost:
    """The same, counted elsewhere."""

    count: int
    "Records."
    noticed: int = 0
    "Whole files and columns."
    notices: list[Rejected] = field(default_factory=list)
    "The first of them."


class Rejections:
    """rejected.jsonl, written as the records come, and the counts of it."""

    def __init__(self, folder: Path, earlier: Sequence[Mapping[str, Any]] = ()) -> None:
        """`earlier`: rows that an earlier scan told, of the same log."""
        self.count = sum(row["line"] is not None for row in earlier)
        "Records."
        self.first: Rejected | None = None
        "The first of the first file that had any."
        self.notices: list[Rejected] = []
        "The first `NOTICES` whole files and columns that could not be used."
        self.noticed = 0
        "How many of those there were."
        self._file = (folder / "rejected.jsonl").open("wb")
        self._file.writelines(orjson.dumps(row) + b"\n" for row in earlier)

    def __call__(self, rejected: Rejected) -> None:
        """Note one record that could not be used."""
        if self.first is None or _earlier(rejected, self.first):
            self.first = rejected
        # A whole file or column that was unusable (no line) is told, but is no record.
        self.count += rejected.line is not None
        self.notice(rejected)
        self._file.write(orjson.dumps({"file": rejected.file, "line": rejected.line, "reason": rejected.reason}) + b"\n")

    def __enter__(self) -> Rejections:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def notice(self, rejected: Rejected) -> None:
        """Note a whole file or column, of the history too; a single record is passed over."""
        if rejected.line is None:
            self.noticed += 1
            if len(self.notices) < NOTICES:
                self.notices.append(rejected)


def _earlier(one: Rejected, other: Rejected) -> bool:
    """Records of a file are rejected as they are looked at, not in its order."""
    return one.file == other.file and (one.line or 0) < (other.line or 0)


def _name(account: int, names: Names) -> str:
    return f"{account & (2**64 - 1):016x}" if names is None else names[account]


def line(campaign: Campaign, names: Names) -> dict[str, Any]:
    """A campaign as a line of campaigns.jsonl: accounts under the log's own names, sorted."""
    told = asdict(campaign)
    del told["members"], told["earliest"]
    told["accounts"] = sorted(_name(account, names) for account in campaign.accounts)
    for part, rows in PICTURED:
        for row in told[part].get(rows, []):
            row["named"] = [_name(account, names) for account in row["named"]]
    return told


def summary(found: Found, log: Gathered, reference: Reference, rejected: Counted, seconds: float) -> dict[str, Any]:
    """summary.json, but for the parameters."""
    verdicts = Counter(campaign.verdict for campaign in found.campaigns)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    placebo = found.placebo
    return {
        "calls_read": log.read,
        "calls_rejected": rejected.count,
        "calls_duplicate": log.read - found.parts.given[COUNT.name][0],
        "notices": {"count": rejected.noticed, "first": [{"file": each.file, "reason": each.reason} for each in rejected.notices]},
        "accounts": len(found.parts.owners.accounts),
        "organisations": found.parts.owners.units,
        "reference_organisations": len(reference.history.units),
        "clusters_tested": found.tested,
        "alerts": verdicts["alert"],
        "reviews": verdicts["review"],
        "watches": verdicts["watch"],
        "detectors": {name: {"off": found.off[name]} if name in found.off else "on" for name in found.detectors},
        "ties": {name: {"off": found.off[f"tie: {name}"]} if f"tie: {name}" in found.off else "on" for name in found.ties},
        "placebo": {
            "rounds": placebo.rounds,
            "alerts": placebo.alerts,
            "reviews": placebo.reviews,
            "text": f"up to {placebo.wordings:,} wordings one by one, organisations dealt at random to today and before, {placebo.rounds} times"
            if placebo.rounds
            else "not run: it needs a history",
        },
        "cannot_decide": _cannot_decide(log, reference),
        "sampled": _sampled(found.parts),
        "seconds": round(seconds, 3),
        "peak_bytes": peak,
        "versions": versions(),
        "first_ts": found.parts.given[SPAN.name][0],
        "last_ts": found.parts.given[SPAN.name][1],
    }


def versions() -> dict[str, str]:
    """What a scan is made with."""
    return {"stillwatch": __version__, "python": platform.python_version(), "pyarrow": pa.__version__}


def _cannot_decide(log: Gathered, reference: Reference) -> str | None:
    """Why this scan could not have named most of what there may be; None when it could."""
    if "wordings" not in log.present:
        return NO_TEXT + ("" if {"reasoning_out", "reasoning_in"} <= log.present else NO_DIGESTS)
    return None if reference.history.known else NO_HISTORY


def _sampled(log: Parts) -> dict[str, Any] | None:
    """Of a log that keeps a sample of its calls: the share, and what that means for the results; None where all are kept as far as known."""
    calls, _, stands = log.given[COUNT.name]
    share = calls / stands
    if share >= 1.0:
        return None
    text = (
        f"The log keeps about {share:.1%} of the calls ({calls:,} of some {stands:,.0f}). Less is found than in a whole log; what is"
        " found is as sure. Counts of calls and tokens are of what is kept, unless they say otherwise."
    )
    if share < KEPT:
        text += " Below one half, what needs calls that follow one another, a rate or the end of an account's use says nothing."
    return {"share": round(share, 6), "text": text}


def told(context: Context, accounts: Ints) -> dict[str, int]:
    """What a context file told, in counts: of the banned accounts that it names, how many occur in the log."""
    named = {account for ban in context.bans for account in ban.accounts}
    return {
        "releases": len(context.releases), "bans": len(context.bans), "payments": len(context.payments), "banned_accounts": len(named),
        "banned_in_log": int(np.isin(accounts, sorted(named)).sum()),
    }  # fmt: skip


def scan_id(found: Found, unit: str, secret: bytes) -> str:
    """The id under which a scan's names are sealed: of the set of its calls, and of the unit, for one log's accounts, keys and end users have names of their own."""
    calls, mixed, _ = found.parts.given[COUNT.name]
    return blake2b(f"{unit} {calls} {mixed}".encode(), key=secret, digest_size=8).hexdigest()


def known(beforehand: Known, found: Found) -> dict[str, Any]:
    """What --known told: each entry with the campaigns that it annotates, what has expired, and what stands against an alert."""
    return state(beforehand, found.parts.given[SPAN.name][1], [(each.campaign, each.verdict, each.known) for each in found.campaigns])


NO_TEXT = "The log holds no text, so wordings could not be compared: only reasoning replayed between strangers can give a verdict."

NO_DIGESTS = (
    " It holds no digests of reasoning either, so nothing could be decided. Where text may not leave its place, make marks of it there (`stillwatch marks`)."
)

NO_HISTORY = (
    "Without history a new wording cannot be told from an old one: only reasoning replayed between strangers can give a verdict. "
    "Pass --history with earlier scans or logs of the same provider."
)


def write(folder: Path, told: list[dict[str, Any]], campaigns: list[Campaign], names: Names, summarised: dict[str, Any]) -> None:
    """campaigns.jsonl, accounts.parquet and summary.json."""
    with (folder / "campaigns.jsonl").open("wb") as file:
        for row in told:
            file.write(orjson.dumps(row) + b"\n")
    with writable(folder / "accounts.parquet") as file:
        pq.write_table(accounts(campaigns, names), file)
    (folder / "summary.json").write_bytes(orjson.dumps(summarised, option=orjson.OPT_INDENT_2) + b"\n")


def accounts(campaigns: list[Campaign], names: Names) -> pa.Table:
    """The table of accounts.parquet: one row an account and campaign."""
    rows = [
        {"account": _name(member["account"], names), "campaign": campaign.campaign, "log10_e": member["log10_e"], "calls": member["calls"]}
        for campaign in campaigns
        for member in campaign.members
    ]
    rows.sort(key=lambda row: (row["campaign"], row["account"]))
    schema = pa.schema([("account", pa.string()), ("campaign", pa.string()), ("log10_e", pa.float64()), ("calls", pa.int64())])
    return pa.Table.from_pylist(rows, schema=schema)
