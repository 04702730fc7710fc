"""Delta Lake: a folder with `_delta_log`, read through deltalake (delta-rs), which knows which files and which of their rows are live."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from stillwatch.errors import UserError
from stillwatch.intake.columns import ROWS
from stillwatch.intake.lakes.declare import Lake, Spot, needed
from stillwatch.intake.tables import Rows, quoted

EXTRA = "delta"


def rows(spot: Spot) -> Rows:
    """The live rows of the table's newest version; rows that deletion vectors hide are left out too."""
    return Rows(spot.name, lambda: _columns(spot), lambda wanted: _batches(spot, wanted), spot.among)


def _module(spot: Spot) -> Any:
    return needed("deltalake", spot.name, "a Delta table is read", EXTRA)


def _table(spot: Spot) -> Any:
    """The table, opened. Raises UserError."""
    deltalake = _module(spot)
    try:
        return deltalake.DeltaTable(spot.uri, storage_options=_options(spot) or None)
    except (deltalake.exceptions.DeltaError, OSError, ValueError) as error:
        raise _told(spot, error) from error


def _columns(spot: Spot) -> tuple[str, ...]:
    return tuple(field.name for field in _table(spot).schema().fields)


def _batches(spot: Spot, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    deltalake = _module(spot)
    # One partition: rows come in one order each time, so that a row's number means something.
    session = {"datafusion.execution.target_partitions": "1", "datafusion.execution.batch_size": str(ROWS)}
    try:
        query = deltalake.QueryBuilder(session).register("log", _table(spot))
        reader = pa.RecordBatchReader.from_stream(query.execute(f"SELECT {', '.join(map(quoted, wanted))} FROM log"))
        yield from reader
    except (deltalake.exceptions.DeltaError, pa.ArrowException, OSError, ValueError) as error:
        raise _told(spot, error) from error


def _options(spot: Spot) -> dict[str, str]:
    options = {"aws_endpoint": spot.reach.get("endpoint"), "aws_region": spot.reach.get("region")}
    if (spot.reach.get("endpoint") or "").startswith("http://"):
        options["aws_allow_http"] = "true"
    return {name: value for name, value in options.items() if value}


def _told(spot: Spot, error: Exception) -> UserError:
    """delta-rs tells with many words; some name what is wrong."""
    words = str(error)
    if re.search(r"PermissionDenied|Unauthenticated|403|AccessDenied|Permission denied", words):
        return UserError("the Delta table may not be read", spot.name, "check the credentials and their permissions")
    if re.search(r"connect|timed out|timeout|dns|HTTP error|error sending request", words, re.IGNORECASE):
        return UserError("the Delta table's place cannot be reached", spot.name, "check the network and the endpoint")
    if "not yet supported" in words or "nsupported" in words:
        feature = next(iter(re.findall(r"'(\w+)'", words)), "")
        return UserError(f"the Delta table uses a feature that deltalake cannot read{f': {feature}' if feature else ''}", spot.name, "update deltalake")
    if re.search(r"not found|NotFound|No such file", words):
        return UserError("a file of the Delta table is missing", spot.name, "check that its log and its files are all there")
    return UserError(f"the Delta table cannot be read ({type(error).__name__})", spot.name, "check that its log and its files are all there")


LAKE = Lake(
    name="Delta Lake",
    page="A folder with `_delta_log`, local or on S3: its newest version, without deleted rows (deletion vectors among them). Needs the extra `delta` "
    "(`pip install stillwatch[delta]`).",
    extra=EXTRA,
    folder="_delta_log",
    sign=lambda name: name.endswith((".json", ".parquet", "_last_checkpoint", ".crc")),
    rows=rows,
)
