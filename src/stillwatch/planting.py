"""A campaign planted into a copy of a log's marks: its accounts look like accounts of the log, and the log itself is not touched.

The campaign's calls are marked as any log's are. What says who called, with what, from where, is then taken from a call of the log (the donor), and
whatever the log does not know of that call is unknown of the planted one: only what the campaign asks, and when, is its own. (`drill --into` does the same
with a log's text.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import Ints
from stillwatch.drill.alone import Alone
from stillwatch.drill.declare import Disclosed
from stillwatch.drill.personas import NEW_MODEL
from stillwatch.engines import runs
from stillwatch.engines.disk import OnDisk
from stillwatch.engines.local import Gathered
from stillwatch.engines.runs import BUCKETS
from stillwatch.engines.shelf import in_order
from stillwatch.facts import SPAN
from stillwatch.intake.mark import mark
from stillwatch.intake.unit import linked
from stillwatch.parts import One, with_facts
from stillwatch.records import MARKS, NO_CONTEXT
from stillwatch.sources import Reading
from stillwatch.traffic import Traffic

AS_THE_DONOR = (
    "model", "path", "asn", "user_agent", "headers", "tls", "client_seen", "plan", "program", "max_tokens", "n", "logprobs", "logit_bias", "tools", "toolset",
    "status", "finish", "sampled",
)  # fmt: skip
"Marks whose value is that of a call of the log."

KNOWN_WITH_THE_DONOR = (
    "end_user", "key", "ip", "net", "upstream", "cost", "payment", "mail", "signup_ts", "images", "turns", "input_tokens", "output_tokens",
    "reasoning_tokens", "cached_tokens",
)  # fmt: skip
"Marks that are the campaign's own, and unknown where the log does not know them of that call."

IDS = ("end_user", "key", "ip", "net", "payment", "mail")
"Of those: where the campaign says nothing and the log does, each account has one of its own."

ANSWER = ("response_tokens", "answered", "delivered")
"Marks of the answer: there is none where the donor's call failed."

CLIENT = ("user_agent", "headers", "tls")
"What a client looks like: shared, where the campaign shares its infrastructure."

DONORS = 200_000
"Calls of a log on disk among which donors are looked for, about."


@dataclass(frozen=True)
class Ground:
    """A log to plant in."""

    log: Gathered
    "Its marks."
    how: Reading
    "How it was read."
    first: int
    "Its first moment, microseconds."
    last: int
    "Its last."
    donors: pa.Table = field(repr=False)
    "Its marks in canonical order; of a log on disk, those of some of its organisations."

    @property
    def days(self) -> float:
        """Its length."""
        return (self.last - self.first) / 86_400e6

    @cached_property
    def bounds(self) -> Ints:
        """Where each account's calls begin among the donors, and the end."""
        account = self.donors["account"].to_numpy()
        return np.append(np.flatnonzero(np.append(True, account[1:] != account[:-1])), len(account))

    @cached_property
    def models(self) -> tuple[str, str]:
        """The model that appeared last, and the one that is used least."""
        rows = self.donors.select(["model", "ts"]).group_by("model").aggregate([("ts", "min"), ("ts", "count")]).sort_by("model").to_pylist()
        return max(rows, key=lambda row: row["ts_min"])["model"], min(rows, key=lambda row: row["ts_count"])["model"]


def ground(log: Gathered, how: Reading) -> Ground:
    """A log that was read, ready to be planted in."""
    if isinstance(log.parts, One):
        marks = log.parts.traffic.marks
    else:
        several, number, held = list[pa.RecordBatch](), 0, 0
        while number < BUCKETS and held < DONORS:
            several += [batch for run in log.runs for batch in run.read([number], MARKS.names)]
            number, held = number + 1, sum(batch.num_rows for batch in several)
        marks = in_order(pa.Table.from_batches(several, MARKS).combine_chunks())
    first, last = with_facts(log.parts, [SPAN], NO_CONTEXT).given[SPAN.name]
    return Ground(log, how, first, last, marks)


@contextmanager
def planted(into: Ground, campaign: Disclosed, made: Alone, seed: int) -> Iterator[tuple[Gathered, Ints]]:
    """The log with the campaign in it, and the campaign's accounts (keyed hashes, ascending). Of a log on disk, what was planted goes when the block ends."""
    batch = made.calls.combine_chunks().to_batches()[0]
    own = pa.Table.from_batches([mark(linked(batch, into.how.unit), into.how.secret)], MARKS)
    marks = dressed(into, campaign, made, own, seed)
    guilty = np.unique(marks["account"].to_numpy())
    if isinstance(into.log.parts, One):
        both = in_order(pa.concat_tables([into.log.parts.traffic.marks, marks]).combine_chunks())
        yield replace(into.log, parts=One(Traffic(both)), read=into.log.read + marks.num_rows), guilty
        return
    with TemporaryDirectory(prefix="stillwatch-") as folder:
        run = runs.write(Path(folder) / "planted", marks)
        parts = OnDisk((*into.log.runs, run), Path(folder))
        yield replace(into.log, parts=parts, runs=[*into.log.runs, run], read=into.log.read + marks.num_rows), guilty


def dressed(into: Ground, campaign: Disclosed, made: Alone, own: pa.Table, seed: int) -> pa.Table:
    """Marks of planted calls as the log would have kept them. Each account has a donor, each conversation one of the donor's calls."""
    rng = Random(f"{seed}/donors")
    _, first, talk = np.unique(np.array(made.conversation), return_index=True, return_inverse=True)
    donor = into.donors.take(pa.array(_donors(into, own["account"].to_numpy(), talk, rng)))
    account, call = own["account"], own["call"]
    out = {name: donor[name] if name in AS_THE_DONOR else own[name] for name in MARKS.names}
    instead = {name: donor[name] for name in KNOWN_WITH_THE_DONOR} | dict.fromkeys(IDS, account) | {"upstream": call}
    for name, other in instead.items():
        out[name] = _where(donor[name].is_valid(), pc.coalesce(own[name], other))
    # A client may keep the conversation to itself; the log's accounts name it or do not.
    out["session"] = _where(donor["session"].is_valid(), call.take(pa.array(first[talk])))
    # An organisation that the log would know, or the account for itself.
    out["org"] = pc.if_else(donor["org_known"], own["org"], own["org"] if into.how.unit == "key" else account)
    out["org_known"] = donor["org_known"]
    answered = pc.less(pc.fill_null(donor["status"], 200), 400)
    out |= {name: _where(answered, own[name]) for name in ANSWER}
    if campaign.infrastructure:
        out |= _clients(into, own["headers"], donor, rng)
    newest, rarest = into.models
    out["model"] = pc.if_else(pa.array(made.moved), newest if campaign.moves_to == NEW_MODEL else rarest, out["model"])
    out["ts"] = pa.chunked_array([np.clip(own["ts"].to_numpy(), into.first, into.last)])
    known = [out[field.name].cast(field.type) if field.name in into.log.present else pa.nulls(own.num_rows, field.type) for field in MARKS]
    return pa.table(known, schema=MARKS)


def _where(some: pa.ChunkedArray, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column, unknown elsewhere."""
    return pc.if_else(some, column, pa.scalar(None, column.type))


def _donors(into: Ground, account: Ints, talk: Ints, rng: Random) -> Ints:
    """Of each planted call, the donor's call: one account of the log for each of the campaign's, one of its calls for each conversation."""
    chosen: dict[int, int] = {}
    of: dict[int, int] = {}
    bounds = into.bounds.tolist()
    for mine, conversation in zip(account.tolist(), talk.tolist(), strict=True):
        if conversation not in chosen:
            at = of[mine] if mine in of else of.setdefault(mine, rng.randrange(len(bounds) - 1))
            chosen[conversation] = rng.randrange(bounds[at], bounds[at + 1])
    return np.array([chosen[each] for each in talk.tolist()], np.int64)


def _clients(into: Ground, own: pa.ChunkedArray, donor: pa.Table, rng: Random) -> dict[str, pa.ChunkedArray]:
    """Where a campaign shares its clients: each of them is that of some call of the log, as far as the log tells."""
    rows: dict[int | None, int] = {}
    at = [rows[each] if each in rows else rows.setdefault(each, rng.randrange(into.donors.num_rows)) for each in own.to_pylist()]
    other = into.donors.select(CLIENT).take(pa.array(at))
    return {name: _where(donor[name].is_valid(), other[name]) for name in CLIENT}
