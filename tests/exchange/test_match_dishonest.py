"""Dishonest peers at a real server's desk for matching, over TLS and with their own signatures: refused, in the ledger, and the server goes on."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

for package in ("rbcl", "voprf", "http_message_signatures"):
    pytest.importorskip(package)

from exchange_case import SHARED, Exchange, free_port, served, write_key  # noqa: E402
from stillwatch.doors.taxii import matching as desks  # noqa: E402
from stillwatch.doors.taxii.desks import Match  # noqa: E402
from stillwatch.doors.taxii.messages import Fault, Request  # noqa: E402
from stillwatch.exchange.matching import group, wire  # noqa: E402
from stillwatch.exchange.matching.book import OPENINGS, Book, Page  # noqa: E402
from stillwatch.exchange.matching.session import Own, Policy, Session  # noqa: E402
from stillwatch.exchange.matching.wire import Opening, Terms  # noqa: E402
from stillwatch.exchange.matching.work import Here  # noqa: E402
from stillwatch.ledger.notes import Signer  # noqa: E402
from stillwatch.noting import _signer  # noqa: E402
from stillwatch.peers import settings as peers  # noqa: E402
from stillwatch.peers.connection import Connection, Unanswered  # noqa: E402
from stillwatch.store import matching as kept  # noqa: E402
from stillwatch.store.ledger import Ledger  # noqa: E402

TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
NORTH = [f"card-{number}".encode() for number in range(1_000)]
SOUTH = [f"card-{number}".encode() for number in range(900, 1_900)]
Parts = dict[int, bytes]
Change = Callable[[Parts], Parts]
NOT_CANONICAL = bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
seeds = itertools.count(1)


@dataclass
class Place:
    """North's server, and what it keeps."""

    exchange: Exchange
    port: int
    settings: Path
    answers: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        for each in ("payment", "domain"):
            kept.write_items(self.exchange.folder / f"{each}.txt", each, NORTH)

    def notes(self) -> list[tuple[str, str, str]]:
        file = self.exchange.folder / "ledger" / "entries.jsonl"
        return [(row["member"], row["kind"], row["what"]) for row in map(json.loads, file.read_text().splitlines())] if file.exists() else []

    def page(self, kind: str = "payment") -> Page:
        file = self.exchange.folder / f"{kind}.secret.book"
        return (Book.from_bytes(file.read_bytes()) if file.exists() else Book()).page(Terms("north", "south", kind, TODAY))

    def connection(self, who: str = "south") -> Connection:
        mine, known = peers.load(self.exchange.peers(self.port, who))
        return Connection(mine, known["north"])

    def forget(self) -> None:
        """A new epoch, as far as the book knows."""
        for each in ("payment", "domain"):
            (self.exchange.folder / f"{each}.secret.book").unlink(missing_ok=True)


def written(exchange: Exchange, port: int, budget: int = 100_000) -> Path:
    path = exchange.settings(port, more='ledger = "ledger"\nsign_with = "north-sign"')
    common = 'me = "north"\nreveal_from = 20\npeers = ["south"'
    path.write_text(
        path.read_text()
        + f'[[match]]\ntype = "payment"\nitems = "payment.txt"\nsecret = "payment.secret"\nbudget = {budget}\n{common}]\n'
        + f'[[match]]\ntype = "domain"\nitems = "domain.txt"\nsecret = "domain.secret"\nbudget = 1000\n{common}, "west"]\n'
    )
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    exchange, port = Exchange(tmp_path_factory.mktemp("dishonest")), free_port()
    made = Place(exchange, port, written(exchange, port))
    with served(made.settings):
        yield made
        flat = b"".join(made.answers)
        assert not any(each in flat for each in (*NORTH, *SOUTH)), "an item was shown"
        made.connection().get("collections")  # after all of it the server answers


class South:
    """A peer that keeps to the protocol, but for what a test changes in one of its messages."""

    def __init__(self, place: Place, who: str = "south", kind: str = "payment", items: list[bytes] = SOUTH) -> None:
        self.place, self.kind, self.connection, self.sent = place, kind, place.connection(who), list[bytes]()
        draw = random.Random(next(seeds))
        own = Own(Terms(who, "north", kind, TODAY), items, who.encode() * 6 + b"\0\0")
        self.session = Session(own, policy=Policy(reveal_from=20), book=Book(), work=Here(), chance=draw.randbytes, clock=lambda: time.time_ns() // 1000)

    def say(self, message: bytes) -> bytes:
        self.sent.append(message)
        self.place.answers.append(self.connection.hand(message, "match", self.kind, TODAY))
        return self.place.answers[-1]

    def play(self, steps: int = 9, change: Change | None = None) -> str:
        """So many messages, the last of them changed. Returns the code with which north refused, or "" when it did not."""
        message: bytes | None = self.session.open()
        for step in range(steps):
            if not message:
                break
            if change is not None and step == steps - 1:
                session, transcript, parts = wire.read(message)
                message = wire.write(session, transcript, change(parts))
            answer = self.say(message)
            code = refusal(answer)
            if code:
                assert wire.read(answer)[2].keys() == {wire.CLOSE} and len(answer) < 120
                return code
            message = self.session.receive(answer) if answer and change is None or step < steps - 1 else None
        return ""


def refusal(answer: bytes) -> str:
    parts = wire.read(answer)[2] if answer else {}
    return wire.closed_for(parts[wire.CLOSE]) if wire.CLOSE in parts else ""


def opened(parts: Parts, **changed: Any) -> Parts:
    was = Opening.from_bytes(parts[wire.OPEN])
    return {wire.OPEN: Opening(**{**vars(was), **changed}).to_bytes()}


def points(kind: int, change: Callable[[bytes], bytes]) -> Change:
    return lambda parts: {**parts, kind: change(parts[kind])}


LIES: dict[str, tuple[int, str, Change]] = {
    "a small set": (1, "small set", lambda parts: opened(parts, band=500)),
    "a size that is no band": (1, "large set", lambda parts: opened(parts, band=1_500)),
    "a set above the most": (1, "large set", lambda parts: opened(parts, band=2_000_000)),
    "another epoch's terms": (1, "terms", lambda parts: opened(parts, shared=Terms("south", "north", "payment", "2001-01-01").shared())),
    "another member's terms": (1, "terms", lambda parts: opened(parts, shared=Terms("west", "north", "payment", TODAY).shared())),
    "too few elements": (2, "size", points(wire.SIZE_ASK, lambda data: data[:-32])),
    "too many elements": (2, "size", points(wire.SIZE_ASK, lambda data: data + data[:32])),
    "the identity": (2, "invalid point", points(wire.SIZE_ASK, lambda data: bytes(32) + data[32:])),
    "what is not canonical": (2, "invalid point", points(wire.SIZE_ASK, lambda data: data[:-32] + NOT_CANONICAL)),
    "one element twice": (2, "repeated item", points(wire.SIZE_ASK, lambda data: data[:32] + data[:-32])),
    "a key that is none": (2, "invalid point", points(wire.KEY, lambda data: bytes(32))),
    "tags twice": (3, "repeated item", points(wire.TAGS, lambda data: data[:16] + data[:-16])),
    "a consent that is none": (3, "format", points(wire.CONSENT, lambda data: b"\2")),
    "the identity, asked in phase B": (4, "invalid point", points(wire.ASK, lambda data: bytes(32) + data[32:])),
    "answers under no proof": (5, "proof", points(wire.ANSWER, lambda data: bytes([data[0] ^ 1]) + data[1:])),
    "answers in another order": (5, "proof", points(wire.ANSWER, lambda data: data[:64] + data[96:128] + data[64:96] + data[128:])),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_stands_in_the_ledger(place: Place, lie: str) -> None:
    place.forget()
    steps, code, change = LIES[lie]
    before = len(place.notes())
    assert South(place).play(steps, change) == code
    new = place.notes()[before:]
    assert new[-1] == ("south", "refusal", code) and {who for who, _, _ in new} == {"south"}
    assert place.page().done is False


def test_another_set_and_another_key_in_one_epoch(place: Place) -> None:
    place.forget()
    South(place).play(2)
    assert South(place, items=[*SOUTH[1:], b"another"]).play(1, lambda parts: parts) == "changed set"
    other = group.element(b"another key", b"x")
    assert South(place).play(2, points(wire.KEY, lambda data: other)) == "changed key"
    assert place.notes()[-1] == ("south", "refusal", "changed key")
    assert place.page().spent == 1_000, "what was refused for its key was not answered"


def test_an_opening_begins_again_and_a_set_is_matched_once(place: Place) -> None:
    place.forget()
    South(place).play(2)  # and its process ends
    again = South(place)
    assert again.play() == ""
    assert again.session.outcome is not None and again.session.outcome.common == set(NORTH) & set(SOUTH)
    assert place.page().spent == 3_000 and place.page().done
    assert South(place).play(1) == "repeated set"
    assert ("south", "match", "answer tags") in place.notes()


def test_a_replayed_message_ends_it(place: Place) -> None:
    place.forget()
    peer = South(place)
    peer.play(2)
    assert refusal(peer.say(peer.sent[1])) == "order"
    assert refusal(peer.say(peer.sent[0])) == "order", "an opening is taken once, also when nothing is going on"
    assert place.page().spent == 1_000


def test_more_evaluations_than_the_budget_are_not_made(place: Place) -> None:
    place.forget()
    assert South(place, kind="domain").play() == "budget"
    assert place.page("domain").spent == 1_000 and place.notes()[-1] == ("south", "refusal", "budget")


def test_a_session_opened_again_and_again(place: Place) -> None:
    place.forget()
    codes = [South(place).play(1) for _ in range(OPENINGS + 2)]
    assert codes == [""] * OPENINGS + ["openings"] * 2
    assert len(place.page().nonces) == OPENINGS


def test_who_is_not_named_is_told_that_there_is_nothing_and_is_noted(place: Place) -> None:
    for kind, epoch in (("payment", TODAY), ("payment", "2001-01-01"), ("organisation", TODAY)):
        with pytest.raises(Unanswered) as error:
            place.connection("west").hand(b"x", "match", kind, epoch)
        assert error.value.status == 404
    assert place.notes()[-1] == ("west", "refusal", desks.NOT_NAMED)


def test_two_at_once_and_whoever_reads_collections_waits_for_none(place: Place) -> None:
    place.forget()
    first = South(place, kind="domain")
    first.play(1)
    with pytest.raises(Unanswered) as error:
        South(place, who="west", kind="domain").play(1)
    assert error.value.status == 503
    place.connection().get("collections", SHARED, "objects")
    first.say(b"")  # south is refused, and west can begin
    assert South(place, who="west", kind="domain").play(1) == ""
    South(place, who="west", kind="domain").say(b"")


def test_a_killed_server_gives_no_budget_back(tmp_path: Path) -> None:
    exchange, port = Exchange(tmp_path), free_port()
    place = Place(exchange, port, written(exchange, port, budget=3_000))
    with served(place.settings) as server:
        assert South(place).play(2) == ""
        children = _children(server.pid)
        assert children
        server.send_signal(signal.SIGKILL)
        server.wait(10)
    until = time.monotonic() + 10
    while any(map(_runs, children)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(_runs, children)), "no process of the arithmetic is left"
    assert place.page().spent == 1_000
    with Ledger(tmp_path / "ledger", _named(tmp_path)) as ledger:
        assert len(ledger) == 2, "what was answered stands in the ledger"
    with served(place.settings):
        again = South(place)
        assert again.play() == "" and again.session.outcome is not None, "in the same epoch, with what is left"
        assert place.page().spent == 3_000 and place.page().done


def _named(folder: Path) -> Signer:
    return _signer(folder / "north-sign")


def _children(pid: int) -> list[int]:
    return [int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in (task / "children").read_text().split()]


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


# At a desk without a server: what would take too long over the wire.


def desk(folder: Path, **changed: Any) -> desks.MatchDesk:
    write_key(folder / "north-sign")
    kept.write_items(folder / "n.txt", "payment", NORTH)
    usual: dict[str, Any] = {
        "type": "payment", "me": "north", "items": folder / "n.txt", "peers": ("south",), "secret": folder / "secret", "epoch": "day", "reveal_from": None,
        "least": 10, "fewest": 1_000, "most": 100_000, "budget": 200_000, "out": None,
    }  # fmt: skip
    how = {each: changed.pop(each) for each in ("idle",) if each in changed}
    return desks.MatchDesk([Match(**{**usual, **changed})], folder / "ledger", folder / "north-sign", **how)


def asked(at: desks.MatchDesk, message: bytes, who: str = "south") -> int:
    try:
        return at(who, Request("POST", "/", "/", body=message), ("payment", TODAY)).status
    except Fault as fault:
        return fault.status


def opening(seed: int = 1) -> bytes:
    own = Own(Terms("south", "north", "payment", TODAY), SOUTH, bytes(32))
    return Session(own, policy=Policy(), book=Book(), work=Here(), chance=random.Random(seed).randbytes, clock=lambda: 1).open()


def test_a_peer_that_is_refused_too_often_is_not_heard_and_fills_no_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "MOST_REFUSED", 5)
    at = desk(tmp_path)
    assert [asked(at, os.urandom(20)) for _ in range(8)] == [200] * 5 + [429] * 3
    assert [asked(at, b"x", "west") for _ in range(8)] == [404] * 8
    assert len((tmp_path / "ledger" / "entries.jsonl").read_text().splitlines()) == 10


def test_what_is_refused_at_once_starts_no_process_and_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = desk(tmp_path)
    monkeypatch.setattr(kept, "read_items", lambda *words: pytest.fail("read the items"))
    assert asked(at, b"rubbish") == 200 and at._work is None and at._book is None


def test_a_matching_that_its_peer_left_ends_by_time(tmp_path: Path) -> None:
    at = desk(tmp_path, idle=0.3)
    assert asked(at, opening()) == 200 and at._session is not None
    with pytest.raises(kept.Busy), kept.BookFile(tmp_path / "secret.book"):
        pass
    time.sleep(0.8)
    assert at._session is None
    with kept.BookFile(tmp_path / "secret.book") as held:
        assert len(held.book.pages) == 1


def test_no_request_waits_for_another_ones_arithmetic(tmp_path: Path) -> None:
    at = desk(tmp_path)
    with at._lock:  # held while a message is worked on
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(asked(at, opening())))
        thread.start()
        thread.join(5)
        assert found == [503]


def test_what_cannot_be_noted_is_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "_TRIES", 2)
    at = desk(tmp_path)
    with Ledger(tmp_path / "ledger", _named(tmp_path)):
        assert asked(at, opening()) == 503 and at._session is None
    assert asked(at, opening(2)) == 200
    rows = [json.loads(each)["what"] for each in (tmp_path / "ledger" / "entries.jsonl").read_text().splitlines()]
    assert rows == ["commitment"] * 2, "also what could not be written at once"
    at._end()


@pytest.mark.parametrize("damage", ["no items", "few items", "another type", "no book"])
def test_what_is_wrong_with_ones_own_files_is_told_to_the_operator_alone(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    at = desk(tmp_path)
    if damage == "no items":
        (tmp_path / "n.txt").unlink()
    if damage == "few items":
        kept.write_items(tmp_path / "n.txt", "payment", NORTH[:-1])
    if damage == "another type":
        kept.write_items(tmp_path / "n.txt", "domain", NORTH)
    if damage == "no book":
        (tmp_path / "secret.book").write_bytes(b"{}")
    assert asked(at, opening()) == 503 and at._book is None
    assert "cannot be answered" in caplog.text


def test_a_book_forgets_what_is_long_over() -> None:
    book = Book()
    for day in range(10, 30):
        book = book.opened(Terms("north", "south", "payment", f"2026-11-{day}"), Opening(bytes([day]) * 32, bytes(32), 1_000, b""))
    book = book.opened(Terms("north", "south", "domain", "2026-W01"), Opening(bytes(32), bytes(32), 1_000, b""))
    left = book.newest("payment", 3)
    assert sorted(at[2] for at in left.pages) == ["2026-11-27", "2026-11-28", "2026-11-29", "2026-W01"]
