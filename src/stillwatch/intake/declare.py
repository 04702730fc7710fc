"""What a log format is: how it is recognised, how it reads, and the cases that show both sides.

Every file of `formats` holds one member under the name `FORMAT`; `found` walks the package, so that adding a format
touches one file. The laws in the tests hold every member to its cases.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stillwatch.intake.mapping import Mapping
from stillwatch.intake.stream import Source
from stillwatch.records import Rejected

Reject = Callable[[Rejected], None]


@dataclass(frozen=True, slots=True)
class Opening:
    """What is seen of a file before it is read: names, never values, decide which format it is."""

    container: str
    "`parquet`, `json` (JSON Lines), `array` (one JSON array), `text`, `binary`, `empty` or `damaged`."
    columns: tuple[str, ...] = ()
    "Names seen: Parquet columns, keys of the first JSON objects, cells of a text's first line."
    records: tuple[dict[str, Any], ...] = ()
    "The first JSON objects; only there while formats are asked."
    reason: str = ""
    "What is wrong with a damaged file."
    head: bytes = b""
    "The first bytes of a text or binary file, unpacked: for formats that begin with a signature."


@dataclass(frozen=True, slots=True)
class Reads:
    """A file and the calls that it must give."""

    why: str
    "What the case shows."
    data: Callable[[], bytes]
    "Makes the file."
    calls: tuple[dict[str, Any], ...]
    "Columns of each call that must come out; a column that is not named must be null."


@dataclass(frozen=True, slots=True)
class Rejects:
    """A file that holds a record which cannot be used."""

    why: str
    "What the case shows."
    data: Callable[[], bytes]
    "Makes the file."
    rejected: tuple[tuple[int | None, str], ...]
    "Line and reason of each rejected record."
    left: int
    "Calls that are read all the same."


@dataclass(frozen=True, slots=True)
class Format:
    """One log format."""

    name: str
    "As people call it."
    page: str
    "One paragraph of the manual: what is read, and what the format does not tell."
    suffix: str
    "Usual end of a file's name; for the manual and the cases, never believed."
    order: int
    "Formats are asked in this order, the most particular first; the first that recognises a file reads it."
    flat: bool
    "One record a line or row with plain columns: can be read through a map."
    recognises: Callable[[Opening], bool]
    "Whether a file is of this format."
    fits: Callable[[Opening], bool]
    "For flat formats: whether a file of unknown columns can be read through a map."
    read: Callable[[Source, Opening, Mapping, Reject], Iterator[pa.RecordBatch]]
    "Batches of `calls.SCHEMA`; unusable records go to the last argument."
    cases: tuple[Reads | Rejects, ...]
    "Both kinds, at least one each."
    marked: bool = False
    "True when it gives batches of `records.MARKS` instead of calls: marks that were made where the text lives."


def found(package: str = "stillwatch.intake.formats") -> tuple[Format, ...]:
    """Every format of a package, in the order in which they are asked."""
    room = importlib.import_module(package)
    modules = [importlib.import_module(f"{package}.{each.name}") for each in pkgutil.iter_modules(room.__path__)]
    return tuple(sorted((module.FORMAT for module in modules), key=lambda each: (each.order, each.name)))


def nothing(_: Opening) -> bool:
    """`fits` of a format that no map can help with."""
    return False
