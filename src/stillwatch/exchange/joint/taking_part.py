"""A member's side of a session: what it answers to what the convenor says. Keys, chance, arithmetic and what it can tell of its clusters are passed in.

The convenor carries lists from member to member, and cannot read, change or add one: each is signed by the member that raised it last, for this session alone. A member's
scalar is of one session, so that nothing of one session can be compared with another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.exchange.joint import lists, wire
from stillwatch.exchange.joint.brought import Brought
from stillwatch.exchange.joint.coalition import LEAST, MOST, before
from stillwatch.exchange.joint.refusals import Refused
from stillwatch.exchange.matching import group
from stillwatch.exchange.matching.work import Work

MOST_SESSIONS = 8
"Sessions of one epoch that a member takes part in: one begins anew when a member is lost."


@dataclass(frozen=True)
class Tokens:
    """A member's own tokens, in an order that tells nothing; `Brought` names them by their places here."""

    wordings: lists.Ints
    owners: lists.Ints


@dataclass(frozen=True)
class Finding:
    """What a member is told of one of its clusters."""

    group: int
    "Place among those it brought."
    verdict: str
    "alert or review."
    rests: bool
    "Whether it rests on what one member says."


@dataclass(frozen=True)
class Mine:
    """Who takes part, and with what."""

    name: str
    epoch: str
    method: str
    "Digest of method and features: members of other versions do not mix."
    key: Ed25519PrivateKey
    tokens: Tokens
    brought: Brought
    describe: Callable[[Sequence[int]], list[dict[str, Any]]]
    "What a member can tell of some of its groups: values, ties, accounts."
    publics: Callable[[str], list[bytes]]
    "Keys that a member signs with now, by the directory."


class Part:
    """One member's side. `findings` is None until the session has ended."""

    def __init__(self, mine: Mine, *, work: Work, chance: Callable[[int], bytes]) -> None:
        self._mine, self._work, self._chance = mine, work, chance
        self._session, self._coalition, self._sessions = "", tuple[str, ...](), 0
        self._sizes: dict[str, dict[str, int]] = {}
        self._scalar = b""
        self._brought = b""
        self._raised: dict[tuple[str, str], tuple[bytes, bytes]] = {}
        self.findings: list[Finding] | None = None
        self.coalition: tuple[str, ...] = ()

    def hello(self) -> bytes:
        """The first message."""
        sizes = {kind: lists.length(len(getattr(self._mine.tokens, kind)) + lists.CHECKS) for kind in lists.KINDS}
        return wire.write({"say": "hello", "epoch": self._mine.epoch, "method": self._mine.method, "sizes": sizes})

    def next(self) -> bytes:
        """What is asked when there is nothing to say."""
        return wire.write({"say": "next", "session": self._session}) if self._session else self.hello()

    def receive(self, answer: bytes) -> bytes | None:
        """Takes what the convenor says; returns what is to be said, or None: wait, then say `next`. Raises: Refused, which ends it here."""
        told, parts = wire.read(answer)
        do = wire.text(told, "do")
        if do == "wait":
            return None
        if do == "over":
            raise Refused("over", wire.text(told, "why"))
        if do == "bring":
            return self._bring(told)
        if wire.text(told, "session") != self._session or not self._session:
            raise Refused("order")
        if do == "raise" and len(parts) == 1:
            return self._raise(told, parts[0])
        if do == "describe":
            return self._described(told)
        if do == "end":
            self._end(told)
            return None
        raise Refused("format")

    def _bring(self, told: dict[str, Any]) -> bytes:
        session, coalition, sizes = wire.text(told, "session"), told.get("coalition"), told.get("sizes")
        if session == self._session:
            return self._brought  # it did not arrive
        if not isinstance(coalition, list) or not isinstance(sizes, dict) or set(coalition) != set(sizes):
            raise Refused("order")
        if not LEAST <= len(set(coalition)) == len(coalition) <= MOST or self._mine.name not in coalition:
            raise Refused("member")
        self._sessions += 1
        if self._sessions > MOST_SESSIONS:
            raise Refused("often")
        self._sizes = {str(name): {kind: lists.size_of(each[kind]) for kind in lists.KINDS} for name, each in sizes.items()}
        self._session, self._coalition, self._raised = session, tuple(coalition), {}
        self._scalar = group.scalar(self._chance(64))
        made = [
            self._signed(
                self._mine.name, kind, [self._mine.name], lists.begun(kind, session, getattr(self._mine.tokens, kind), self._scalar, self._work, self._chance)
            )
            for kind in lists.KINDS
        ]
        self._brought = wire.write({"say": "bring", "session": session, **self._mine.brought.head()}, *made, *self._mine.brought.parts())
        return self._brought

    def _signed(self, owner: str, kind: str, by: list[str], points: bytes) -> bytes:
        return wire.signed(wire.write({"session": self._session, "owner": owner, "kind": kind, "raised": by}, points), self._mine.key)

    def _raise(self, told: dict[str, Any], data: bytes) -> bytes:
        owner, kind = wire.text(told, "owner"), wire.text(told, "kind")
        if owner not in self._coalition or owner == self._mine.name or kind not in lists.KINDS:
            raise Refused("order")
        if (owner, kind) in self._raised:
            asked, answer = self._raised[owner, kind]
            if asked != data:
                raise Refused("order")  # a second list of one owner would be a second question
            return answer
        by = before(self._coalition, owner, self._mine.name)
        points = on_its_way(data, self._session, owner, kind, by, self._sizes[owner][kind], self._mine.publics(by[-1]))
        again = self._signed(owner, kind, [*by, self._mine.name], self._work.lifted(self._scalar, points))
        answer = wire.write({"say": "raised", "session": self._session, "owner": owner, "kind": kind}, again)
        self._raised[owner, kind] = data, answer
        return answer

    def _described(self, told: dict[str, Any]) -> bytes:
        asked = told.get("groups")
        if not isinstance(asked, list) or any(type(each) is not int or not 0 <= each < len(self._mine.brought.groups) for each in asked):
            raise Refused("format")
        return wire.write({"say": "described", "session": self._session, "groups": self._mine.describe(asked)})

    def _end(self, told: dict[str, Any]) -> None:
        rows = told.get("findings")
        good = isinstance(rows, list) and all(
            isinstance(row, list) and len(row) == 3 and type(row[0]) is int and 0 <= row[0] < len(self._mine.brought.groups) and row[1] in ("alert", "review") and type(row[2]) is bool
            for row in rows
        )  # fmt: skip
        if not good:
            raise Refused("format")
        assert isinstance(rows, list)
        self.findings = [Finding(*row) for row in rows]
        self.coalition = self._coalition


def on_its_way(data: bytes, session: str, owner: str, kind: str, by: Sequence[str], size: int, publics: list[bytes]) -> bytes:
    """The points of a list that the last of `by` signed. Raises: Refused where it is another list, or not sound."""
    told, parts = wire.read(wire.unsigned(data, publics))
    if {name: told.get(name) for name in ("session", "owner", "kind", "raised")} != {"session": session, "owner": owner, "kind": kind, "raised": list(by)}:
        raise Refused("order")
    if len(parts) != 1:
        raise Refused("format")
    return lists.checked(parts[0], size)


def shuffled(values: lists.Ints, chance: Callable[[int], bytes]) -> lists.Ints:
    """Values in an order that tells nothing."""
    return np.random.default_rng(int.from_bytes(chance(32), "big")).permutation(values)
