"""A file of SQLite that one process writes: what was answered as kept survives the power's going, and several changes are all kept or none."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from stillwatch.store.shared.declare import unusable


def connected(path: Path, tables: str) -> sqlite3.Connection:
    """A connection to the file, with its tables. Raises: UserError."""
    try:
        made = sqlite3.connect(path, timeout=30, isolation_level=None)
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA synchronous=FULL")
        made.executescript(tables)
    except sqlite3.Error as error:
        raise unusable(str(path), str(error), "check the path and its permissions") from error
    return made


@contextlib.contextmanager
def at_once(connection: sqlite3.Connection) -> Iterator[None]:
    """All changes of a block, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
