"""The convenor's side: it carries lists, waits until every member's part is in, counts, asks for what compares calls, and tells each member of its own clusters.

It holds no log and belongs to no coalition that it convenes. It sees pseudonyms, and who of these stands where; no wording, account, customer or text. What is counted, and
how it is judged, is passed in.

    gathering -> bringing -> raising -> counting -> describing -> ended

Who is not heard for too long, or sends what is refused, is left out, and the others begin a new session with new keys: nothing of the old one is used. No result is ever
made of a part.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from stillwatch.exchange.joint import brought, lists, wire
from stillwatch.exchange.joint.brought import Brought
from stillwatch.exchange.joint.coalition import LEAST, MOST, before
from stillwatch.exchange.joint.refusals import Refused
from stillwatch.exchange.joint.taking_part import on_its_way

PATIENCE = 300_000_000
"Microseconds that a member may be silent in a session."

Lists = Mapping[str, bytes]
"Kind -> points, raised by all."


class Counting(Protocol):
    """What was counted."""

    @property
    def wanted(self) -> Mapping[str, Sequence[int]]:
        """Member -> its groups that are to be described."""

    def judged(self, described: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> Mapping[str, Sequence[tuple[int, str, bool]]]:
        """Member -> (group, verdict, whether it rests on one member) of what stands. Raises: Refused naming who told nonsense."""


Count = Callable[[Mapping[str, Brought], Mapping[str, Lists]], Counting]
Start = Callable[[Callable[[], Counting]], "Future[Counting]"]


@dataclass(frozen=True)
class Noted:
    """What happened, for the ledger: kind, a word, the digest of the message, the member, when."""

    kind: str
    what: str
    digest: str
    member: str
    at: int


@dataclass
class _Session:
    name: str
    coalition: tuple[str, ...]
    parts: dict[str, Brought] = field(default_factory=dict)
    lists: dict[tuple[str, str], tuple[list[str], bytes, bytes]] = field(default_factory=dict)
    "(owner, kind) -> (raised by, as it was signed, points)."
    counting: Future[Counting] | None = None
    described: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    findings: Mapping[str, Sequence[tuple[int, str, bool]]] | None = None
    heard: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a session is about."""

    epoch: str
    invited: tuple[str, ...]
    method: str
    until: int
    "When gathering ends, microseconds: who has not come then is not waited for."
    patience: int = PATIENCE
    "Microseconds that a member may be silent."


class Convened:
    """The sessions of one epoch. Safe to call from several threads."""

    def __init__(
        self, asked: Asked, *, count: Count, start: Start, publics: Callable[[str], list[bytes]], chance: Callable[[int], bytes], clock: Callable[[], int]
    ) -> None:  # fmt: skip
        self._asked, self._count, self._start, self._publics, self._chance, self._clock = asked, count, start, publics, chance, clock
        self._sizes: dict[str, dict[str, int]] = {}
        self._out: dict[str, str] = {}
        self._session: _Session | None = None
        self._whole, self._suspects = tuple[str, ...](), list[str]()
        self._lock = threading.Lock()
        self.notes: list[Noted] = []

    def answer(self, member: str, message: bytes) -> bytes:
        """What a member is answered. `member`: by the directory. Never raises for what a member sends."""
        with self._lock:
            try:
                return self._answer(member, message)
            except Refused as refused:
                self._leave(member, refused.code, message)
                return wire.write({"do": "over", "why": refused.code})

    def _answer(self, member: str, message: bytes) -> bytes:
        if member in self._out:
            return wire.write({"do": "over", "why": self._out[member]})
        if member not in self._asked.invited:
            raise Refused("member")
        told, parts = wire.read(message)
        say = wire.text(told, "say")
        self._look_round()
        if say == "hello":
            self._hello(member, told, message)
        session = self._session
        if session is None:
            self._gathered()
            session = self._session
        if session is None or member not in session.coalition:
            late = session is not None and member not in self._sizes
            return wire.write({"do": "over", "why": "late"} if late else {"do": "wait"})
        session.heard[member] = self._clock()
        if say != "hello" and wire.text(told, "session") == session.name:
            self._taken(session, member, say, told, parts, message)
        return self._next(session, member)

    def _hello(self, member: str, told: dict[str, Any], message: bytes) -> None:
        if told.get("epoch") != self._asked.epoch or told.get("method") != self._asked.method:
            raise Refused("version")
        sizes = told.get("sizes")
        if not isinstance(sizes, dict) or set(sizes) != set(lists.KINDS):
            raise Refused("format")
        if self._session is None:
            self._sizes[member] = {kind: lists.size_of(sizes[kind]) for kind in lists.KINDS}
            self._note("match", "hello", member, message)

    def _gathered(self) -> None:
        """A session, once everybody is there, or the time is up and enough are."""
        here = tuple(name for name in self._asked.invited if name in self._sizes and name not in self._out)
        waited = [name for name in self._asked.invited if name not in self._sizes and name not in self._out]
        if len(here) >= LEAST and (not waited or self._clock() >= self._asked.until):
            self._begin(here[:MOST])

    def _begin(self, coalition: tuple[str, ...]) -> None:
        now = self._clock()
        self._session = _Session(self._chance(16).hex(), coalition, heard=dict.fromkeys(coalition, now))

    def _look_round(self) -> None:
        """Who has been silent for too long is left out."""
        session = self._session
        if session is None or session.findings is not None:
            return
        for name in session.coalition:
            if self._clock() - session.heard[name] > self._asked.patience:
                self._leave(name, "late", b"")
                return

    def _leave(self, member: str, code: str, message: bytes) -> None:
        """Without a member: noted, and a new session of the others."""
        self._note("refusal", code, member, message)
        session = self._session
        if member not in self._asked.invited or (session is not None and session.findings is not None):
            return
        self._out[member] = code
        self._whole, self._suspects = (), []
        if session is not None and member in session.coalition:
            rest = tuple(name for name in session.coalition if name != member)
            if len(rest) >= LEAST:
                self._begin(rest)
            else:
                self._session = None
                self._out |= dict.fromkeys(rest, "over")

    def _note(self, kind: str, what: str, member: str, message: bytes) -> None:
        self.notes.append(Noted(kind, what, hashlib.sha256(message).hexdigest(), member, self._clock()))

    # -- what a member says

    def _taken(self, session: _Session, member: str, say: str, told: dict[str, Any], parts: list[bytes], message: bytes) -> None:
        if say == "bring" and member not in session.parts and len(parts) > len(lists.KINDS):
            self._brought(session, member, told, parts)
        elif say == "raised" and len(parts) == 1 and len(session.parts) == len(session.coalition):
            self._raised(session, member, wire.text(told, "owner"), wire.text(told, "kind"), parts[0])
        elif say == "described" and session.counting is not None and session.counting.done() and member not in session.described:
            self._described(session, member, told)
        elif say != "next":
            raise Refused("order")
        if say != "next":
            self._note("match", say, member, message)

    def _brought(self, session: _Session, member: str, told: dict[str, Any], parts: list[bytes]) -> None:
        sizes = self._sizes[member]
        for kind, data in zip(lists.KINDS, parts, strict=False):
            points = on_its_way(data, session.name, member, kind, [member], sizes[kind], self._publics(member))
            session.lists[member, kind] = [member], data, points
        session.parts[member] = brought.read(told, parts[len(lists.KINDS) :], sizes[lists.WORDINGS] - lists.CHECKS, sizes[lists.OWNERS] - lists.CHECKS)

    def _raised(self, session: _Session, member: str, owner: str, kind: str, data: bytes) -> None:
        if (owner, kind) not in session.lists or session.lists[owner, kind][0] != before(session.coalition, owner, member):
            raise Refused("order")
        by = [*session.lists[owner, kind][0], member]
        session.lists[owner, kind] = by, data, on_its_way(data, session.name, owner, kind, by, self._sizes[owner][kind], self._publics(member))

    def _described(self, session: _Session, member: str, told: dict[str, Any]) -> None:
        assert session.counting is not None
        wanted, rows = session.counting.result().wanted.get(member, ()), told.get("groups")
        if not isinstance(rows, list) or len(rows) != len(wanted) or not all(isinstance(row, dict) for row in rows):
            raise Refused("format")
        session.described[member] = dict(zip(wanted, rows, strict=True))

    # -- what it is to do

    def _next(self, session: _Session, member: str) -> bytes:
        if self._session is not session:
            return wire.write({"do": "wait"})
        if member not in session.parts:
            sizes = {name: self._sizes[name] for name in session.coalition}
            return wire.write({"do": "bring", "session": session.name, "coalition": list(session.coalition), "sizes": sizes})
        if len(session.parts) < len(session.coalition):
            return wire.write({"do": "wait"})  # nothing is raised before everybody's part is in
        for (owner, kind), (by, data, _) in sorted(session.lists.items()):
            if len(by) < len(session.coalition) and by == before(session.coalition, owner, member):
                return wire.write({"do": "raise", "session": session.name, "owner": owner, "kind": kind}, data)
        if any(len(by) < len(session.coalition) for by, _, _ in session.lists.values()):
            return wire.write({"do": "wait"})
        return self._counted(session, member)

    def _counted(self, session: _Session, member: str) -> bytes:
        if session.counting is None:
            points = {name: {kind: session.lists[name, kind][2] for kind in lists.KINDS} for name in session.coalition}
            if not all(lists.same_keys([each[kind] for each in points.values()]) for kind in lists.KINDS):
                self._two_keys(session)
                return wire.write({"do": "over", "why": "keys"} if member in self._out else {"do": "wait"})
            for name in set(self._whole) - set(session.coalition) - set(self._out):
                self._out[name] = "keys"  # without it all keys agree
                self._note("refusal", "keys", name, b"")
            parts = dict(session.parts)
            session.counting = self._start(lambda: self._count(parts, points))
        if not session.counting.done():
            return wire.write({"do": "wait"})
        counting = session.counting.result()
        waited = [name for name in session.coalition if counting.wanted.get(name) and name not in session.described]
        if member in waited:
            return wire.write({"do": "describe", "session": session.name, "groups": list(counting.wanted[member])})
        if waited:
            return wire.write({"do": "wait"})
        if session.findings is None:
            try:
                session.findings = counting.judged(session.described)
            except Refused as refused:
                self._leave(refused.who, refused.code, b"")
                return wire.write({"do": "over", "why": refused.code} if refused.who == member else {"do": "wait"})
            self._note("match", "verdict", "coalition", b"")
        return wire.write({"do": "end", "session": session.name, "findings": [list(each) for each in session.findings.get(member, ())]})

    def _two_keys(self, session: _Session) -> None:
        """Some member raised one list by another key than the rest, and lists do not show who: each is left out in turn, until all agree."""
        if not self._whole:
            self._whole = session.coalition
            self._suspects = list(session.coalition) if len(session.coalition) > LEAST else []
        if self._suspects:
            suspect = self._suspects.pop(0)
            self._begin(tuple(name for name in self._whole if name != suspect))
            return
        self._note("refusal", "keys", "coalition", b"")
        self._out |= dict.fromkeys(self._whole, "keys")
        self._session = None
