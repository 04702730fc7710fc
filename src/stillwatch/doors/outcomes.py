"""What the Python door gives back for explain, verify, limits, marks and drill: Arrow tables where there are rows, a short view in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.doors import explained, limited, words
from stillwatch.doors.report.words import count
from stillwatch.errors import UserError

CASES = pa.schema([
    ("campaign", pa.string()), ("verdict", pa.string()), ("in", pa.bool_()), ("left_out", pa.bool_()), ("clusters", pa.int64()), ("clusters_in", pa.int64()),
    ("carries", pa.int64()), ("needed", pa.float64()), ("calls", pa.int64()), ("replays", pa.int64()),
])  # fmt: skip
"One row for each campaign that the account touches, those that it is in first."

TIES = pa.schema([
    ("tie", pa.string()), ("cluster", pa.int64()), ("key", pa.int64()), ("campaign", pa.string()), ("weight", pa.float64()), ("members", pa.int64()),
    ("members_all", pa.int64()), ("innocents", pa.int64()), ("innocents_all", pa.int64()), ("prompts", pa.int64()),
])  # fmt: skip
"One row for everything that the account shares, heaviest first, itself left out. Weight: log10 of how much commoner it is among members than among innocents."

SIGNALS = pa.schema([
    ("campaign", pa.string()), ("name", pa.string()), ("value", pa.float64()), ("own", pa.float64()), ("unit", pa.string()),
    ("benign_low", pa.float64()), ("benign_high", pa.float64()), ("p", pa.float64()), ("p_floor", pa.float64()), ("fires", pa.bool_()), ("text", pa.string()),
])  # fmt: skip
"One row for each detector and campaign: the campaign's value, and the same on the account's own calls of it (null where that says nothing)."

DIFFERENCES = pa.schema([("where", pa.string()), ("what", pa.string())])
"One row for each thing that is not what the marks give: file and place in it, and what is wrong."

LIMITS = pa.schema([
    ("tradecraft", pa.string()), ("calls_each", pa.int64()), ("accounts", pa.int64()), ("accounts_low", pa.float64()), ("accounts_high", pa.float64()),
    ("calls", pa.int64()), ("days", pa.float64()), ("power_low", pa.float64()), ("power_high", pa.float64()), ("why", pa.string()),
])  # fmt: skip
"One row for each tradecraft and rate: the limit with its 95 % interval, the interval of the power that fresh plantings confirmed; accounts null and why said where there is none."

CELLS = pa.schema([("tradecraft", pa.string()), ("calls_each", pa.int64()), ("accounts", pa.int64()), ("found", pa.int64()), ("plantings", pa.int64())])
"One row for each size that was planted."

_ROWS = 10


class _InWords:
    """What a command says in words."""

    text: str

    def _repr_html_(self) -> str:
        """A notebook's view: the words of the command line."""
        return f"<pre>{escape(self.text)}</pre>"


@dataclass(frozen=True, repr=False)
class Explanation(_InWords):
    """Why an account is in, nearly in or not in a campaign. For the account's holder the tables are empty and `change` is None."""

    account: str
    "As it was asked for."
    answer: str
    "in, nearly or not in; for the account's holder in or not in."
    campaigns: Sequence[str]
    "Campaigns that it is in."
    cases: pa.Table
    "What it has of each campaign that it touches (schema CASES)."
    ties: pa.Table
    "What it shares with members, and how common that is among innocents (schema TIES)."
    signals: pa.Table
    "What each detector says of the campaign, and of the account's own calls (schema SIGNALS)."
    change: Mapping[str, Any] | None
    "The smallest change found that turns the answer: to, by, calls, times, text."
    text: str
    "The words that the command line prints."
    told: Mapping[str, Any] = field(default_factory=dict)
    "The object that the command line prints with --json."

    def __repr__(self) -> str:
        return f"<Explanation: {self.account} {self.answer}{''.join(f' {name}' for name in self.campaigns)}>"


def explanation(told: Mapping[str, Any], for_account: bool) -> Explanation:
    """The story of an account (see `account.story`) as tables."""
    return Explanation(
        account=told["account"],
        answer=told["answer"],
        campaigns=tuple(told.get("campaigns", ())),
        cases=pa.Table.from_pylist(told.get("cases", []), schema=CASES),
        ties=pa.Table.from_pylist(told.get("ties", []), schema=TIES),
        signals=pa.Table.from_pylist(told.get("signals", []), schema=SIGNALS),
        change=told.get("change"),
        text=explained.for_account(told) if for_account else explained.explained(told),
        told=told,
    )


@dataclass(frozen=True, repr=False)
class Verification(_InWords):
    """Whether a scan's folder is what the marks in it give."""

    verified: bool
    "Whether all is as the scan wrote it."
    differences: pa.Table
    "One row for each thing that is not: where, what (schema DIFFERENCES)."
    seal: str
    "The seal of the evidence, to compare with one that was written down elsewhere."
    text: str
    "The words that the command line prints."
    told: Mapping[str, Any] = field(default_factory=dict)
    "The object that the command line prints with --json."

    def __repr__(self) -> str:
        return f"<Verification: {'verified' if self.verified else count(self.differences.num_rows, 'difference')}>"


def verification(told: Mapping[str, Any], folder: Path) -> Verification:
    """What `flow.verify` found, as a table."""
    rows = pa.Table.from_pylist(told["differences"], schema=DIFFERENCES)
    return Verification(told["verified"], rows, told["seal"], words.verified(told, folder), told)


@dataclass(frozen=True, repr=False)
class Limits(_InWords):
    """The smallest campaign of each tradecraft that a log would have shown."""

    limits: pa.Table
    "One row for each tradecraft and rate (schema LIMITS)."
    cells: pa.Table
    "The map: every size that was planted, and how often it was found (schema CELLS)."
    text: str
    "The words that the command line prints."
    told: Mapping[str, Any] = field(default_factory=dict)
    "The object that the command line prints with --json."

    def __repr__(self) -> str:
        some = self.limits.num_rows - self.limits["accounts"].null_count
        return f"<Limits: {some} of {self.limits.num_rows} stated, {count(self.told['plantings'], 'planting')}>"


def limits_of(told: Mapping[str, Any]) -> Limits:
    """What `flow.limits` found, as tables."""
    rows = [{"tradecraft": craft["tradecraft"], **each} for craft in told["limits"] for each in craft["limits"]]
    return Limits(pa.Table.from_pylist(rows, schema=LIMITS), pa.Table.from_pylist(told["cells"], schema=CELLS), limited.limited(told), told)


@dataclass(frozen=True, repr=False)
class Marked:
    """Marks of logs, written to a file that `scan` reads."""

    path: Path
    "The file of marks."
    calls_read: int
    "Calls marked."
    accounts: int
    "Accounts among them."
    rejected: pa.Table
    "Records that could not be used: file, line, reason."

    @cached_property
    def table(self) -> pa.Table:
        """The marks: hashes, counts and scores, no text. Read from the file when first asked for."""
        return pq.read_table(self.path)

    def __repr__(self) -> str:
        return f"<Marked: {count(self.calls_read, 'call')} of {count(self.accounts, 'account')} in {self.path}>"

    def _repr_html_(self) -> str:
        """A notebook's view: what was read and where it lies."""
        return f"<p><b>{count(self.calls_read, 'call')}</b> of {count(self.accounts, 'account')} marked, {self.rejected.num_rows:,} rejected: {escape(str(self.path))}</p>"


@dataclass(frozen=True, repr=False)
class Drilled:
    """A log with planted campaigns, and the truth about every call."""

    planted: Mapping[str, Any]
    "What was planted, with every assumption: the object that the command line prints with --json."
    truth: pa.Table
    "One row a call: call_id, account, organisation, campaign (null for innocents), class."
    held: pa.Table | None = None
    "The log, where it lies in no file."

    @cached_property
    def log(self) -> pa.Table:
        """The log, in canonical columns. Raises: UserError where it was written in another form than Parquet."""
        if self.held is not None:
            return self.held
        if not str(self.planted["log"]).endswith(".parquet"):
            raise UserError("only Parquet is read back as a table", str(self.planted["log"]), "scan that path, or let `out` end in .parquet")
        return pq.read_table(self.planted["log"])

    def __repr__(self) -> str:
        return f"<Drilled: {count(self.planted['calls'], 'call')} of {count(self.planted['accounts'], 'account')}, {count(len(self.planted['campaigns']), 'campaign')}>"

    def _repr_html_(self) -> str:
        """A notebook's view: the campaigns that were planted."""
        head = ("id", "calls", "accounts")
        rows = "".join("<tr>" + "".join(f"<td>{escape(str(row[name]))}</td>" for name in head) + "</tr>" for row in self.planted["campaigns"][:_ROWS])
        table = f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<p><b>{count(self.planted['calls'], 'call')}</b> of {count(self.planted['accounts'], 'account')}</p>{table}"
