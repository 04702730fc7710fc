"""What a scan keeps for later scans: exposure and features of organisations, and the wordings that each used again.

Versioned Parquet; hashes only. A reader of another version, or of another key, says so instead of guessing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import UserError

VERSION = b"1"
FOLDER = "states"


@dataclass(frozen=True)
class States:
    """The kept tables of one scan."""

    organisations: pa.Table
    "unit, calls_0.. (exposure by alphabet), then one column a feature."
    wordings: pa.Table
    "wording, unit: pairs in which the unit used the wording again."


def write(folder: Path, states: States, fingerprint: str) -> None:
    """Write the states into a scan's folder."""
    (folder / FOLDER).mkdir()
    for name, table in (("organisations", states.organisations), ("wordings", states.wordings)):
        stamped = table.replace_schema_metadata({b"stillwatch": VERSION, b"key": fingerprint.encode()})
        pq.write_table(stamped, folder / FOLDER / f"{name}.parquet", compression="zstd")


def read(folder: Path, fingerprint: str) -> States:
    """Read the states of an earlier scan.

    Raises: UserError when there are none, when another key made them, or when they are of an unknown version.
    """
    tables = []
    for name in ("organisations", "wordings"):
        path = folder / FOLDER / f"{name}.parquet"
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError("holds no readable states of an earlier scan", str(folder), "name a folder that a scan wrote, or a log") from error
        meta = table.schema.metadata or {}
        if meta.get(b"stillwatch") != VERSION:
            raise UserError("was written by another version", str(folder), "scan that log again with this version")
        if meta.get(b"key") != fingerprint.encode():
            raise UserError("was made with another hashing key", str(folder), "pass the key of that scan with --key")
        tables.append(table)
    return States(*tables)
