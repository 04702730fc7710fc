"""Marks that `stillwatch marks` wrote: hashes and counts, no text, made where the text lives."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import UserError
from stillwatch.intake.columns import ROWS
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import Mapping
from stillwatch.intake.opening import BROKEN, parquet
from stillwatch.intake.stream import Source, lost
from stillwatch.records import MARKS, MARKS_VERSION, Rejected

_REQUIRED = tuple(field.name for field in MARKS if not field.nullable)


def recognises(opening: Opening) -> bool:
    """Parquet with the columns that every mark has."""
    return opening.container == "parquet" and set(_REQUIRED) <= set(opening.columns)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of marks, with the key's fingerprint, the id of the sealed names and the file's name in the schema's metadata.

    Raises: UserError for marks of another version, which cannot be compared with today's.
    """
    rows = 0
    try:
        with parquet(source) as file:
            told = file.schema_arrow.metadata or {}
            if told.get(b"stillwatch marks") != MARKS_VERSION:
                raise UserError("holds marks of another version", source.name, "make them again with this version's `stillwatch marks`")
            schema = MARKS.with_metadata({**told, b"file": os.fsencode(source.name)})
            for part in file.iter_batches(batch_size=4 * ROWS):
                made = pa.RecordBatch.from_arrays([_column(part, field) for field in MARKS], schema=schema)
                whole = made.filter(_usable(made))
                if whole.num_rows < made.num_rows:
                    reject(Rejected(source.name, None, f"{made.num_rows - whole.num_rows} rows without call, time, account or model"))
                yield whole
                rows += len(part)
    except BROKEN as error:
        lost(source, error)
        reject(Rejected(source.name, None, f"the Parquet file is damaged after row {rows}; what came before was used"))


def _column(part: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in part.schema.names:
        return pa.nulls(len(part), field.type)
    return part.column(field.name).cast(field.type)


def _usable(batch: pa.RecordBatch) -> pa.Array:
    usable = pa.array([True] * batch.num_rows)
    for name in _REQUIRED:
        usable = pa.compute.and_(usable, batch.column(name).is_valid())
    return usable


def _file(*rows: dict[str, object]) -> bytes:
    full = [{**dict.fromkeys(MARKS.names), **row} for row in rows]
    table = pa.table({name: pa.array([row[name] for row in full], MARKS.field(name).type) for name in MARKS.names})
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({b"stillwatch marks": MARKS_VERSION, b"key": b"f"}), sink)
    return sink.getvalue()


_ROW = {"call": 7, "ts": 1_767_225_600_000_000, "account": -3, "org": -3, "org_known": False, "model": "m", "wordings": [8, 16], "asked": 0}

FORMAT = Format(
    name="marks",
    page="Marks as `stillwatch marks LOG --out MARKS` writes them: Parquet of hashes, counts and scores, without a word of text. Made where the "
    "text lives and scanned elsewhere under the same key, they give exactly what the log itself gives. Account names are those sealed beside the "
    "key when the marks were made; where that seal is not at hand, accounts are shown as keyed hashes.",
    suffix=".parquet",
    order=0,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads("one mark", lambda: _file(_ROW), (_ROW,)),
        Rejects(
            "a row without an account", lambda: _file(_ROW, {**_ROW, "call": 8, "account": None}), ((None, "1 rows without call, time, account or model"),), 1
        ),
    ),
    marked=True,
)
