"""Marks of a streaming engine, handed over micro-batch by micro-batch to whoever follows a folder of them.

For Spark Structured Streaming: `calls.mapInArrow(marked(key, unit), schema)` makes the marks in the executors, so text ends there, and `into(folder, stamp)` is what
`foreachBatch` calls. Each micro-batch becomes one file of marks that appears whole, under a name made of its number: a micro-batch that the engine delivers again
takes the place of itself. `stillwatch follow FOLDER` takes it from there, and its own checkpoint and call ids see to it that nothing counts twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.calls import SCHEMA
from stillwatch.intake.mark import mark
from stillwatch.intake.unit import linked
from stillwatch.records import MARKS

Batches = Iterator[pa.RecordBatch]


class Frame(Protocol):
    """A data frame that gives itself as one Arrow table, as Spark's does."""

    def toArrow(self) -> pa.Table:
        """All its rows."""


def marked(key: bytes, unit: str = "account") -> Callable[[Batches], Batches]:
    """Batches with the canonical columns -> batches of marks, where they are. Columns that are not there are unknown."""

    def work(batches: Batches) -> Batches:
        for batch in batches:
            columns = [
                batch.column(field.name).cast(field.type) if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type) for field in SCHEMA
            ]
            yield mark(linked(pa.RecordBatch.from_arrays(columns, schema=SCHEMA), unit), key)

    return work


def into(folder: Path, stamp: Mapping[bytes, bytes]) -> Callable[[Frame, int], None]:
    """What writes a micro-batch of marks to a folder that is followed. `stamp`: of which key and unit they are (sources.stamp)."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(frame: Frame, number: int) -> None:
        marks = frame.toArrow().select(MARKS.names).cast(MARKS)
        if not marks.num_rows:
            return
        part = folder / f".{number:012d}.part"  # hidden from whoever follows the folder until it is whole
        pq.write_table(marks.replace_schema_metadata(dict(stamp)), part, compression="zstd")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, folder / f"{number:012d}.parquet")

    return write
