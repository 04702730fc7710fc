"""Intake and marking on executors: a task reads a file and gives its marks; text ends where the file is read.

What else a task has to tell goes beside the marks in the same rows: accounts and their names, sealed by whoever reads (they are opened by the driver alone);
records that could not be used; how many calls there were. The hashing key travels inside the task's code, which Spark holds in memory: a broadcast value
would be written to a temporary file on every machine.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import Ints
from stillwatch.engines import runs
from stillwatch.engines.runs import Run
from stillwatch.errors import UserError
from stillwatch.intake.read import Where
from stillwatch.records import MARKS, Rejected

FILE = 40
"Bits of the place of a call in its file: a place in the log is the file's number, then the call's in it."

AT, TOLD, BODY = "at", "told", "body"
"Columns beside the marks: place in the log; what a row tells besides (null: it is a call), and that itself."

TAKEN = pa.schema([*(pa.field(each.name, each.type) for each in MARKS), (AT, pa.int64()), (TOLD, pa.string()), (BODY, pa.binary())])
"Rows of intake."

AT_ONCE = 1000
"Records that cannot be used which are told together."

NAME, REJECTED, NOTE, MISTAKE = "name", "rejected", "note", "mistake"
"What a row may tell besides."

FILES = "number bigint, name binary, place binary, among binary"
"Files as they are dealt to tasks; without a place: an earlier run of that number. Names of files need not be text."


class Taken(NamedTuple):
    """A batch of a file after intake."""

    marks: pa.RecordBatch
    "Its marks."
    accounts: Ints
    "Accounts (keyed hashes) that the file did not show before."
    names: pa.Array
    "Their names, sealed (binary)."
    seen: Collection[str]
    "Mapped columns of which the file showed any value so far."


Take = Callable[[Where, Callable[[Rejected], None]], Iterator[Taken]]
"Reads a file and marks it; what cannot be used goes to the second argument."


@dataclass(frozen=True)
class Intake:
    """The work of a task that reads files."""

    take: Take = field(repr=False)
    "Reads one."
    earlier: tuple[Run, ...]
    "Runs of an earlier scan that this one goes on with; the first files."

    def read(self, files: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows (TAKEN) of the files."""
        for batch in files:
            for row in batch.to_pylist():
                if row["place"] is None:
                    yield from self._run(row["number"])
                else:
                    yield from self._file(row["number"], Where(*(os.fsdecode(row[name]) for name in ("name", "place", "among"))))

    def _run(self, number: int) -> Iterator[pa.RecordBatch]:
        at = number << FILE
        for batch in self.earlier[number].read(range(runs.BUCKETS), MARKS.names):
            yield _calls(batch, at)
            at += batch.num_rows

    def _file(self, number: int, where: Where) -> Iterator[pa.RecordBatch]:
        rejected, told, rows, present, seen = list[Rejected](), 0, 0, set[str](), set[str]()
        first = number << FILE
        try:
            for marks, accounts, names, shown in self.take(where, rejected.append):
                yield _calls(marks, first + rows)
                if len(accounts):
                    yield _beside(NAME, names, account=pa.array(accounts, pa.int64()))
                rows += marks.num_rows
                seen.update(shown)
                present |= {each for each in MARKS.names if marks.column(each).null_count < marks.num_rows}
                if len(rejected) - told >= AT_ONCE:
                    yield _rejected(first + told, rejected[told:])
                    told = len(rejected)
        except UserError as error:
            yield _beside(MISTAKE, _json({"what": error.what, "where": error.where, "attempt": error.attempt}), at=pa.array([first], pa.int64()))
        if rejected[told:]:
            yield _rejected(first + told, rejected[told:])
        yield _beside(NOTE, _json({"rows": rows, "present": sorted(present), "seen": sorted(seen)}))


def _calls(marks: pa.RecordBatch, first: int) -> pa.RecordBatch:
    rows = marks.num_rows
    at = pa.array(np.arange(first, first + rows, dtype=np.int64))
    return pa.RecordBatch.from_arrays(
        [*(marks.column(name) for name in MARKS.names), at, pa.nulls(rows, pa.string()), pa.nulls(rows, pa.binary())], schema=TAKEN
    )


def _beside(what: str, body: pa.Array, **columns: pa.Array) -> pa.RecordBatch:
    held = {TOLD: pa.array([what] * len(body), pa.string()), BODY: body, **columns}
    return pa.RecordBatch.from_arrays([held[each.name] if each.name in held else pa.nulls(len(body), each.type) for each in TAKEN], schema=TAKEN)


def _json(*rows: dict[str, Any]) -> pa.Array:
    return pa.array([orjson.dumps(row) for row in rows], pa.binary())


def _rejected(first: int, rejected: Sequence[Rejected]) -> pa.RecordBatch:
    rows = _json(*({"file": each.file, "line": each.line, "reason": each.reason} for each in rejected))
    return _beside(REJECTED, rows, at=pa.array(range(first, first + len(rejected)), pa.int64()))


@dataclass(frozen=True)
class Keeping:
    """The work of a task that keeps calls in runs, as the local engine does."""

    folder: str
    "Folder that the driver sees as well."
    size: int
    "Bytes of marks of a run."

    def write(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Writes runs; a row a run: its first call's place and its name. A task that is run again writes others, and those that nobody tells of are nobody's."""
        held, size = list[pa.RecordBatch](), 0
        for batch in batches:
            held.append(batch)
            size += batch.nbytes
            if size >= self.size:
                yield self._written(held)
                held, size = [], 0
        if size:
            yield self._written(held)

    def _written(self, held: list[pa.RecordBatch]) -> pa.RecordBatch:
        rows = pa.Table.from_batches(held)
        name = uuid.uuid4().hex
        runs.write(Path(self.folder) / name, rows.select(MARKS.names).cast(MARKS))
        return pa.RecordBatch.from_pydict({"first": [pc.min(rows[AT]).as_py()], "name": [name]})


def schema(fields: Iterable[Any]) -> str:
    """A schema of Arrow as Spark writes it."""
    kinds = {
        pa.int64(): "bigint",
        pa.bool_(): "boolean",
        pa.float64(): "double",
        pa.string(): "string",
        pa.binary(): "binary",
        pa.list_(pa.int64()): "array<bigint>",
        pa.list_(pa.int32()): "array<int>",
    }
    return ", ".join(f"`{each.name}` {kinds[each.type]}" for each in fields)
