"""A log of which only what stands by some wordings is left: several looks at those few need not read the whole again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import Ints
from stillwatch.linking.carriers import standing_in
from stillwatch.owners import Owners
from stillwatch.parts import Work
from stillwatch.records import MARKS
from stillwatch.traffic import Traffic

COLUMNS = ("account", "prompt", "wordings")
"Columns that are left."


def with_wordings(marks: pa.Table, wordings: Ints) -> pa.Table:
    """The marks without any other wordings than these (ascending)."""
    column = marks["wordings"].combine_chunks()
    array = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = array.flatten().to_numpy()
    call, index = standing_in(offsets, values, wordings)
    limits = np.concatenate([[0], np.cumsum(np.bincount(call, minlength=len(lengths)))]).astype(np.int32)
    kept = pa.ListArray.from_arrays(pa.array(limits), pa.array(wordings[index]), mask=pa.array(np.asarray(array.is_null())))
    return marks.set_column(marks.column_names.index("wordings"), MARKS.field("wordings"), kept)


@dataclass(frozen=True)
class Narrow:
    """Parts of a log in files of their own, with COLUMNS alone and without the calls that have none of the wordings."""

    files: tuple[Path, ...]
    "One a part."
    owners: Owners
    "Whose the accounts are, over the whole log."
    given: Mapping[str, Any] = field(default_factory=dict)
    "Facts of the whole log that are worked out."
    workers: int = 2
    "Parts that are looked at side by side."

    def each(self, work: Work, reads: Sequence[str], sums: Sequence[str] = (), ordered: bool = True) -> dict[str, pa.Table]:
        """The work done on every part, which may read COLUMNS and must not care for an order."""
        if ordered or not set(reads) <= set(COLUMNS):
            raise ValueError("what was left out cannot be read")

        def one(file: Path) -> Mapping[str, pa.Table]:
            with pa.OSFile(str(file)) as source:
                marks = pa.ipc.open_file(source).read_all()
            return work(Traffic(marks, self.owners.among(np.unique(marks["account"].to_numpy())), self.given))

        with ThreadPoolExecutor(self.workers) as pool:
            found = list(pool.map(one, self.files))
        return {name: pa.concat_tables([part[name] for part in found]) for name in found[0]}


def put_by(file: Path, marks: pa.Table, wordings: Ints) -> Path:
    """Write what is left of some calls, and where."""
    left = with_wordings(marks.select(COLUMNS), wordings)
    left = left.filter(pc.fill_null(pc.greater(pc.list_value_length(left["wordings"]), 0), False)).combine_chunks()
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, left.schema) as writer:
        writer.write_table(left)
    return file
