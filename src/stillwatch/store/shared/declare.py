"""The words of shared objects: an object as it is kept, what a reader asks for, where a page ends, and the port to a database.

An object is serialised once, when it is written, and served as those bytes. Times are integer microseconds since 1970, UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

from stillwatch.errors import UserError

SPECS = ("2.0", "2.1")
"Versions of STIX that are kept, oldest first."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)


@lru_cache(maxsize=65_536)
def moment(text: str) -> int | None:
    """Microseconds since 1970 of a timestamp of STIX and TAXII (RFC 3339, UTC, `Z`); None when it is none. Digits after the sixth are cut off.

    >>> moment("1970-01-01T00:00:01.5Z"), moment("1970-01-01"), moment("1970-13-01T00:00:00Z")
    (1500000, None, None)
    """
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


def written(micros: int) -> str:
    """A moment as TAXII writes it, with six decimals.

    >>> written(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


@dataclass(frozen=True, slots=True)
class Shared:
    """One version of one object, ready to be kept."""

    id: str
    type: str
    spec: str
    "One of SPECS."
    said: str | None
    "Its version as the object writes it (`modified`, else `created`); None where it has none (observables): the moment of adding then is its version."
    body: bytes
    "The object as JSON: these bytes are served."
    added: int | None = None
    "When it was added, where that is known beforehand (a collection that is taken over); None: now."


@dataclass(frozen=True, slots=True)
class Kept:
    """One version of one object, as it was kept."""

    added: int
    id: str
    version: int
    spec: str
    said: str
    body: bytes
    "Empty where only the manifest was asked for."

    @property
    def place(self) -> Place:
        """Where a page that ends with this one goes on."""
        return Place(self.added, self.id, self.version, self.spec)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a collection's order: what comes after it is greater. It is all that a cursor holds."""

    added: int
    id: str
    version: int
    spec: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asks for: every filter of TAXII 2.1. An empty tuple stands for a filter that is not set."""

    added_after: int | None = None
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: tuple[str | int, ...] = ("last",)
    "first, last, all, or a version; any of them will do."
    specs: tuple[str, ...] = ()
    "Empty: only the newest STIX version of each object counts."


@dataclass(frozen=True, slots=True)
class Written:
    """What became of objects that were to be added, in their order."""

    versions: tuple[int, ...]
    "The version under which each is kept now."
    new: int
    "How many of them were not there before."


@dataclass(frozen=True)
class Status:
    """What became of a request to add, as it is kept for whoever asked."""

    name: str
    "Its id."
    owner: str
    "The member that asked."
    body: bytes
    "JSON."
    asked: int
    "Microseconds since 1970."
    oldest: int | None
    "Statuses asked for before this go; None: none do."


class Database(Protocol):
    """What shared objects need of a database. One for all threads; each thread has a connection of its own."""

    binary: str
    "The type of a column of bytes."

    def query(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """The rows of a query outside any transaction, or of the transaction of this thread. Values stand at the question marks."""
        ...

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement. Returns how many rows it changed."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Everything in the block is kept, or nothing. One writer at a time, or as the locks of the statements say."""
        ...

    def close(self) -> None:
        """Let all connections go."""
        ...


def unusable(place: str, reason: str, attempt: str) -> UserError:
    """A store that cannot be opened."""
    return UserError(f"the store of shared objects cannot be used ({reason})", place, attempt)
