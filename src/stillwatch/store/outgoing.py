"""What we said to other members, to whom it was delivered, what stayed and what waits, and which cases our own matching found to be one: one SQLite file. Nothing is forgotten, for whoever holds an old version is owed the new one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from stillwatch.exchange.barrier.counsel import Shown
from stillwatch.exchange.coordination.quiet import Quiet
from stillwatch.exchange.coordination.reach import Delivered
from stillwatch.exchange.stix.words import Loss
from stillwatch.store.shared.connected import at_once, connected
from stillwatch.store.shared.declare import unusable

_TABLES = """
CREATE TABLE IF NOT EXISTS said (id TEXT NOT NULL, modified INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (id, modified));
CREATE TABLE IF NOT EXISTS delivered (
  recipient TEXT NOT NULL, peer TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL, modified INTEGER NOT NULL, revoked INTEGER NOT NULL,
  PRIMARY KEY (recipient, peer, collection, id, modified));
CREATE TABLE IF NOT EXISTS shares (
  number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, recipients TEXT NOT NULL, purpose TEXT NOT NULL, sha256 TEXT NOT NULL, content BLOB NOT NULL,
  refused TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS quiet (number INTEGER PRIMARY KEY AUTOINCREMENT, about TEXT NOT NULL, start INTEGER NOT NULL, until INTEGER NOT NULL, by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS matched (one TEXT NOT NULL, other TEXT NOT NULL, common INTEGER NOT NULL, sha256 TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (one, other));
CREATE TABLE IF NOT EXISTS pending (sha256 TEXT PRIMARY KEY, at INTEGER NOT NULL, content BLOB NOT NULL, refused TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Pending:
    """What was prepared and looked at, and has not left."""

    sha256: str
    at: int
    content: bytes
    refused: tuple[Loss, ...]


class Outgoing:
    """The file. To be closed, or used in a `with`."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o600)
        except OSError as error:
            raise unusable(str(path), str(error), "check the path and its permissions") from error
        self._connection = connected(path, _TABLES)

    def __enter__(self) -> Outgoing:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def keep(self, pending: Pending) -> None:
        """Remember what is to be looked at."""
        self._connection.execute("INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?)", (pending.sha256, pending.at, pending.content, _losses(pending.refused)))

    def pending(self, sha256: str) -> Pending | None:
        """What was looked at under a digest."""
        row = self._connection.execute("SELECT sha256, at, content, refused FROM pending WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else Pending(row[0], row[1], bytes(row[2]), tuple(Loss(*each) for each in json.loads(row[3])))

    def note(self, shown: Shown, objects: Sequence[tuple[str, int, bytes]], peer: str, collection: str, readers: Iterable[str]) -> None:
        """That something arrived: its objects (id, version, bytes), for whoever reads the collection, and counsel's row; all or nothing."""
        with at_once(self._connection):
            self._connection.executemany("INSERT OR IGNORE INTO said VALUES (?, ?, ?)", objects)
            rows = [
                (reader, peer, collection, name, modified, int(bool(orjson.loads(body).get("revoked"))))
                for reader in sorted(readers) for name, modified, body in objects if modified
            ]  # fmt: skip
            self._connection.executemany("INSERT OR IGNORE INTO delivered VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._connection.execute(
                "INSERT INTO shares (at, recipients, purpose, sha256, content, refused) VALUES (?, ?, ?, ?, ?, ?)",
                (shown.at, json.dumps(list(shown.recipients)), shown.purpose, shown.sha256, shown.content, _losses(shown.refused)),
            )
            self._connection.execute("DELETE FROM pending WHERE sha256 = ?", (shown.sha256,))

    def say(self, objects: Sequence[tuple[str, int, bytes]]) -> None:
        """New versions that nobody has yet."""
        with at_once(self._connection):
            self._connection.executemany("INSERT OR IGNORE INTO said VALUES (?, ?, ?)", objects)

    def said(self) -> list[dict[str, Any]]:
        """All objects that were ever said, every version."""
        return [orjson.loads(body) for (body,) in self._connection.execute("SELECT body FROM said ORDER BY modified, id")]

    def delivered(self) -> dict[tuple[str, str], list[Delivered]]:
        """(peer, collection) -> who holds what by it."""
        found: dict[tuple[str, str], list[Delivered]] = {}
        for recipient, peer, collection, name, modified, revoked in self._connection.execute(
            "SELECT recipient, peer, collection, id, modified, revoked FROM delivered ORDER BY recipient, id, modified"
        ):
            found.setdefault((peer, collection), []).append(Delivered(recipient, name, modified, bool(revoked)))
        return found

    def shares(self) -> list[Shown]:
        """Everything that left, and what stayed, for counsel."""
        rows = self._connection.execute("SELECT at, recipients, purpose, sha256, content, refused FROM shares ORDER BY number")
        return [
            Shown(at, tuple(json.loads(to)), purpose, digest, bytes(content), tuple(Loss(*each) for each in json.loads(lost)))
            for at, to, purpose, digest, content, lost in rows
        ]

    def hush(self, period: Quiet) -> None:
        """Begin a quiet period."""
        self._connection.execute(
            "INSERT INTO quiet (about, start, until, by) VALUES (?, ?, ?, ?)", (json.dumps(sorted(period.about)), period.start, period.end, period.by)
        )

    def unhush(self, about: Iterable[str], at: int) -> int:
        """End the quiet periods of some cases now. Returns how many periods that were."""
        ended = 0
        with at_once(self._connection):
            for number, told, until in self._connection.execute("SELECT number, about, until FROM quiet").fetchall():
                if until > at and set(json.loads(told)) & set(about):
                    ended += self._connection.execute("UPDATE quiet SET until = ? WHERE number = ?", (at, number)).rowcount
        return ended

    def quiets(self) -> list[Quiet]:
        """Every quiet period there was, in the order in which they began."""
        return [
            Quiet(frozenset(json.loads(about)), start, until, by)
            for about, start, until, by in self._connection.execute("SELECT about, start, until, by FROM quiet ORDER BY number")
        ]

    def match(self, one: str, other: str, common: int, sha256: str, at: int) -> None:
        """That our own matching found so many common identifiers of two cases, in a file of that digest."""
        first, second = sorted((one, other))
        self._connection.execute("INSERT OR REPLACE INTO matched VALUES (?, ?, ?, ?, ?)", (first, second, common, sha256, at))

    def unmatch(self, one: str, other: str) -> int:
        """Take that back. Returns 1 where there was something to take back."""
        return self._connection.execute("DELETE FROM matched WHERE one = ? AND other = ?", tuple(sorted((one, other)))).rowcount

    def matched(self) -> list[tuple[str, str]]:
        """Pairs of cases that our own matching found to be one."""
        return [(one, other) for one, other in self._connection.execute("SELECT one, other FROM matched ORDER BY one, other")]


def _losses(losses: Iterable[Loss]) -> str:
    return json.dumps([[each.object, each.where, each.value, each.why] for each in losses])
