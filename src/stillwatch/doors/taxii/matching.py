"""The desk for private matching: the side that is asked. One matching at a time; the book and the ledger are on disk before every answer.

What a peer can make this side do is bounded: what cannot begin a matching is refused before a file is read for it, openings are counted in the book, a peer that was
refused too often in an epoch is not heard in it again, a matching that its peer left ends by time, and no request waits for another one's arithmetic.
"""

from __future__ import annotations

import hashlib
import logging
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
from stillwatch.errors import StillwatchError, UserError
from stillwatch.exchange.matching import wire
from stillwatch.exchange.matching.refusals import Refused
from stillwatch.exchange.matching.session import Own, Policy, Session
from stillwatch.exchange.matching.wire import Opening, Terms
from stillwatch.ledger.entries import Entry
from stillwatch.matched import book_of
from stillwatch.store import keys
from stillwatch.store import matching as kept

IDLE = 120.0
"Seconds after which a matching that its peer has left ends, so that the next one, or one's own, can begin."

MOST_REFUSED = 100
"Refusals of one member, type and epoch; after them it is not heard in that epoch, and nothing more is noted of it: a ledger cannot be filled from outside."

NOT_NAMED = "match: not named"
"What is noted of a member that asks where it may not."

_TRIES, _PAUSE = 20, 0.25
"How often and how far apart the ledger is tried, while another process writes it."

_LOG = logging.getLogger("stillwatch.match")

Place = tuple[str, str, str]
"Member, type, epoch."


class MatchDesk:
    """Answers /match/TYPE/EPOCH/. Who stands in no block's list is told that there is nothing."""

    def __init__(self, blocks: Sequence[Match], ledger: Path | None, sign_with: Path | None, idle: float = IDLE) -> None:
        self._blocks = {each.type: each for each in blocks}
        self._ledger, self._sign_with, self._idle = ledger, sign_with, idle
        self._lock = threading.Lock()
        self._place: Place | None = None
        self._session: Session | None = None
        self._book: kept.BookFile | None = None
        self._work: Processes | None = None
        self._timer: threading.Timer | None = None
        self._noted = 0
        self._notes: list[Entry] = []
        self._refused: dict[Place, int] = {}

    def __call__(self, member: str, request: Request, path: tuple[str, ...]) -> Answer:
        """What a member is answered."""
        block = self._blocks.get(path[0]) if len(path) == 2 else None
        going_on = self._place == (member, *path)  # a matching that began before midnight ends after it
        if block is None or member not in block.peers or (path[1] != _epoch(block) and not going_on):
            self._stranger(member, request)
            raise Fault(404, "Not Found", "There is nothing here, or nothing that this member may see.")
        if request.method != "POST":
            raise Fault(405, "Method Not Allowed", "This endpoint does not take this method.", Allow="POST")
        place = (member, block.type, path[1])
        if self._refused.get(place, 0) >= MOST_REFUSED:
            raise Fault(429, "Too Many Requests", "This member was refused too often in this epoch.", Retry_After="3600")
        if not self._lock.acquire(blocking=False):  # a server's threads are few: none waits for a matching
            raise _busy()
        try:
            return Answer(200, self._answered(place, block, request.body), kind=BYTES)
        except (StillwatchError, OSError, EOFError) as error:
            self._end()
            _LOG.error("a matching of type %s cannot be answered: %s", block.type, error)
            raise Fault(503, "Service Unavailable", "This desk cannot match now; its operator finds why in its log.") from error
        except Fault:
            raise
        except BaseException:
            self._end()
            raise
        finally:
            self._lock.release()

    def _answered(self, place: Place, block: Match, message: bytes) -> bytes:
        self._quiet()
        if self._session is not None and self._place != place:
            raise _busy()
        try:
            if self._session is None or self._anew(place, block, message):
                self._begin(place, block, message)
            assert self._session is not None and self._book is not None
            answer = self._session.receive(message) or b""
        except Refused as refused:
            if self._session is not None and self._book is not None:
                self._book.keep(self._session.book)
            self._count(place, refused.code, message)
            self._end()
            self._write()
            return refused.answer
        self._book.keep(self._session.book)
        self._collect()
        self._write()
        if self._session.outcome is not None:
            self._learnt(place, block)
            self._end()
        else:
            self._wait()
        return answer

    def _learnt(self, place: Place, block: Match) -> None:
        """Keep what was revealed. The peer has its answer whatever becomes of the file."""
        outcome = self._session.outcome if self._session is not None else None
        if block.out is None or outcome is None or outcome.common is None:
            return
        try:
            kept.write_items(block.out / f"{place[0]}-{block.type}-{place[2]}.txt", block.type, outcome.common)
        except (OSError, UserError) as error:
            _LOG.error("what was revealed could not be written: %s", error)

    # Begin and end of a matching.

    def _anew(self, place: Place, block: Match, message: bytes) -> bool:
        """Whether a message begins again what its peer has left: then what was left ends. Whether the opening is good is seen when it begins."""
        try:
            wire.opening(message, _terms(place, block))
        except Refused:
            return False
        self._end()
        return True

    def _begin(self, place: Place, block: Match, message: bytes) -> None:
        """Everything that a peer's message can be refused for comes before everything that costs something. Raises: Refused, Fault, StillwatchError, OSError."""
        terms = _terms(place, block)
        try:
            opening: Opening = wire.opening(message, terms)
            book = kept.BookFile(book_of(block.secret))
            try:
                book.__enter__()
            except kept.Busy as error:  # this member matches as the side that begins, at this moment
                raise _busy() from error
            self._place, self._book = place, book
            book.book.opened(terms, opening)
        except Refused as refused:
            raise Refused(refused.code, terms.peer, wire.close(bytes(32), wire.start(terms.shared()), refused.code)) from refused
        policy = Policy(block.reveal_from, block.least, block.fewest, block.most, block.budget)
        self._work = Processes()
        try:
            own = Own(terms, kept.read_items(block.items, block.type), keys.load_or_create(block.secret))
            book.keep(book.book.newest(block.type, kept.EPOCHS_KEPT))
            self._session = Session(own, policy=policy, book=book.book, work=self._work, chance=secrets.token_bytes, clock=_now)
        except Refused as refused:  # one's own set is refused, for which the peer can do nothing
            raise UserError(f"one's own items are a {refused.code}", str(block.items), "name a file with as many as the block allows") from refused
        self._noted = 0

    def _end(self) -> None:
        """Let the next come."""
        self._quiet()
        self._collect()
        self._session, self._place = None, None
        if self._work is not None:
            self._work.close()
            self._work = None
        if self._book is not None:
            self._book.close()
            self._book = None

    def _wait(self) -> None:
        self._timer = timer = threading.Timer(self._idle, lambda: self._lapse(timer))
        timer.daemon = True
        timer.start()

    def _quiet(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _lapse(self, timer: threading.Timer) -> None:
        """End a matching whose peer has left, unless it has spoken in the meantime."""
        with self._lock:
            if self._timer is timer:
                self._end()

    # What happened, for the ledger.

    def _stranger(self, member: str, request: Request) -> None:
        place = (member, "", "")
        if self._refused.get(place, 0) < MOST_REFUSED and self._lock.acquire(blocking=False):
            try:
                self._count(place, NOT_NAMED, request.body)
                self._write()
            except (StillwatchError, OSError) as error:
                _LOG.error("a refusal is not in the ledger yet: %s", error)
            finally:
                self._lock.release()

    def _count(self, place: Place, what: str, message: bytes) -> None:
        """One more refusal of a member; noted here where no session noted it."""
        if place not in self._refused:  # counts of epochs that are over go
            self._refused = {at: count for at, count in self._refused.items() if not at[2] or at[1:] != place[1:] or at[2] == place[2]}
        self._refused[place] = self._refused.get(place, 0) + 1
        if self._session is None:
            self._notes.append(Entry("refusal", hashlib.sha256(message).hexdigest(), _now(), place[0], what))

    def _collect(self) -> None:
        if self._session is not None:
            new = self._session.notes[self._noted :]
            self._noted += len(new)
            self._notes += [Entry(each.kind, each.digest, each.at, each.member, each.what) for each in new]

    def _write(self) -> None:
        """Notes on disk, or an error: what cannot be noted is not answered, and the notes wait for the next time. Raises: StillwatchError, OSError."""
        if self._ledger is None:
            self._notes.clear()
        for left in reversed(range(_TRIES)):
            if not self._notes:
                return
            assert self._ledger is not None
            try:
                noting.entered(self._ledger, self._sign_with, self._notes)
                self._notes = []
            except UserError:
                if left == 0:
                    raise
                time.sleep(_PAUSE)


def _terms(place: Place, block: Match) -> Terms:
    return Terms(block.me, *place)


def _busy() -> Fault:
    return Fault(503, "Service Unavailable", "Another matching is going on.", Retry_After=str(int(IDLE)))


def _epoch(block: Match) -> str:
    return datetime.fromtimestamp(_now() / 1e6, UTC).strftime(EPOCHS[block.epoch])


def _now() -> int:
    return time.time_ns() // 1000
