"""What a person knows beforehand, laid beside a case: annotated, never judged by. No verdict changes for it, and nothing is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.facts import span
from stillwatch.traffic import Bools, Ints, Traffic

BENIGN, CAMPAIGN = "benign", "campaign"
"What an entry can say."

MOST = 0.5
"Share of an account's core calls from which an entry covers the account."

COLUMNS = {"accounts": ("account",), "organisations": ("org", "mail"), "keys": ("key",), "addresses": ("ip", "net")}
"What an entry names -> the marks among which it is looked for."

COVERED = pa.schema([("account", pa.int64()), ("campaign", pa.string()), ("entry", pa.string())])
"Which member of which campaign an entry covers."


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is known, until a day."""

    name: str
    "What it is called; no two have one name."
    kind: str
    "programme, infrastructure or verdict."
    says: str
    "benign, or campaign where an earlier verdict found one."
    reason: str
    "Why, in the words of whoever wrote it."
    expires: str
    "Last day on which it is in force, YYYY-MM-DD, UTC."
    hashes: tuple[tuple[str, tuple[int, ...]], ...]
    "What it names (a word of COLUMNS) and the keyed hashes of that, ascending."
    campaigns: tuple[str, ...] = ()
    "Ids of campaigns that it names."


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known, and the day on which somebody asks."""

    entries: tuple[Entry, ...] = ()
    "In order of their names."
    day: str = ""
    "Day of the scan, YYYY-MM-DD, UTC."

    def as_of(self, last_ts: int) -> str:
        """The day by which entries expire: that of the scan, or of the log's last call where that is later."""
        return max(self.day, str(np.datetime64(last_ts, "us").astype("datetime64[D]")))

    def in_force(self, last_ts: int) -> list[Entry]:
        """The entries that have not expired."""
        return [each for each in self.entries if each.expires >= self.as_of(last_ts)]


NOTHING_KNOWN = Known()
"No file was given."


def beside(known: Known, traffic: Traffic, case: str, verdict: str, accounts: Ints, calls: Ints) -> tuple[list[dict[str, Any]], dict[str, list[int]]]:
    """What entries in force say of a case, and the members (keyed hashes) that each covers.

    An entry covers an account by MOST of its core calls: those of an account, an organisation or a key that it names, or from an address that it names. Where it
    names the campaign by its id alone, whom it covers is unknown: members may have changed since. Args: the case's id, verdict, members and core calls.
    """
    told, covered = [], {}
    for entry in known.in_force(span(traffic)[1]) if known.entries else ():
        standing = {word: _calls(traffic, word, hashes, calls) for word, hashes in entry.hashes}
        mine = np.logical_or.reduce([np.zeros(len(calls), np.bool_), *standing.values()])
        by, total = (np.bincount(traffic.account[some], minlength=len(traffic.accounts))[accounts] for some in (calls[mine], calls))
        members = traffic.accounts[accounts[(by > 0) & (by >= MOST * total)]]
        named = case in entry.campaigns
        if not len(members) and not named:
            continue
        covered[entry.name] = members.tolist()
        told.append(
            _annotation(
                entry, verdict, [word for word, some in standing.items() if some.any()], len(members), len(accounts), int(mine.sum()), len(calls), named
            )
        )
    return sorted(told, key=lambda each: (not each["conflict"], -(each["share"] or 0.0), each["entry"])), covered


def _calls(traffic: Traffic, word: str, hashes: Sequence[int], calls: Ints) -> Bools:
    """Of some calls, whether each shows something that is named."""
    found = np.zeros(len(calls), np.bool_)
    for name in COLUMNS[word]:
        column = traffic.column(name).take(pa.array(calls))
        found |= np.isin(column.fill_null(0).to_numpy(), np.array(hashes, np.int64)) & column.is_valid().to_numpy()
    return found


def _annotation(entry: Entry, verdict: str, by: list[str], accounts: int, accounts_all: int, calls: int, calls_all: int, named: bool) -> dict[str, Any]:
    conflict = entry.says == BENIGN and verdict == "alert"
    which = [f"covers {accounts:,} of {accounts_all:,} accounts by {' and '.join(by)} ({calls:,} of {calls_all:,} core calls)"] if accounts else []
    which += ["names the campaign itself"] if named else []
    stands = " The evidence makes it an alert all the same, and the verdict stands." if conflict else ""
    text = f'{entry.kind} "{entry.name}", {entry.says} until {entry.expires}, {" and ".join(which)}.{stands} Reason: {entry.reason}'
    return {
        "entry": entry.name, "kind": entry.kind, "says": entry.says, "reason": entry.reason, "expires": entry.expires,
        "by": [*by, *(["campaigns"] if named else [])], "accounts": accounts if accounts else None, "share": round(accounts / accounts_all, 6) if accounts else None,
        "calls": calls if accounts else None, "share_of_calls": round(calls / calls_all, 6) if accounts else None, "conflict": conflict, "text": text,
    }  # fmt: skip


def covered_members(of: Iterable[tuple[str, Mapping[str, Sequence[int]]]]) -> pa.Table:
    """Which members of which campaigns entries cover, as a table to keep. `of`: campaign and what `beside` gave."""
    rows = sorted((account, campaign, entry) for campaign, covered in of for entry, members in covered.items() for account in members)
    return pa.Table.from_pylist([dict(zip(COVERED.names, row, strict=True)) for row in rows], COVERED)


def state(known: Known, last_ts: int, campaigns: Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]) -> dict[str, Any]:
    """Of all entries: which have expired, which annotate which campaigns, and which stand against an alert. `campaigns`: id, verdict, annotations."""
    force = {each.name for each in known.in_force(last_ts)}
    annotated = {each.name: [name for name, _, said in campaigns if any(one["entry"] == each.name for one in said)] for each in known.entries}
    return {
        "as_of": known.as_of(last_ts),
        "entries": [
            {
                "entry": each.name, "kind": each.kind, "says": each.says, "reason": each.reason, "expires": each.expires,
                "expired": each.name not in force, "campaigns": annotated[each.name],
            }
            for each in known.entries
        ],
        "conflicts": [
            {"campaign": name, "verdict": verdict, "entry": one["entry"], "accounts": one["accounts"], "share": one["share"], "text": one["text"]}
            for name, verdict, said in campaigns for one in said if one["conflict"]
        ],
    }  # fmt: skip
