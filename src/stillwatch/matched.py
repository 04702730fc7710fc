"""Private matching with a peer, as the side that begins; and the sets that are brought to it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import noting
from stillwatch.engines.matching import Processes
from stillwatch.errors import UserError
from stillwatch.exchange.matching.refusals import Refused
from stillwatch.exchange.matching.session import Own, Policy, Session
from stillwatch.exchange.matching.wire import Terms
from stillwatch.intake import mapping as maps
from stillwatch.intake.read import read
from stillwatch.ledger.entries import Entry
from stillwatch.peers import settings as peers
from stillwatch.peers.connection import Connection, Unanswered
from stillwatch.store import keys, scans
from stillwatch.store import matching as kept

MOST, BUDGET = Policy.most, Policy.budget
"Items of a side, and evaluations for a peer, unless told otherwise."

WAIT = 900.0
"Seconds that a peer may work on one message: it raises every element of both sets."


def identifiers(logs: Sequence[str], kind: str, out: Path, mapping: Path | None = None, cases: Path | None = None) -> dict[str, Any]:
    """Write the identifiers of one type that logs show to a file, normalised, each once. Returns what was written. Raises: UserError where there are none.

    `cases`: a scan's result; then only what the accounts of its cases show is written. Such a set is for `match(cases=...)`: it is looked at here, and brought to nobody.
    """
    column = kept.TYPES[kind][0]
    named = None if cases is None else _accounts(cases)
    found: set[bytes] = set()
    for batch in read(logs, None if mapping is None else maps.load(mapping), lambda rejected: None):
        if column in batch.schema.names:
            rows = batch if named is None else batch.filter(pc.is_in(batch.column("account"), named))
            found |= {kept.normal(kind, each) for each in set(rows.column(column).to_pylist()) if isinstance(each, str)}
    if not found - {b""} and named is not None:
        raise UserError(
            f"no {kept.TYPES[kind][1]} of accounts in the cases of {cases}", str(logs[0]), "name the logs of that scan, made without --pseudonymous"
        )
    if not found - {b""}:
        raise UserError(f"no {kept.TYPES[kind][1]} in it", str(logs[0]), "marks hold keyed hashes only: name the logs themselves")
    return {"out": str(out), "type": kind, "items": kept.write_items(out, kind, found)}


def _accounts(result: Path) -> pa.Array:
    """The accounts in a scan's cases. Raises: UserError."""
    if not scans.is_scan(result, "scan"):
        raise UserError("is no folder that a scan wrote", str(result), "name the DIR that was given to `stillwatch scan --out`")
    return pq.read_table(result / "accounts.parquet", columns=["account"])["account"].combine_chunks().cast(pa.string())


def match(
    settings: Path,
    peer: str,
    *,
    kind: str,
    items: Path,
    me: str,
    epoch: str,
    secret: Path,
    reveal_from: int | None = None,
    out: Path | None = None,
    ledger: Path | None = None,
    cases: Path | None = None,
    most: int = MOST,
    budget: int = BUDGET,
) -> dict[str, Any]:
    """One matching with a peer.

    Args: the file of peers; the peer's name; type of the identifiers; the file with one's own; one's own name in the directory; the epoch, as the peer's settings have it; the file of
    the secret that keys follow from (made on first use; the book of one's matchings lies beside it); from how many common items on they are revealed, if the peer agrees; where they
    are written then; one's ledger; a file of those identifiers that one's own cases show; how many items a side may have at most; how many evaluations the peer may ask for. Returns: `band` of how many are common (None: fewer than k), `revealed`, `common` how many, `in_cases` how many of
    those stand in `cases` (None where nothing was revealed, or no file named), `out`. Raises: UserError, Refused.
    """
    mine, known = peers.load(settings)
    asked = peers.chosen(known, peer, settings)
    if reveal_from is not None and out is None:
        raise UserError("where common items are written is not said", "--reveal-from", "name a file with --out")
    try:
        terms, policy = Terms(me, peer, kind, epoch), Policy(reveal_from=reveal_from, most=most, budget=budget)
    except ValueError as error:
        raise UserError(str(error), "the terms", "mend the option") from error
    suspected = frozenset(kept.read_items(cases, kind)) if cases is not None else None
    own = Own(terms, kept.read_items(items, kind), keys.load_or_create(secret))
    connection = Connection(mine, asked, wait=WAIT)
    with kept.BookFile(book_of(secret)) as held, Processes() as work:
        session = Session(own, policy=policy, book=held.book, work=work, chance=secrets.token_bytes, clock=_now)
        try:
            message: bytes | None = session.open()
            while message is not None and message != b"":
                held.keep(session.book)
                answer = connection.hand(message, "match", kind, epoch)
                message = session.receive(answer) if answer else None
        except Refused as refused:
            if refused.answer:
                _last(connection, refused.answer, kind, epoch)
            raise
        finally:
            held.keep(session.book)
            connection.close()
            if ledger is not None:
                noting.entered(ledger, mine.key, [Entry(each.kind, each.digest, each.at, each.member, each.what) for each in session.notes])
    outcome = session.outcome
    if outcome is None:
        raise Refused("closed", peer)
    common = outcome.common
    if common is not None and out is not None:
        kept.write_items(out, kind, common)
    return {
        "peer": peer, "type": kind, "epoch": epoch, "band": None if outcome.size is None else list(outcome.size), "revealed": common is not None,
        "in_cases": None if common is None or suspected is None else len(common & suspected), "common": None if common is None else len(common), "out": None if common is None else str(out),
    }  # fmt: skip


def _last(connection: Connection, message: bytes, kind: str, epoch: str) -> None:
    """Tell the peer why it ended; whether that arrives changes nothing."""
    with contextlib.suppress(Unanswered):
        connection.hand(message, "match", kind, epoch)


def book_of(secret: Path) -> Path:
    """Where the book of a secret's matchings lies."""
    return secret.with_name(secret.name + ".book")


def _now() -> int:
    return time.time_ns() // 1000
