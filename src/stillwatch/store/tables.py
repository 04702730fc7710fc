"""Parquet files to read and to write, whatever their names: Arrow takes a name that is not UTF-8 only as bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa


def writable(path: Path) -> pa.OSFile:
    """A file to write a table into. Raises: OSError."""
    return pa.OSFile(os.fsencode(path), "wb")


def readable(path: Path) -> pa.MemoryMappedFile:
    """A file to read a table from, mapped into memory. Raises: OSError."""
    return pa.memory_map(os.fsencode(path))
