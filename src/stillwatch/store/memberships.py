"""The tables from which one account is explained: kept beside a scan's states, read by account.

Large tables are sorted by account and read by row group, so that an answer takes as long for a large scan as for a small one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import UserError
from stillwatch.store.tables import readable, writable

VERSION = b"5"
FOLDER = "states"
NAMES = ("accounts", "clusters", "families", "models", "kin", "touches", "ends", "ties", "holders", "own", "known")
ROWS = 16_384
"Rows of a group, the least that is read of a table."


def place(folder: Path, name: str) -> Path:
    """Where a scan's folder has a table."""
    return folder / FOLDER / f"member-{name}.parquet"


def write(folder: Path, tables: dict[str, pa.Table], fingerprint: str) -> None:
    """Write the tables into a scan's folder, stamped with version and key."""
    for name in NAMES:
        stamped = tables[name].replace_schema_metadata({b"stillwatch": VERSION, b"key": fingerprint.encode()})
        with writable(place(folder, name)) as file:
            pq.write_table(stamped, file, compression="zstd", row_group_size=ROWS)


class Memberships:
    """The tables of one scan, opened when they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises: UserError when the folder is no scan, or one of another version."""
        self._folder = folder
        told = self._open("accounts").schema_arrow.metadata or {}
        if told.get(b"stillwatch") != VERSION:
            raise UserError("was written by another version", str(folder), "scan that log again with this version")
        self.fingerprint = told.get(b"key", b"").decode()

    def _open(self, name: str) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(readable(place(self._folder, name)))
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError("is no folder that a scan wrote", str(self._folder), "name the DIR that was given to `stillwatch scan --out`") from error

    def count(self, name: str) -> int:
        """Rows of a table."""
        return int(self._open(name).metadata.num_rows)

    def all(self, name: str) -> list[dict[str, Any]]:
        """Every row of a table: for those that grow with the campaigns, not with the log."""
        rows: list[dict[str, Any]] = self._open(name).read().to_pylist()
        return rows

    def among(self, name: str, column: str, values: Iterable[int]) -> list[dict[str, Any]]:
        """The rows of a table whose column has one of some values."""
        table = self._open(name).read()
        rows: list[dict[str, Any]] = table.filter(pc.is_in(table[column], pa.array(sorted(values), pa.int64()))).to_pylist()
        return rows

    def of(self, name: str, account: int) -> list[dict[str, Any]]:
        """The rows of one account."""
        file = self._open(name)
        rows: list[dict[str, Any]] = []
        for group in range(file.metadata.num_row_groups):
            span = file.metadata.row_group(group).column(0).statistics
            if span is None or not span.has_min_max or span.min <= account <= span.max:
                held = file.read_row_group(group)
                column = held.column(0).to_numpy()
                low, high = (int(column.searchsorted(account, side)) for side in ("left", "right"))
                rows += held.slice(low, high - low).to_pylist()
        return rows
