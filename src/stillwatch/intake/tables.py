"""A log that is rows already, an Arrow table in memory or a stream of batches -> batches of LogCalls, by the same rules as canonical Parquet.

Nothing is written anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake import columns
from stillwatch.intake import mapping as maps
from stillwatch.intake.columns import BYTES, ROWS, Column, Unusable
from stillwatch.intake.formats.parquet import column
from stillwatch.records import Rejected

NAME = "table"
"What a log without a file is called in `Rejected`; rows count from 1."

Reject = Callable[[Rejected], None]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """A log whose place gives rows instead of bytes: a table of a lake, the answer to a query."""

    name: str
    "As the user named it; secrets never stand in it."
    columns: Callable[[], tuple[str, ...]]
    "The names of its columns; asks the place. Raises UserError where that cannot be read."
    batches: Callable[[list[str]], Iterator[pa.RecordBatch]]
    "The columns that are wanted, in batches; memory stays level. Raises UserError where the place fails: never an end that is none."
    among: str = ""
    "The folder or glob in which it was found; empty where it was named itself."


def read(table: pa.Table, mapping: maps.Mapping | None, reject: Reject, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
    """Batches of `calls.SCHEMA`; `progress` is told the calls of each.

    Raises UserError, before anything is read, when a required or mapped column is missing or a wanted one stands twice.
    """
    wanted = chosen(NAME, table.column_names, mapping)
    # Long texts make shorter batches, so that memory stays level.
    rows = max(1, min(ROWS, table.num_rows * BYTES // max(1, table.nbytes)))
    parts = table.select(sorted(set(wanted.values()))).to_batches(max_chunksize=rows)
    return _read(NAME, parts, wanted, mapping or maps.CANONICAL, reject, progress)


def stream(rows: Rows, seen: tuple[str, ...], mapping: maps.Mapping | None, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of `calls.SCHEMA` from a place that gives rows; `seen` are its columns."""
    wanted = chosen(rows.name, seen, mapping)
    return _read(rows.name, _short(rows.batches(sorted(set(wanted.values())))), wanted, mapping or maps.CANONICAL, reject, None)


def chosen(name: str, seen: Iterable[str], mapping: maps.Mapping | None) -> dict[str, str]:
    """Our columns by theirs, of a table that has the columns `seen`.

    Raises UserError when a required or mapped column is missing or a wanted one stands twice.
    """
    theirs = list(seen)
    if mapping is not None:
        mapping.check(theirs, sparse=False)
    wanted = {ours: each for ours, each in (mapping or maps.CANONICAL).columns.items() if each in theirs}
    lacking = [each for each in REQUIRED if each not in wanted]
    if lacking:
        what = f"columns {maps.named(theirs)}; {', '.join(lacking)} not among them"
        raise UserError(what, name, "rename the columns, or name them with a map")
    for each in wanted.values():
        if theirs.count(each) > 1:
            raise UserError(f'column "{each}" stands twice', name, "rename one of them")
    return wanted


def quoted(name: str) -> str:
    """A column's name as SQL writes one that may be anything.

    >>> quoted('a "b"')
    '"a ""b""\"'
    """
    return '"' + name.replace('"', '""') + '"'


def _short(parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of the usual size: others decide how long theirs are."""
    for part in parts:
        step = max(1, min(ROWS, len(part) * BYTES // max(1, part.nbytes)))
        for start in range(0, len(part), step):
            yield part.slice(start, step)


def _read(
    name: str, parts: Iterable[pa.RecordBatch], wanted: dict[str, str], mapping: maps.Mapping, reject: Reject, progress: Progress | None
) -> Iterator[pa.RecordBatch]:
    row, reported = 1, set[str]()
    for part in parts:
        made: dict[str, Column] = {}
        for ours, theirs in wanted.items():
            try:
                made[ours] = column(ours, part.column(theirs), mapping)
            except Unusable as error:
                nulls = pa.nulls(len(part), SCHEMA.field(ours).type)
                made[ours] = nulls, [(np.ones(len(part), np.bool_), str(error))] if ours in REQUIRED else []
                if ours not in REQUIRED and ours not in reported:
                    reported.add(ours)
                    reject(Rejected(name, None, f"column {error}; read as unknown"))
        batch = columns.batch(name, made, np.arange(row, row + len(part), dtype=np.int64), reject)
        row += len(part)
        if batch.num_rows:
            yield batch
        if progress is not None:
            progress(batch.num_rows)
