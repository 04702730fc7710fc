"""The desk for private matching: the side that is asked. One matching at a time, the book kept before every answer, what happens in the ledger."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stillwatch import noting
from stillwatch.doors.taxii.desks import BYTES, EPOCHS, Match
from stillwatch.doors.taxii.messages import Answer, Fault, Request
from stillwatch.engines.matching import Processes
from stillwatch.errors import UserError
from stillwatch.exchange.matching.refusals import Refused
from stillwatch.exchange.matching.session import Own, Policy, Session
from stillwatch.exchange.matching.wire import Terms
from stillwatch.ledger.entries import Entry
from stillwatch.matched import book_of
from stillwatch.store import keys
from stillwatch.store import matching as kept

IDLE = 120.0
"Seconds after which a matching that its peer has left gives way to the next."

Place = tuple[str, str, str]


class MatchDesk:
    """Answers /match/TYPE/EPOCH/. Who stands in no block's list is told that there is nothing."""

    def __init__(self, blocks: Sequence[Match], ledger: Path | None, sign_with: Path | None) -> None:
        self._blocks = {each.type: each for each in blocks}
        self._ledger, self._sign_with = ledger, sign_with
        self._lock = threading.Lock()
        self._place: Place | None = None
        self._session: Session | None = None
        self._book: kept.BookFile | None = None
        self._work: Processes | None = None
        self._heard = 0.0

    def __call__(self, member: str, request: Request, path: tuple[str, ...]) -> Answer:
        """What a member is answered."""
        block = self._blocks.get(path[0]) if len(path) == 2 else None
        going_on = self._place == (member, *path)  # a matching that began before midnight ends after it
        if block is None or member not in block.peers or (path[1] != _epoch(block) and not going_on):
            raise Fault(404, "Not Found", "There is nothing here, or nothing that this member may see.")
        if request.method != "POST":
            raise Fault(405, "Method Not Allowed", "This endpoint does not take this method.", Allow="POST")
        with self._lock:
            return Answer(200, self._answered((member, block.type, path[1]), block, request.body), kind=BYTES)

    def _answered(self, place: Place, block: Match, message: bytes) -> bytes:
        if self._session is not None and self._place != place:
            if time.monotonic() - self._heard < IDLE:
                raise Fault(503, "Service Unavailable", "Another matching is going on.", Retry_After=str(int(IDLE)))
            self._end()
        self._heard = time.monotonic()
        try:
            if self._session is None:
                self._begin(place, block)
            assert self._session is not None and self._book is not None
            answer = self._session.receive(message) or b""
        except Refused as refused:
            answer = refused.answer
            if self._session is not None and self._book is not None:
                self._book.keep(self._session.book)
            self._end()
            return answer
        self._book.keep(self._session.book)
        if self._session.outcome is not None:
            if block.out is not None and self._session.outcome.common is not None:
                kept.write_items(block.out / f"{place[0]}-{block.type}-{place[2]}.txt", block.type, self._session.outcome.common)
            self._end()
        return answer

    def _begin(self, place: Place, block: Match) -> None:
        member, kind, epoch = place
        secret = keys.load_or_create(block.secret)
        self._place, self._book = place, kept.BookFile(book_of(block.secret))
        try:
            self._book.__enter__()
        except UserError as error:  # this member matches as the side that begins, at this moment
            self._place = self._book = None
            raise Fault(503, "Service Unavailable", "Another matching is going on.", Retry_After=str(int(IDLE))) from error
        try:
            own = Own(Terms(block.me, member, kind, epoch), kept.read_items(block.items, kind), secret)
            policy = Policy(block.reveal_from, block.least, block.fewest, block.most, block.budget)
            self._work = Processes()
            self._session = Session(own, policy=policy, book=self._book.book, work=self._work, chance=secrets.token_bytes, clock=_now)
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        """Let the next come."""
        session, self._session, self._place = self._session, None, None
        if self._work is not None:
            self._work.close()
            self._work = None
        if self._book is not None:
            self._book.close()
            self._book = None
        if session is not None and self._ledger is not None:
            noting.entered(self._ledger, self._sign_with, [Entry(each.kind, each.digest, each.at, each.member, each.what) for each in session.notes])


def _epoch(block: Match) -> str:
    return datetime.fromtimestamp(_now() / 1e6, UTC).strftime(EPOCHS[block.epoch])


def _now() -> int:
    return time.time_ns() // 1000
