"""Calls from many parts of a log put together in canonical order: in memory, or column by column in mapped files where there are many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import Ints
from stillwatch.records import MARKS

SMALL = frozenset({
    "turns", "tools", "images", "max_tokens", "n", "status", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "prompt_tokens", "response_tokens",
    "asked", "delivered", "capability", "script",
})  # fmt: skip
"Columns of counts and codes."

AT_HAND = 2**30
"Bytes of calls that are held in memory at once; more of them are mapped from files."

ORDER = ("account", "ts", "call")


def _order(account: Ints, ts: Ints, call: Ints) -> Ints:
    order = np.argsort(account, kind="stable")
    account, ts, call = account[order], ts[order], call[order]
    after = (account[1:] > account[:-1]) | (ts[1:] > ts[:-1]) | ((ts[1:] == ts[:-1]) & (call[1:] >= call[:-1]))
    return order if after.all() else order[np.lexsort((call, ts, account))]


def in_order(marks: pa.Table) -> pa.Table:
    """Marks in canonical order. Runs are in order already, and mostly follow one another in time."""
    order = _order(*(marks[name].to_numpy() for name in ORDER))
    return marks.take(pa.array(order)) if (order[1:] != order[:-1] + 1).any() else marks


def joined(tables: list[pa.Table]) -> pa.Table:
    """Many tables of marks as one in canonical order, column by column, so that no more than one column lies there twice. Empties the list."""
    columns = {name: [chunk for table in tables for chunk in table[name].chunks] for name in tables[0].column_names}
    tables.clear()
    order = pa.array(_order(*(pa.chunked_array(columns[name]).to_numpy() for name in ORDER)))
    return pa.table({name: _narrow(name, columns.pop(name), order) for name in list(columns)})


def put(file: Path, marks: pa.Table) -> Path:
    """Write some calls, and where."""
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, MARKS) as writer:
        writer.write_table(marks)
    return file


def together(files: list[Path]) -> pa.Table:
    """What was put into files of one folder as one table in canonical order: in memory, or mapped where it is large. Removes the files."""
    if sum(file.stat().st_size for file in files) > AT_HAND:
        made = _shelved(files)
    else:
        made = joined([_stored(file, pa.ipc.IpcReadOptions(use_threads=False)) for file in files])
    for file in files:
        file.unlink()
    return made


def _shelved(files: list[Path]) -> pa.Table:
    """Column by column, each in a file of its own beside those, which is mapped."""

    def column(name: str) -> pa.ChunkedArray:
        options = pa.ipc.IpcReadOptions(included_fields=[MARKS.get_field_index(name)], use_threads=False)
        return pa.chunked_array([chunk for file in files for chunk in _stored(file, options)[name].chunks], MARKS.field(name).type)

    order = pa.array(_order(*(column(name).to_numpy() for name in ORDER)))
    shelf = {}
    for name in MARKS.names:
        file = files[0].with_name(name)
        narrow = pa.table({name: _narrow(name, column(name).chunks, order)})
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, narrow.schema) as writer:
            writer.write_table(narrow)
        del narrow
        shelf[name] = pa.ipc.open_file(pa.memory_map(str(file))).read_all()[name]
    return pa.table(shelf)


def _stored(file: Path, options: pa.ipc.IpcReadOptions) -> pa.Table:
    with pa.OSFile(str(file)) as source:
        return pa.ipc.open_file(source, options=options).read_all()


def _narrow(name: str, chunks: list[pa.Array], order: pa.Array) -> pa.Array:
    """A column in order. One that nobody knows, or that counts something small, takes less room than its type would."""
    if all(chunk.null_count == len(chunk) for chunk in chunks):
        return pa.nulls(len(order), MARKS.field(name).type)
    joined = pa.concat_arrays(chunks).take(order)
    largest = pc.max(joined).as_py() if name in SMALL else None
    return joined.cast(pa.int32()) if largest is not None and largest < 2**31 else joined
