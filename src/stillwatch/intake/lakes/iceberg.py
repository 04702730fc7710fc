"""Apache Iceberg: a folder with `metadata/*.metadata.json`, or a table of a catalog, read through pyiceberg, which knows what is live."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pyarrow as pa

from stillwatch.errors import UserError
from stillwatch.intake.lakes.declare import Lake, Spot, needed
from stillwatch.intake.tables import Rows

EXTRA = "iceberg"

_VERSION = re.compile(r"v?(\d+)(?:-[0-9a-f-]+)?(?:\.gz)?\.metadata\.json(?:\.gz)?")
"Names of metadata files: v3.metadata.json, 00003-UUID.metadata.json, also packed."


def rows(spot: Spot) -> Rows:
    """The rows of the table's newest snapshot, without those that delete files hide."""
    return opened(spot.name, lambda: _static(spot), spot.among)


def opened(name: str, load: Callable[[], Any], among: str = "") -> Rows:
    """The rows of a table of pyiceberg that `load` gives; it is asked once, when the log is looked at."""
    held = cache(load)
    return Rows(name, lambda: _columns(name, held), lambda wanted: _batches(name, held, wanted), among)


def module(name: str, of: str = "pyiceberg") -> Any:
    """A module of pyiceberg. Raises UserError where it is not installed."""
    return needed(of, name, "an Iceberg table is read", EXTRA)


def faults(name: str) -> tuple[type[Exception], ...]:
    """What pyiceberg, its catalogs and its storage raise when something is not there or may not be read."""
    exceptions = module(name, "pyiceberg.exceptions")
    own = tuple(each for each in vars(exceptions).values() if isinstance(each, type) and issubclass(each, Exception))
    database = sys.modules.get("sqlalchemy.exc")  # there when a catalog lies in a database
    return (*own, *([database.SQLAlchemyError] if database else []), OSError, ValueError, pa.ArrowException)


def told(name: str, error: Exception) -> UserError:
    """One line for what went wrong; pyiceberg's own words may name more than a log should."""
    words = f"{type(error).__name__} {error}"
    if "equality delete" in words.lower():
        return UserError(
            "the Iceberg table has equality deletes, which pyiceberg cannot read", name, "compact the table first (rewrite_data_files), or read it by a query"
        )
    if re.search(r"ACCESS_DENIED|AccessDenied|Forbidden|Unauthorized|\b403\b|\b401\b", words):
        return UserError("the Iceberg table may not be read", name, "check the credentials and their permissions")
    if re.search(r"NETWORK_CONNECTION|ConnectionError|Max retries|timed out|resolve host", words):
        return UserError("the Iceberg table's place cannot be reached", name, "check the network and the endpoint")
    if isinstance(error, FileNotFoundError):
        return UserError("a file of the Iceberg table is missing", name, "an Iceberg table names its files by whole paths: read it where it was written")
    return UserError(
        f"the Iceberg table cannot be read ({type(error).__name__})", name, "check the table, and for a catalog its configuration (~/.pyiceberg.yaml)"
    )


def _static(spot: Spot) -> Any:
    """The table as its newest metadata file has it. Raises UserError."""
    numbered = [(int(found[1]), name) for name in spot.signs if (found := _VERSION.fullmatch(name))]
    last = max(numbered, default=(0, spot.signs[-1]))
    if sum(number == last[0] for number, _ in numbered) > 1:
        attempt = "name it through its catalog: iceberg://CATALOG/NAMESPACE.TABLE"
        raise UserError("the Iceberg table has two newest versions, of which only its catalog knows the one that counts", spot.name, attempt)
    reach = {"s3.endpoint": spot.reach.get("endpoint"), "s3.region": spot.reach.get("region")}
    table = module(spot.name, "pyiceberg.table")
    try:
        return table.StaticTable.from_metadata(f"{spot.uri}/metadata/{last[1]}", {name: value for name, value in reach.items() if value})
    except faults(spot.name) as error:
        raise told(spot.name, error) from error


def _columns(name: str, load: Callable[[], Any]) -> tuple[str, ...]:
    return tuple(field.name for field in load().schema().fields)


def _batches(name: str, load: Callable[[], Any], wanted: list[str]) -> Iterator[pa.RecordBatch]:
    arrow = module(name, "pyiceberg.io.pyarrow")
    table = load()
    try:
        scan = table.scan(selected_fields=tuple(wanted))
        reading = arrow.ArrowScan(table.metadata, table.io, scan.projection(), scan.row_filter)
        # Planning has no order of its own; a row's number should mean the same each time. One data file at a time: pyiceberg holds what it was handed.
        for task in sorted(scan.plan_files(), key=lambda each: each.file.file_path):
            yield from reading.to_record_batches([task])
    except faults(name) as error:
        raise told(name, error) from error


LAKE = Lake(
    name="Apache Iceberg",
    page="A folder with `metadata/*.metadata.json`, local or on S3: its newest snapshot, without deleted rows (deletes by position among them; with equality deletes, "
    "which pyiceberg cannot read, it is refused). One data file lies in memory at a time. Where a failed commit left two newest versions, only the catalog knows "
    "which counts. Needs the extra `iceberg` (`pip install stillwatch[iceberg]`).",
    extra=EXTRA,
    folder="metadata",
    sign=lambda name: ".metadata.json" in name,
    rows=rows,
)
