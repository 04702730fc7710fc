"""The tables from which one account is explained: kept beside a scan's states, read by account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import UserError

VERSION = b"1"
FOLDER = "states"
NAMES = ("accounts", "clusters", "families", "touches", "ends", "ties")


def _place(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"member-{name}.parquet"


def write(folder: Path, tables: dict[str, pa.Table], fingerprint: str) -> None:
    """Write the tables into a scan's folder, stamped with version and key."""
    for name in NAMES:
        stamped = tables[name].replace_schema_metadata({b"stillwatch": VERSION, b"key": fingerprint.encode()})
        pq.write_table(stamped, _place(folder, name), compression="zstd", row_group_size=65_536)


def read(folder: Path, fingerprint: str | None) -> dict[str, pa.Table]:
    """All tables of a scan. Raises: UserError when there are none, or another version or (where one is given) another key made them."""
    found = {}
    for name in NAMES:
        try:
            table = pq.read_table(_place(folder, name), memory_map=True)
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError("is no folder that a scan wrote", str(folder), "name the DIR that was given to `stillwatch scan --out`") from error
        told = table.schema.metadata or {}
        if told.get(b"stillwatch") != VERSION:
            raise UserError("was written by another version", str(folder), "scan that log again with this version")
        if fingerprint is not None and told.get(b"key") != fingerprint.encode():
            raise UserError("was made with another hashing key", str(folder), "pass the key of that scan with --key")
        found[name] = table
    return found


def of(tables: dict[str, pa.Table], name: str, column: str, value: int) -> list[dict[str, Any]]:
    """Rows of one table whose column has a value."""
    table = tables[name]
    rows: list[dict[str, Any]] = table.filter(pc.equal(table[column], value)).to_pylist()
    return rows
