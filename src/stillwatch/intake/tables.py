"""A log that is an Arrow table in memory -> batches of LogCalls, by the same rules as canonical Parquet. Nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


def read(
    table: pa.Table, mapping: maps.Mapping | None, reject: Callable[[Rejected], None], progress: Callable[[int], None] | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of `calls.SCHEMA`; `progress` is told the calls of each.

    Raises UserError, before anything is read, when a required or mapped column is missing or a wanted one stands twice.
    """
    if mapping is not None:
        mapping.check(table.column_names, sparse=False)
    names = (mapping or maps.CANONICAL).columns
    wanted = {ours: theirs for ours, theirs in names.items() if theirs in table.column_names}
    lacking = [name for name in REQUIRED if name not in wanted]
    if lacking:
        what = f"columns {maps.named(table.column_names)}; {', '.join(lacking)} not among them"
        raise UserError(what, NAME, "rename the columns, or name them with a map")
    for theirs in wanted.values():
        if table.column_names.count(theirs) > 1:
            raise UserError(f'column "{theirs}" stands twice', NAME, "rename one of them")
    return _read(table.select(sorted(set(wanted.values()))), wanted, mapping or maps.CANONICAL, reject, progress)


def _read(
    table: pa.Table, wanted: dict[str, str], mapping: maps.Mapping, reject: Callable[[Rejected], None], progress: Callable[[int], None] | None
) -> Iterator[pa.RecordBatch]:
    row, reported = 1, set[str]()
    # Long texts make shorter batches, so that memory stays level.
    rows = max(1, min(ROWS, table.num_rows * BYTES // max(1, table.nbytes)))
    for part in table.to_batches(max_chunksize=rows):
        made: dict[str, Column] = {}
        for ours, theirs in wanted.items():
            try:
                made[ours] = column(ours, part.column(theirs), mapping)
            except Unusable as error:
                nulls = pa.nulls(len(part), SCHEMA.field(ours).type)
                made[ours] = nulls, [(np.ones(len(part), np.bool_), str(error))] if ours in REQUIRED else []
                if ours not in REQUIRED and ours not in reported:
                    reported.add(ours)
                    reject(Rejected(NAME, None, f"column {error}; read as unknown"))
        batch = columns.batch(NAME, made, np.arange(row, row + len(part), dtype=np.int64), reject)
        row += len(part)
        if batch.num_rows:
            yield batch
        if progress is not None:
            progress(batch.num_rows)
