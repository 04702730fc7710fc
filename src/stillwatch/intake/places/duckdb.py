"""DuckDB files, opened so that they can only be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.errors import UserError
from stillwatch.intake import queries
from stillwatch.intake.columns import ROWS
from stillwatch.intake.lakes.declare import needed
from stillwatch.intake.places.declare import Place
from stillwatch.intake.queries import Asked
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows

EXTRA = "duckdb"


def find(name: str) -> list[Source | Rows]:
    """The answer to a query. Raises UserError."""
    what = queries.asked(name)
    if what.url.netloc or not what.database:
        raise UserError("names no file", name, "write duckdb:///FILE#QUERY.sql, or duckdb:////WHOLE/PATH#TABLE")
    if not Path(what.database).is_file():
        raise UserError("no such database file", name, "check the path")
    return [queries.rows(what, lambda sql: _run(what, sql))]


def _run(what: Asked, sql: str) -> Iterator[pa.RecordBatch]:
    driver: Any = needed("duckdb", what.name, "a DuckDB file is read", EXTRA)
    try:
        with closing(driver.connect(what.database, read_only=True)) as connection:
            yield from queries.batches(connection.sql(sql).to_arrow_reader(ROWS))
    except (driver.Error, pa.ArrowException, OSError) as error:
        raise _told(what, driver, error) from error


def _told(what: Asked, driver: Any, error: Exception) -> UserError:
    """Only errors about names and syntax are quoted: others may hold a value."""
    if isinstance(error, driver.IOException):
        return UserError("the database file cannot be opened", what.name, "check that it is one, and that no other program writes to it")
    if isinstance(error, (driver.CatalogException, driver.ParserException, driver.BinderException)):
        return UserError(f"the query cannot be run ({queries.first_line(str(error))})", what.name, "mend the query, or the name of the table")
    return UserError(f"the query cannot be run ({type(error).__name__})", what.name, "mend the query")


PLACE = Place(
    name="DuckDB",
    page="`duckdb:///FILE#QUERY.sql`, or `#TABLE` (four slashes before a whole path). The file is opened for reading only. Needs the extra `duckdb` "
    "(`pip install stillwatch[duckdb]`).",
    schemes=("duckdb",),
    example="duckdb:///gateway.duckdb#calls.sql",
    find=find,
)
