"""PostgreSQL, through its ADBC driver: rows come by COPY in Arrow batches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlunsplit

import pyarrow as pa

from stillwatch.errors import UserError
from stillwatch.intake import queries
from stillwatch.intake.lakes.declare import needed
from stillwatch.intake.places.declare import Place
from stillwatch.intake.queries import Asked
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows

EXTRA = "postgresql"


def find(name: str) -> list[Source | Rows]:
    """The answer to a query. Raises UserError."""
    what = queries.asked(name)
    return [queries.rows(what, lambda sql: _run(what, sql))]


def _run(what: Asked, sql: str) -> Iterator[pa.RecordBatch]:
    driver: Any = needed("adbc_driver_postgresql.dbapi", what.name, "PostgreSQL is read", EXTRA)
    try:
        with closing(driver.connect(urlunsplit(what.url._replace(fragment="")), conn_kwargs={})) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(sql)
            yield from queries.batches(cursor.fetch_record_batch())
    except (driver.Error, pa.ArrowException, OSError) as error:
        raise _told(what, error) from error


def _told(what: Asked, error: Exception) -> UserError:
    """PostgreSQL's errors by their SQLSTATE; only those about names, syntax and rights are quoted, for others may hold a value."""
    state = getattr(error, "sqlstate", None) or ""
    words = str(error)
    if state.startswith("28") or re.search(r"authentication failed|no password supplied|no pg_hba", words):
        return UserError("the server refuses this user", what.name, "name the user in the URL, and the password in PGPASSWORD or ~/.pgpass")
    if state == "3D000" or re.search(r'database "[^"]*" does not exist', words):
        return UserError("no such database", what.name, "check its name")
    if state.startswith("42") or state == "25006":
        said = re.search(r"(?:ERROR|error):\s*(.*)", words)
        return UserError(
            f"the server refuses the query ({queries.first_line(said[1] if said else state)})", what.name, "mend the query, or the name of the table"
        )
    if state[:2] in ("08", "57") or (not state and re.search(r"connect|closed the|terminat|timed out|resolve|translate host", words, re.IGNORECASE)):
        return UserError("the server cannot be reached, or breaks off", what.name, "check host, port and network, and try again")
    return UserError(f"the server gives up on the query{f' (SQLSTATE {state})' if state else ''}", what.name, "mend the query")


PLACE = Place(
    name="PostgreSQL",
    page="`postgresql://USER@HOST:PORT/DATABASE#QUERY.sql`, or `#TABLE`. The password is in `PGPASSWORD` or `~/.pgpass`; what libpq takes from its environment counts "
    "too. Rows come in one transaction that can only read. Needs the extra `postgresql` (`pip install stillwatch[postgresql]`).",
    schemes=("postgresql", "postgres"),
    example="postgresql://reader@HOST/litellm#calls.sql",
    find=find,
)
