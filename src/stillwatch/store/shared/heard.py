"""What was heard from peers, and how far: one SQLite file in which an object and the place after it are kept in one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stillwatch.store.shared.connected import at_once, connected

_TABLES = """
CREATE TABLE IF NOT EXISTS heard (
  number INTEGER PRIMARY KEY AUTOINCREMENT, peer TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, spec TEXT NOT NULL,
  body BLOB NOT NULL, UNIQUE (peer, collection, id, version, spec));
CREATE TABLE IF NOT EXISTS progress (
  peer TEXT NOT NULL, collection TEXT NOT NULL, after TEXT, next TEXT, last TEXT, PRIMARY KEY (peer, collection));
"""


@dataclass(frozen=True)
class Progress:
    """How far one collection was heard."""

    after: str | None = None
    "`added_after` of the round under way; None: from the beginning."
    next: str | None = None
    "The peer's cursor within the round; None: the round begins."
    last: str | None = None
    "The last moment of adding seen in this round: the next one's `after`."


@dataclass(frozen=True)
class Heard:
    """One object as it came."""

    number: int
    "It grows: who remembers the last one gets each object once."
    peer: str
    collection: str
    id: str
    version: str
    body: bytes


class Hearsay:
    """Everything that was heard. One process writes at a time; a kill at any moment loses nothing and keeps nothing twice."""

    def __init__(self, path: Path) -> None:
        self._connection = connected(path, _TABLES)

    def progress(self, peer: str, collection: str) -> Progress:
        """How far a collection was heard."""
        row = self._connection.execute("SELECT after, next, last FROM progress WHERE peer = ? AND collection = ?", (peer, collection)).fetchone()
        return Progress(*row) if row else Progress()

    def keep(self, peer: str, collection: str, objects: Sequence[tuple[str, str, str, bytes]], then: Progress) -> int:
        """Keep a page (id, version, STIX version, bytes) and the place after it, both or neither. Returns how many objects were new."""
        with at_once(self._connection):
            before = self._connection.total_changes
            self._connection.executemany(
                "INSERT OR IGNORE INTO heard (peer, collection, id, version, spec, body) VALUES (?, ?, ?, ?, ?, ?)",
                [(peer, collection, *each) for each in objects],
            )
            new = self._connection.total_changes - before
            self._connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?)", (peer, collection, then.after, then.next, then.last))
        return new

    def since(self, number: int = 0, most: int = 1000) -> list[Heard]:
        """The next objects after a number, in the order in which they came."""
        sql = "SELECT number, peer, collection, id, version, body FROM heard WHERE number > ? ORDER BY number LIMIT ?"
        return [Heard(*row) for row in self._connection.execute(sql, (number, most))]

    def every(self) -> Iterator[Heard]:
        """All objects, in the order in which they came."""
        number = 0
        while rows := self.since(number):
            yield from rows
            number = rows[-1].number

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()
