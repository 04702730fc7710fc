"""What a scan keeps for later scans: exposure and features of organisations, and the wordings that each used again.

Versioned Parquet; hashes only. A reader of another version, of another key or of another unit says so instead of guessing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import UserError
from stillwatch.store.tables import readable, writable

VERSION = b"1"
FOLDER = "states"
REFERENCE = f"{FOLDER}/reference"
"Where a scan keeps the states of its history, each in a folder of its own, so that its results can be made again when the history is gone."

TABLES = ("organisations", "wordings")

UNSTAMPED = b"account"
"What was linked where the states do not say so."


@dataclass(frozen=True)
class States:
    """The kept tables of one scan."""

    organisations: pa.Table
    "unit, calls_0.. (exposure by alphabet), then one column a feature."
    wordings: pa.Table
    "wording, unit: pairs in which the unit used the wording again."


def write(folder: Path, states: States, fingerprint: str, unit: str) -> None:
    """Write the states into a scan's folder, stamped with the key and with what was linked (account, key or end_user)."""
    write_into(folder / FOLDER, states, fingerprint, unit)


def write_into(place: Path, states: States, fingerprint: str, unit: str) -> None:
    """The same, into any folder."""
    place.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        stamped = getattr(states, name).replace_schema_metadata({b"stillwatch": VERSION, b"key": fingerprint.encode(), b"unit": unit.encode()})
        with writable(place / f"{name}.parquet") as file:
            pq.write_table(stamped, file, compression="zstd")


def read(folder: Path, fingerprint: str, unit: str) -> States:
    """Read the states of an earlier scan.

    Organisations of keys or of end users are no reference for those of accounts: they are counted differently. States without the stamp are of a
    time before it and count as made of accounts.

    Raises: UserError when there are none, when another key or unit made them, or when they are of an unknown version.
    """
    return read_from(folder / FOLDER, folder, fingerprint, unit)


def reference(folder: Path, fingerprint: str, unit: str) -> list[States]:
    """The states of its history that a scan keeps, in their order. Raises: UserError as `read`."""
    return [read_from(place, place, fingerprint, unit) for place in sorted((folder / REFERENCE).glob("*"))]


def read_from(place: Path, folder: Path, fingerprint: str, unit: str) -> States:
    """The same of any place. `folder`: what an error names."""
    tables = []
    for name in TABLES:
        path = place / f"{name}.parquet"
        try:
            table = pq.read_table(readable(path))
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError("holds no readable states of an earlier scan", str(folder), "name a folder that a scan wrote, or a log") from error
        meta = table.schema.metadata or {}
        if meta.get(b"stillwatch") != VERSION:
            raise UserError("was written by another version", str(folder), "scan that log again with this version")
        if meta.get(b"key") != fingerprint.encode():
            raise UserError("was made with another hashing key", str(folder), "pass the key of that scan with --key")
        made = meta.get(b"unit", UNSTAMPED).decode()
        if made != unit:
            raise UserError(f"was made with --unit {made}", str(folder), f"name the same unit, or scan that log again with --unit {unit}")
        tables.append(table)
    return States(*tables)
