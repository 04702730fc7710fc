"""Trace-back through a resale chain: asking a reseller about a case, and answering such a question from one's own log."""

from __future__ import annotations

import json
import secrets
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.campaigns import weigh
from stillwatch.campaigns.judge import accounts_of
from stillwatch.earlier import RUNS
from stillwatch.engines import runs
from stillwatch.errors import UserError
from stillwatch.examination import Examined, Progress, judged, reference_of
from stillwatch.exchange import envelope
from stillwatch.exchange.trace import answering, inquiry, xarf
from stillwatch.files import publish
from stillwatch.intake import mapping as maps
from stillwatch.intake.mark import account_hashes, call_hashes
from stillwatch.intake.read import read
from stillwatch.intake.unit import linked
from stillwatch.noting import DOWN_THE_CHAIN, Said, noted
from stillwatch.packing import bytes_of, signer_of, trusted_of
from stillwatch.records import NO_CONTEXT
from stillwatch.sources import Reading, gather
from stillwatch.store import asked, inquiries, keys, scans, states
from stillwatch.verification import kept_log, kept_reference

STAYS = timedelta(days=30)
"For how long an inquiry stands."


@dataclass(frozen=True)
class Desk:
    """Who reports to an abuse desk, and what the desk knows the account by."""

    org: str
    contact: str
    source: str


def inquire(
    folder: Path,
    campaign: str,
    accounts: Sequence[str],
    logs: Sequence[str],
    sign_with: Path,
    out: Path,
    *,
    key: Path | None = None,
    mapping: Path | None = None,
    desk: Desk | None = None,
    ledger: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Ask a reseller about a case: of its accounts' calls in the case, the request ids, blinded, in one signed file (with `desk`, and as XARF beside it).

    Args: a scan's folder; the beginning of a campaign's id; the reseller's accounts; the log that was scanned, where the ids are. Raises: UserError.
    """  # fmt: skip
    if not scans.is_scan(folder, "scan"):
        raise UserError("is no folder that a scan wrote", str(folder), "name the DIR that was given to `stillwatch scan --out`")
    secret = keys.load(key)
    if secret is None:
        raise UserError("the hashing key of this scan is not here", str(folder), "pass the key of that scan with --key")
    line = _line(folder, campaign)
    if line["verdict"] == "watch":
        raise UserError(f"{line['campaign']} is a watch", str(folder), "an inquiry takes an alert or a review")
    wanted = {_digits(each) for each in account_hashes(list(accounts), secret)}
    if missing := [
        name
        for name, digits in zip(accounts, (_digits(each) for each in account_hashes(list(accounts), secret)), strict=True)
        if not {name, digits} & set(line["accounts"])
    ]:
        raise UserError(f"{missing[0]} is not in the case {line['campaign']}", str(folder), "name the reseller's accounts as the case has them")
    hashes = _calls_of(folder, secret, line, wanted, progress or (lambda name, count: None))
    ids, first, last = [], np.inf, -np.inf
    for batch in _raw(logs, mapping):
        mine = np.isin(np.array(call_hashes(batch.column("call_id").to_pylist(), secret), np.int64), hashes)
        ids += batch.column("call_id").filter(pa.array(mine)).to_pylist()
        if mine.any():
            ts = batch.column("ts").to_numpy()[mine] / 1e6
            first, last = min(first, ts.min()), max(last, ts.max())
    if not ids:
        raise UserError("none of the case's calls is in this log", ", ".join(logs), "name the log that was scanned")
    now = datetime.now(UTC)
    told = inquiry.made(
        id=str(uuid.uuid4()), salt=secrets.token_bytes(32), now=now, expires=now + STAYS, calls=ids, first=float(first), last=float(last), verdict=line["verdict"],
        log10_e=line["log10_e"], atlas={each["atlas"] for each in line["signals"] if each["fires"] and each["atlas"]},
    )  # fmt: skip
    raw = envelope.signed(told, envelope.INQUIRY, signer_of(sign_with))
    _write(out, raw)
    noted(ledger, sign_with, [Said("share", raw, DOWN_THE_CHAIN, "inquiry")])
    said = {"inquiry": told["id"], "calls": len(told["calls"]), "out": str(out), "expires": told["expires"], "xarf": None}
    if desk is not None:
        beside = out.with_name(out.name + ".xarf.json")
        report = xarf.report(inquiry.heard(told, str(out)), raw, report_id=str(uuid.uuid4()), now=now, org=desk.org, contact=desk.contact, source=desk.source)
        _write(beside, json.dumps(report, indent=2).encode() + b"\n")
        said["xarf"] = str(beside)
    return said


@dataclass
class _Hits:
    """What of an inquiry is in one's own log."""

    calls: list[str] = field(default_factory=list)
    "One's own ids of the calls."
    upstream: list[str] = field(default_factory=list)
    "The asker's ids."
    accounts: list[str] = field(default_factory=list)
    "Who made each."
    ts: list[float] = field(default_factory=list)
    "When, Unix seconds."
    period: int = 0
    "All calls of the inquiry's period."
    known: int = 0
    "Calls of the log with the provider's id."


def trace(
    file: Path,
    logs: Sequence[str],
    trusted: Sequence[Path],
    sign_with: Path,
    out: Path,
    *,
    history: Sequence[Path] = (),
    mapping: Path | None = None,
    unit: str = "account",
    key: Path | None = None,
    register: Path | None = None,
    resellers: Sequence[str] = (),
    onward: Path | None = None,
    heard: Sequence[Path] = (),
    innocent: str | None = None,
    handled: bool = False,
    roots: Sequence[Path] = (),
    ledger: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Answer an inquiry from one's own log: find the calls, test the customers who made them on one's own evidence, say one of a few words, signed.

    Args: the inquiry; one's own logs, with `upstream_id`; public keys of those whose inquiries and answers are believed; earlier scans as reference; customers who resell (they are asked in turn by
    the files in `onward`, and their answers come back by `heard`); a person's reason for innocence, or that the case was handled.
    Returns: the answer, and beside it under `here` what stays here. Raises: UserError.
    """  # fmt: skip
    step, now = progress or (lambda name, count: None), datetime.now(UTC)
    public = trusted_of(trusted, roots)
    raw = bytes_of(file)
    _, told, sender = envelope.opened(raw, (envelope.INQUIRY,), public, str(file))
    ask = inquiry.heard(told, str(file))
    how = Reading(keys.load_or_create(key), key, None if mapping is None else maps.load(mapping), unit)
    place = inquiries.default_path() if register is None else register
    rows = inquiries.read(place)
    step("looking for the calls", 0)
    hits = _hits(ask, logs, mapping, unit)
    if not hits.known:
        raise UserError(
            "no call of this log has an upstream_id", ", ".join(logs), "name a log that keeps the provider's request ids, or map their column with --map"
        )
    own = [_digits(each) for each in call_hashes(hits.calls, how.secret)]
    before = [answering.Asked(row.sender, row.when, row.found) for row in rows if row.sender and row.id != ask.id and row.answer != "refused"]
    why = answering.refusal(ask, sender, own, hits.period, before, now)
    local, sent = None, list[dict[str, Any]]()
    if why is not None:
        answer = answering.made(ask, "refused", now, reason=why)
    else:
        local = _local(ask, hits, logs, how, history, resellers, step)
        local = _with_heard(local, heard, public, rows, ask.id)
        if onward is not None:
            sent = _onward(ask, hits, resellers, sign_with, onward, now)
        said = answering.answer_of(ask, local, innocent)
        answer = answering.made(ask, said, now, reason=innocent if said == "innocent" else None, handled=handled, local=local)
    back = envelope.signed(answer, envelope.ANSWER, signer_of(sign_with))
    _write(out, back)
    onwards = [Said("share", bytes_of(Path(each["out"])), DOWN_THE_CHAIN, "inquiry") for each in sent]
    noted(
        ledger,
        sign_with,
        [Said("hear", raw, sender, "inquiry"), *onwards, Said("share", back, sender, "answer") if why is None else Said("refusal", back, sender, why)],
    )
    passed = [
        inquiries.Row(each["inquiry"], "", answer["when"], "", own_of, ask.id)
        for each in sent
        for own_of in ([_digits(one) for one in call_hashes(each.pop("ids"), how.secret)],)
    ]
    inquiries.add(place, [inquiries.Row(ask.id, sender, answer["when"], answer["answer"], own), *passed])
    customers = Counter(hits.accounts)
    here = {
        "calls": len(hits.calls),
        "customers": [{"account": name, "calls": count} for name, count in customers.most_common()],
        "onward": sent,
        "refused": why,
    }
    return {"answer": answer, "out": str(out), "here": here, "local": None if local is None else vars(local).copy()}


def read_answer(file: Path, trusted: Sequence[Path], roots: Sequence[Path] = ()) -> dict[str, Any]:
    """An answer that came back, by whom. Raises: UserError."""
    _, told, sender = envelope.opened(bytes_of(file), (envelope.ANSWER,), trusted_of(trusted, roots), str(file))
    return {**answering.heard(told, str(file)), "sender": sender}


def _line(folder: Path, campaign: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in (folder / "campaigns.jsonl").read_text("utf-8").splitlines()]
    fits = [line for line in lines if line["campaign"].startswith(campaign)]
    if len(fits) != 1:
        raise UserError(f"{'no case' if not fits else 'more than one case'} begins with {campaign}", str(folder), "campaigns.jsonl lists them")
    line: dict[str, Any] = fits[0]
    return line


def _calls_of(folder: Path, secret: bytes, line: Mapping[str, Any], wanted: set[str], step: Progress) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Keyed hashes of the calls of some accounts in a case, by making the case again from what the scan kept."""
    told = asked.read(folder)
    names = set(line["accounts"])
    named = {_digits(each) for each in account_hashes(sorted(names), secret)} | names
    with tempfile.TemporaryDirectory() as scratch:
        found = judged(kept_log(runs.found(folder / RUNS), Path(scratch)), kept_reference(folder, secret, told.unit), step, told.context or NO_CONTEXT)
        for case in found.cases:
            mine = accounts_of(case)
            if {_digits(int(each)) for each in found.traffic.accounts[mine]} <= named and len(mine) == len(names):
                calls = np.unique(np.concatenate([one.weighed.cluster.calls for one in case]))
                of = [_digits(int(each)) in wanted for each in found.traffic.accounts[found.traffic.account[calls]]]
                return np.asarray(found.traffic.column("call").to_numpy()[calls[of]], np.int64)
    raise UserError("the case cannot be made again from what the scan kept", str(folder), "`stillwatch verify` says what differs")


def _raw(logs: Sequence[str], mapping: Path | None) -> Iterable[Any]:
    """Batches of calls as the log has them; records that cannot be used are passed over."""
    for batch in read(list(logs), None if mapping is None else maps.load(mapping), lambda rejected: None):
        if b"stillwatch marks" in (batch.schema.metadata or {}):
            raise UserError("holds marks, in which no request id is left", ", ".join(logs), "give the log that they were made from")
        yield batch


def _hits(ask: inquiry.Inquiry, logs: Sequence[str], mapping: Path | None, unit: str) -> _Hits:
    hits = _Hits()
    for raw in _raw(logs, mapping):
        batch = linked(raw, unit)
        ts = batch.column("ts").to_numpy() / 1e6
        hits.period += int(((ts >= ask.begin) & (ts < ask.end)).sum())
        upstream = batch.column("upstream_id").to_pylist()
        hits.known += sum(each is not None for each in upstream)
        found = np.flatnonzero(ask.finds(upstream))
        for name, column in (("calls", "call_id"), ("accounts", "account")):
            getattr(hits, name).extend(batch.column(column).take(found).to_pylist())
        hits.upstream += [upstream[at] for at in found]
        hits.ts += ts[found].tolist()
    return hits


def _local(
    ask: inquiry.Inquiry, hits: _Hits, logs: Sequence[str], how: Reading, history: Sequence[Path], resellers: Sequence[str], step: Progress
) -> answering.Local:
    """What one's own examination says of the customers who made the calls."""
    kept = [states.read(each, keys.fingerprint(how.secret), how.unit) for each in history]
    with tempfile.TemporaryDirectory() as folder:
        log = gather(list(logs), how, lambda rejected: None, Path(folder))
        assert log is not None, "the calls that were found"
        found = judged(log, reference_of(kept, [None] * len(kept)), step)
        accused, verdict, log10_e = _accused(found, hits, log.names)
    clusters = [each for each in found.linked.clusters if len(each.share)]
    share = float(np.median([each.share.min() for each in clusters])) if clusters else 1.0
    tested = sum(weigh.is_tested(each) for each in found.linked.clusters)
    resold = set(resellers)
    return answering.Local(
        len(set(hits.upstream)), sum(name in accused for name in hits.accounts), sum(name in resold for name in hits.accounts), verdict, log10_e, bool(kept),
        answering.fewest(tested, share, weigh.REVIEW) if kept else None,
    )  # fmt: skip


def _accused(found: Examined, hits: _Hits, names: Mapping[int, str]) -> tuple[set[str], str | None, float]:
    """Customers in alerts and reviews; of those cases in which askers' calls are, the strongest."""
    mine, accused = set(hits.accounts), set[str]()
    best: tuple[str | None, float] = (None, 0.0)
    for case in found.cases:
        if case[0].verdict == "watch":
            continue
        accounts = {names[int(found.parts.owners.accounts[at])] for one in case for at in one.weighed.cluster.accounts}
        accused |= accounts
        if accounts & mine and best[0] is None:
            best = (case[0].verdict, case[0].log10_e)
    return accused, *best


def _onward(ask: inquiry.Inquiry, hits: _Hits, resellers: Sequence[str], sign_with: Path, folder: Path, now: datetime) -> list[dict[str, Any]]:
    """An inquiry for each customer who resells and made enough of the calls, about those calls by our own ids."""
    made = []
    for number, name in enumerate(resellers, 1):
        at = [index for index, account in enumerate(hits.accounts) if account == name]
        if len(at) < inquiry.LEAST_CALLS or ask.depth >= inquiry.MOST_DEPTH:
            continue
        ids, ts = [hits.calls[index] for index in at], [hits.ts[index] for index in at]
        told = inquiry.made(
            id=str(uuid.uuid4()), salt=secrets.token_bytes(32), now=now, expires=datetime.fromisoformat(ask.expires), calls=ids, first=min(ts), last=max(ts),
            verdict=ask.verdict, log10_e=ask.log10_e, atlas=ask.atlas, depth=ask.depth + 1,
        )  # fmt: skip
        out = folder / f"{number}.json"
        _write(out, envelope.signed(told, envelope.INQUIRY, signer_of(sign_with)))
        made.append({"account": name, "inquiry": told["id"], "calls": len(told["calls"]), "out": str(out), "ids": ids})
    return made


def _with_heard(local: answering.Local, heard: Sequence[Path], public: Mapping[str, Any], rows: Sequence[inquiries.Row], of: str) -> answering.Local:
    """With what those who resell answered: calls that they found in a case of theirs count as found."""
    ours = {row.id: row for row in rows if not row.sender and row.of == of}
    for file in heard:
        _, told, _ = envelope.opened(bytes_of(file), (envelope.ANSWER,), public, str(file))
        answer = answering.heard(told, str(file))
        if answer["inquiry"] not in ours:
            raise UserError("answers no inquiry that we sent on about this one", str(file), "name answers to files of --onward")
        if answer["answer"] == "found":
            stronger = local.verdict is None or (answer["log10_e"] or 0.0) > local.log10_e
            verdict, log10_e = (answer["verdict"], answer["log10_e"] or 0.0) if stronger else (local.verdict, local.log10_e)
            local = replace(local, in_cases=local.in_cases + len(ours[answer["inquiry"]].found), verdict=verdict, log10_e=log10_e)
    return local


def _write(out: Path, raw: bytes) -> None:
    with publish(out) as part:
        part.write_bytes(raw)


def _digits(number: int) -> str:
    return f"{number & (2**64 - 1):016x}"
