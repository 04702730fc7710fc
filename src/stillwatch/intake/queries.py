"""Logs that a database answers with: `SCHEME://[USER@]HOST/DATABASE#QUERY.sql`, or `#TABLE`, as rows in Arrow batches.

The query stands in a file, where it can be read, kept and reviewed; a table's name alone means all of its rows. The database is asked for the columns
first and then only for those that are wanted. It never gets to write: each place opens what it can only read, or a transaction that can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import pyarrow as pa

from stillwatch.errors import UserError
from stillwatch.files import written
from stillwatch.intake.tables import Rows, quoted

_TABLE = re.compile(r"[^\W\d][\w$]*(\.[^\W\d][\w$]*){0,2}")

Run = Callable[[str], Iterator[pa.RecordBatch]]
"Runs SQL and gives its batches, one at least even where there is no row. Raises UserError."


@dataclass(frozen=True, slots=True)
class Asked:
    """A database and what it is asked."""

    name: str
    "As the user named it."
    url: SplitResult
    "Where the database is."
    sql: str
    "One SELECT, without the semicolon at its end."

    @property
    def database(self) -> str:
        """The path behind the host, without its first slash."""
        return unquote(self.url.path.removeprefix("/"))


def asked(name: str) -> Asked:
    """The database and the query that a LOG names. Raises UserError."""
    try:
        url = urlsplit(name)
        _ = url.port
    except ValueError as error:
        raise UserError("is no URL", name, "write SCHEME://USER@HOST:PORT/DATABASE#QUERY.sql") from error
    what = unquote(url.fragment)
    if not what:
        raise UserError("says what database, and not what of it", name, "add the table or a file with the query: #TABLE or #QUERY.sql")
    if _TABLE.fullmatch(what) and not what.endswith(".sql"):
        return Asked(name, url, f"SELECT * FROM {what}")
    if not what.endswith(".sql"):
        raise UserError(f"neither a table nor a file of a query: {what}", name, "end the file's name in .sql")
    sql = written(Path(what), "the query").strip().rstrip(";").rstrip()
    if not sql:
        raise UserError("the query is empty", what, "write one SELECT")
    return Asked(name, url, sql)


def rows(what: Asked, run: Run) -> Rows:
    """The answer as rows of a log."""

    @cache
    def columns() -> tuple[str, ...]:
        # A line of its own behind the query: it may end in a comment.
        for batch in run(f"SELECT * FROM ({what.sql}\n) AS calls LIMIT 0"):
            return tuple(batch.schema.names)
        return ()

    def batches(wanted: list[str]) -> Iterator[pa.RecordBatch]:
        return run(f"SELECT {', '.join(map(quoted, wanted))} FROM ({what.sql}\n) AS calls")

    return Rows(what.name, columns, batches)


def batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """All batches of an answer; an empty one where it has no row, for its columns."""
    empty = True
    for batch in reader:
        empty = False
        yield batch
    if empty:
        yield pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in reader.schema], names=reader.schema.names)


def first_line(words: str, most: int = 200) -> str:
    """The first line of what a database says, cut short."""
    return next(iter(words.strip().splitlines()), "")[:most].rstrip(" .;:")
