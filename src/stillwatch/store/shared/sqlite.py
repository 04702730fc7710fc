"""Shared objects in one SQLite file: write-ahead log, so that readers never wait for the writer."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stillwatch.store.shared.connected import at_once
from stillwatch.store.shared.declare import unusable

_WAIT = 30.0
"Seconds a writer waits for another."


class Sqlite:
    """One file. What was answered as kept survives the power's going (synchronous FULL)."""

    binary = "BLOB"

    def __init__(self, path: Path) -> None:
        self.path, self._mine, self._all, self._lock = path, threading.local(), list[sqlite3.Connection](), threading.Lock()
        self._writing = threading.Lock()
        try:
            self._connection()
        except sqlite3.Error as error:
            raise unusable(str(path), str(error), "check the path and its permissions") from error

    def _connection(self) -> sqlite3.Connection:
        made: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if made is None:
            made = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            made.execute("PRAGMA journal_mode=WAL")
            made.execute("PRAGMA synchronous=FULL")
            made.execute("PRAGMA cache_size=-65536")
            self._mine.connection = made
            with self._lock:
                self._all.append(made)
        return made

    def query(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """Rows one by one, as they are found."""
        return self._connection().execute(sql, values)

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement."""
        return self._connection().execute(sql, values).rowcount

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        self._connection().executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """One writer at a time: threads of this process take turns, other processes wait for the file's lock."""
        with self._writing, at_once(self._connection()):
            yield

    def close(self) -> None:
        """Let all connections go; the last one folds the log into the file."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._mine = threading.local()
