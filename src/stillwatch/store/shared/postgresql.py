"""Shared objects in PostgreSQL, for members that already run one (extra `exchange`).

The URL is `postgresql://user@host:5432/database`; the password stands in PGPASSWORD. `?sslmode=require` asks for TLS with the system's authorities.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from stillwatch.errors import UserError
from stillwatch.store.shared.declare import unusable

_MOST_VALUES = 30_000
"A statement takes no more values than this (the protocol's limit is 65,535)."


class Postgresql:
    """One database; a connection for each thread, made again after it broke."""

    binary = "BYTEA"

    def __init__(self, url: str) -> None:
        try:
            self._driver: Any = import_module("pg8000.dbapi")
        except ImportError as error:
            raise UserError("PostgreSQL needs a package that is not installed", url, "pip install stillwatch[exchange]") from error
        parts = urlsplit(url)
        secure = parse_qs(parts.query).get("sslmode", ["prefer"])[0] in ("require", "verify-ca", "verify-full")
        self._how: dict[str, Any] = {
            "user": unquote(parts.username or "postgres"),
            "password": os.environ.get("PGPASSWORD") or (unquote(parts.password) if parts.password else None),
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port or 5432,
            "database": parts.path.lstrip("/") or "postgres",
            "ssl_context": ssl.create_default_context() if secure else None,
        }
        self._mine, self._all, self._lock = threading.local(), list[Any](), threading.Lock()
        where = f"postgresql://{self._how['host']}:{self._how['port']}/{self._how['database']}"  # without user and password
        try:
            self._connection()
        except (self._driver.Error, OSError) as error:
            raise unusable(where, "it refuses or does not answer", "check host, port, user, database and PGPASSWORD") from error

    def _connection(self) -> Any:
        made = getattr(self._mine, "connection", None)
        if made is None:
            made = self._driver.connect(**self._how)
            made.autocommit = True
            self._mine.connection = made
            with self._lock:
                self._all.append(made)
        return made

    def _run(self, sql: str, values: Sequence[Any]) -> Any:
        for again in (True, False):
            cursor = self._connection().cursor()
            try:
                cursor.execute(sql.replace("?", "%s"), tuple(values))
            except (self._driver.InterfaceError, OSError):
                # The connection broke: the next statement gets another. One that begins something, or only reads outside of it, can be that statement.
                self._mine.connection = None
                if again and sql.startswith(("BEGIN", "SELECT")) and not getattr(self._mine, "inside", False):
                    continue
                raise
            return cursor
        raise AssertionError("the second try returns or raises")

    def query(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """All rows of a query: the driver fetches them whole, so a page's limit bounds its memory."""
        return iter(self._run(sql, values).fetchall())

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement."""
        return int(self._run(sql, values).rowcount)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows, many in a statement."""
        step, one = max(1, _MOST_VALUES // len(columns)), f"({', '.join('?' * len(columns))})"
        for first in range(0, len(rows), step):
            part = rows[first : first + step]
            self._run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([one] * len(part))}", [value for row in part for value in row])

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Writers of different collections run side by side; those of one wait at its row."""
        self._run("BEGIN", ())
        self._mine.inside = True
        try:
            yield
            self._run("COMMIT", ())
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                self._run("ROLLBACK", ())
            raise
        finally:
            self._mine.inside = False

    def close(self) -> None:
        """Let all connections go."""
        with self._lock:
            for connection in self._all:
                with contextlib.suppress(self._driver.Error, OSError):
                    connection.close()
            self._all.clear()
        self._mine = threading.local()
