"""Whatever is sent to the desk for matching, at every step: never a server error, and never a byte that an honest peer would not get.

A real matching is taken apart: before each of its messages the desk's state is kept, and damaged copies of the message come to copies of that state. What is answered is a
closing message with a code, or an answer of the parts and lengths of the honest one. `STILLWATCH_FUZZ` is the number of damaged messages for each step,
`STILLWATCH_FUZZ_SEED` the set that is drawn.
"""

from __future__ import annotations

import copy
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

for package in ("rbcl", "voprf", "http_message_signatures"):
    pytest.importorskip(package)

from exchange_case import Asked, Exchange  # noqa: E402
from stillwatch.doors.taxii import matching as desks  # noqa: E402
from stillwatch.doors.taxii import settings as reading  # noqa: E402
from stillwatch.doors.taxii.messages import Fault, Request  # noqa: E402
from stillwatch.exchange.matching import wire  # noqa: E402
from stillwatch.exchange.matching.book import Book  # noqa: E402
from stillwatch.exchange.matching.session import Own, Policy, Session  # noqa: E402
from stillwatch.exchange.matching.wire import Terms  # noqa: E402
from stillwatch.exchange.matching.work import Here  # noqa: E402
from stillwatch.store import matching as kept  # noqa: E402

MANY = int(os.environ.get("STILLWATCH_FUZZ", "60"))
SEED = os.environ.get("STILLWATCH_FUZZ_SEED", "0")
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
NORTH = [f"canary-north-{number}".encode() for number in range(1_000)]
SOUTH = [f"canary-north-{number}".encode() for number in range(950, 1_000)] + [f"canary-south-{number}".encode() for number in range(950)]
STEPS = range(5)


class Alone(Here):
    """The arithmetic in this process: what is looked at here is what comes before and after it."""

    def close(self) -> None:
        """Nothing was begun."""


@dataclass
class Moment:
    """The desk before one of the peer's messages, that message, and what it is answered."""

    session: Session | None
    book: Book
    message: bytes
    answer: bytes


class Kept:
    """A book that is kept in memory."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def keep(self, book: Book) -> None:
        self.book = book

    def close(self) -> None:
        """Nobody waits for it."""


def twin(session: Session) -> Session:
    made = copy.copy(session)
    made.notes = list(session.notes)
    made._work = copy.copy(session._work)
    return made


@dataclass
class Fuzzed:
    """A desk that is set to any moment of one matching."""

    desk: desks.MatchDesk
    moments: list[Moment]
    file: Path

    def at(self, step: int, message: bytes) -> tuple[int, bytes]:
        """What is answered to a message at a step."""
        self.desk._end()
        self.desk._refused.clear()
        self.desk._notes.clear()
        moment = self.moments[step]
        self.file.write_bytes(moment.book.to_bytes())
        if moment.session is not None:
            self.desk._session, self.desk._place = twin(moment.session), ("south", "payment", TODAY)
            self.desk._book, self.desk._work = Kept(moment.book), Alone()  # type: ignore[assignment]
            self.desk._noted = len(moment.session.notes)
        try:
            found = self.desk("south", Request("POST", "/", "/", body=message), ("payment", TODAY))
        except Fault as fault:
            return fault.status, fault.answer().body
        return found.status, found.body


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    patched = pytest.MonkeyPatch()
    patched.setattr(desks, "Processes", Alone)
    exchange = Exchange(tmp_path_factory.mktemp("fuzz"))
    kept.write_items(exchange.folder / "n.txt", "payment", NORTH)
    file = exchange.settings(1)
    file.write_text(file.read_text() + '[[match]]\ntype = "payment"\nme = "north"\nitems = "n.txt"\npeers = ["south"]\nreveal_from = 20\n')
    desk = desks.MatchDesk(reading.load(file).match, None, None)
    made = Fuzzed(desk, [], exchange.folder / "matching.secret.book")
    own = Own(Terms("south", "north", "payment", TODAY), SOUTH, bytes(range(32)))
    south = Session(own, policy=Policy(reveal_from=20), book=Book(), work=Here(), chance=Random(1).randbytes, clock=lambda: time.time_ns() // 1000)
    message: bytes | None = south.open()
    while message:
        session = None if desk._session is None else twin(desk._session)
        book = Book() if desk._session is None else desk._session.book
        answer = desk("south", Request("POST", "/", "/", body=message), ("payment", TODAY)).body
        made.moments.append(Moment(session, book, message, answer))
        message = south.receive(answer) if answer else None
    assert south.outcome is not None and south.outcome.common == set(NORTH) & set(SOUTH) and len(made.moments) == len(STEPS)
    yield made
    desk._end()
    patched.undo()


def damaged(r: Random, moments: list[Moment], step: int) -> bytes:
    """A real message, damaged: its bytes, its lengths, its parts, its elements, or its place."""
    message = moments[step].message
    session, transcript, parts = wire.read(message)
    way = r.randrange(12)
    if way == 0:
        return r.randbytes(r.choice((0, 1, 7, 8, 71, 72, 73, 500)))
    if way == 1:
        return message[: r.randrange(len(message))]
    if way == 2:
        return message + r.randbytes(r.randrange(1, 40))
    if way == 3:  # some bytes, more often in the head, where they mean most
        out = bytearray(message)
        for _ in range(r.randrange(1, 6)):
            out[r.randrange(min(len(out), r.choice((100, 300, len(out)))))] = r.randrange(256)
        return bytes(out)
    if way == 4:  # a length, perhaps huge
        out = bytearray(message)
        struct.pack_into(">I", out, wire.HEAD + 1, r.choice((0, 1, 31, 2**31 - 1, 2**31, 2**32 - 1, r.randrange(len(message)))))
        return bytes(out)
    if way == 5:  # another message of the matching, or one that north sent
        other = r.choice(moments)
        return r.choice((other.message, other.answer or message))
    if way == 6:  # the parts of another message under this one's head
        return wire.write(session, transcript, wire.read(r.choice(moments).message)[2])
    kind = r.choice(list(parts))
    data = parts[kind]
    if way == 7:
        del parts[kind]
    elif way == 8:
        parts = dict(r.sample(list(parts.items()), len(parts))) | {r.randrange(1, 12): r.randbytes(r.randrange(40))}
    elif way == 9:  # elements: none, not canonical, twice, others' order, fewer, more
        at = 32 * r.randrange(max(1, len(data) // 32))
        bad = r.choice((bytes(32), bytes([255]) * 32, (2**255 - 19).to_bytes(32, "little"), data[:32], r.randbytes(32), b""))
        parts[kind] = data[:at] + bad + data[at + 32 :]
    elif way == 10:
        parts[kind] = data * r.randrange(3)
    else:
        parts[kind] = r.randbytes(r.choice((0, 1, 2, 16, 32, len(data))))
    return wire.write(r.choice((session, session, bytes(32))), r.choice((transcript, transcript, r.randbytes(32))), parts)


def shape(message: bytes) -> list[tuple[int, int]]:
    return [(kind, len(data)) for kind, data in wire.read(message)[2].items()] if message else []


@pytest.mark.parametrize("step", STEPS)
def test_damaged_messages_at_every_step(fuzzed: Fuzzed, step: int) -> None:
    refused = 0
    for number in range(MANY):
        name = f"{SEED} {step} {number}"
        message = damaged(Random(name), fuzzed.moments, step)
        status, body = fuzzed.at(step, message)
        assert status == 200, (name, status, body)
        assert b"canary" not in body, name
        said = shape(body)
        if said and said[0][0] == wire.CLOSE:
            assert len(said) == 1 and said[0][1] < 20, name
            refused += 1
            assert fuzzed.desk._session is None, "what is refused is over"
        else:
            # An opening may come at any step; what it is answered is an opening.
            assert said in ([], shape(fuzzed.moments[step].answer), shape(fuzzed.moments[0].answer)), name
    assert refused > MANY // 2


def test_the_honest_message_is_still_taken_at_every_step(fuzzed: Fuzzed) -> None:
    for step in STEPS:
        status, body = fuzzed.at(step, fuzzed.moments[step].message)
        assert status == 200 and shape(body) == shape(fuzzed.moments[step].answer) and b"canary" not in body, step


PATHS = st.lists(
    st.sampled_from(["match", "payment", "domain", TODAY, "2001-01-01", "..", "", "%2e", "\x00", "é", "south"]) | st.text(max_size=8), max_size=5
).map(lambda parts: "/match/" + "/".join(parts) + "/")


@settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD"]), PATHS, st.binary(max_size=200), st.sampled_from(["south", "west", "north", None]), st.booleans()
)
def test_requests_of_any_form_to_the_desk(wired: Asked, method: str, path: str, body: bytes, who: str | None, certificate: bool) -> None:
    try:
        request = wired.request(who, method, path, None, body, certificate="" if certificate else None)
    except UnicodeError:
        return
    answer = wired.taxii.answer(request)
    assert answer.status < 500, (answer, request)
    assert b"canary" not in answer.body + repr(answer.headers).encode()
    if who is None or not certificate:
        assert answer.status == 401
    elif who != "south":
        assert answer.status == 404


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    exchange = Exchange(tmp_path_factory.mktemp("wired"))
    kept.write_items(exchange.folder / "n.txt", "payment", NORTH)
    file = exchange.settings(1)
    file.write_text(file.read_text() + '[[match]]\ntype = "payment"\nme = "north"\nitems = "n.txt"\npeers = ["south"]\n')
    how: dict[str, Any] = {"desks": {"match": desks.MatchDesk(reading.load(file).match, None, None)}}
    made = Asked(exchange, file, **how)
    made.taxii._strangers._rate = 1e9
    return made
