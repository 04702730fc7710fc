"""Calls from many parts of a log put together in canonical order: in memory, or column by column in mapped files where there are many."""

from __future__ import annotations

import mmap
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import Bools, Ints
from stillwatch.records import MARKS

SMALL = frozenset({
    "turns", "tools", "images", "max_tokens", "n", "status", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "prompt_tokens", "response_tokens",
    "asked", "delivered", "capability", "script",
})  # fmt: skip
"Columns of counts and codes."

AT_HAND = 2**30
"Bytes of calls that are held in memory at once; more of them are mapped from files."

RANGES = 64
"Ranges of accounts that are put in order one after another; a power of two up to 256."

ORDER = ("account", "ts", "call")
"Canonical order of calls."


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
    """Many tables of marks as one in canonical order. Empties the list."""
    whole = _ordered(tables)
    return pa.table({name: _narrow(name, whole[name].chunk(0)) for name in whole.column_names})


def _ordered(tables: list[pa.Table]) -> pa.Table:
    """The same with the columns as they are: column by column, so that no more than one lies there twice."""
    columns = {name: [chunk for table in tables for chunk in table[name].chunks] for name in tables[0].column_names}
    tables.clear()
    order = pa.array(_order(*(pa.chunked_array(columns[name]).to_numpy() for name in ORDER)))
    return pa.table({name: pa.concat_arrays(columns.pop(name)).take(order) for name in list(columns)})


class Shelf:
    """Calls from many parts of a log: held in memory as long as they are few, in files of a folder of their own once they are not."""

    def __init__(self, beside: Path) -> None:
        """`beside`: where the folder is made, if one is needed; what an earlier shelf gave may still be looked at."""
        self._beside, self._held, self._files = beside, list[pa.Table](), list[Path]()
        self._size, self._lock, self._maps = 0, threading.Lock(), list[mmap.mmap]()

    @cached_property
    def _folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._beside))

    def put(self, marks: pa.Table) -> None:
        """Some calls. Several threads may put some at a time."""
        with self._lock:
            self._size += marks.nbytes
            if self._size <= AT_HAND:
                self._held.append(marks)
                return
            file = self._next()
        _put(file, marks)

    def _next(self) -> Path:
        self._files.append(self._folder / f"{len(self._files):06d}")
        return self._files[-1]

    def together(self) -> pa.Table:
        """All of them as one table in canonical order: in memory, or with what the columns hold in mapped files, so that what nobody looks at takes no memory."""
        if not self._files:
            return joined(self._held)
        while self._held:
            _put(self._next(), self._held.pop())
        lists = {field.name: _Lists(self._folder / field.name, field.type) for field in MARKS if pa.types.is_list(field.type)}
        ranges = []
        for number, table in enumerate(self._in_ranges()):
            for name, column in lists.items():
                column.add(table[name].chunk(0))
            ranges.append(written(self._folder / f"range {number}", table.drop_columns(list(lists))))
        columns: dict[str, pa.ChunkedArray] = {}
        for name in (name for name in MARKS.names if name not in lists):
            # Column by column, so that no more than one is in memory.
            whole = _narrow(name, pa.concat_arrays([chunk for file in ranges for chunk in _stored(file, len(columns)).chunks]))
            mapped = self._mapped(written(self._folder / name, pa.table({name: whole})))
            columns[name] = pa.ipc.open_file(pa.BufferReader(mapped)).read_all()[name]
        for file in (*self._files, *ranges):
            file.unlink()
        return pa.table({name: lists[name].whole(self._mapped) if name in lists else columns[name] for name in MARKS.names})

    def _in_ranges(self) -> Iterator[pa.Table]:
        """The calls of one range of accounts after another, in order."""
        readers = [pa.ipc.open_file(pa.OSFile(str(file))) for file in self._files]
        for number in range(RANGES):
            yield _ordered([pa.Table.from_batches([reader.get_batch(number)]) for reader in readers])

    def _mapped(self, file: Path) -> pa.Buffer:
        """What a file holds, as far as it is looked at."""
        if not file.stat().st_size:
            return pa.py_buffer(b"")
        with file.open("rb") as opened:
            self._maps.append(mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ))
        return pa.py_buffer(self._maps[-1])

    def rest(self) -> None:
        """Let go of the pages that were looked at; whoever looks again reads them again."""
        for each in self._maps:
            each.madvise(mmap.MADV_DONTNEED)


def _put(file: Path, marks: pa.Table) -> None:
    """Write some calls: a batch for each of RANGES ranges of accounts."""
    account = marks["account"].to_numpy()
    place = (account >> (64 - RANGES.bit_length() + 1)) + RANGES // 2
    ends = np.cumsum(np.bincount(place, minlength=RANGES)).tolist()
    ordered = marks.take(pa.array(np.argsort(place.astype(np.uint8), kind="stable"))).combine_chunks()
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, MARKS) as writer:
        for begin, end in zip([0, *ends[:-1]], ends, strict=True):
            batches = ordered.slice(begin, end - begin).combine_chunks().to_batches()
            writer.write_batch(batches[0] if batches else pa.RecordBatch.from_pylist([], MARKS))


class _Lists:
    """A column of lists of numbers, what they hold in a file: it is by far the most."""

    def __init__(self, file: Path, kind: pa.ListType) -> None:
        self._file, self._kind, self._sink = file, kind, file.open("wb")
        self._lengths: list[Ints] = []
        self._valid: list[Bools] = []

    def add(self, array: pa.ListArray) -> None:
        """Some more rows."""
        self._lengths.append(pc.fill_null(pc.list_value_length(array), 0).to_numpy())
        self._valid.append(np.asarray(array.is_valid()))
        self._sink.write(memoryview(array.flatten().to_numpy()))

    def whole(self, mapped: Callable[[Path], pa.Buffer]) -> pa.ListArray:
        """All rows."""
        self._sink.close()
        ends = pa.array(np.concatenate([[0], np.cumsum(np.concatenate(self._lengths))]).astype(np.int32))
        values = pa.Array.from_buffers(self._kind.value_type, ends[-1].as_py(), [None, mapped(self._file)])
        return pa.ListArray.from_arrays(ends, values, type=self._kind, mask=pa.array(~np.concatenate(self._valid)))


def written(file: Path, table: pa.Table) -> Path:
    """Write a table, and where."""
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return file


def _stored(file: Path, column: int) -> pa.ChunkedArray:
    with pa.OSFile(str(file)) as source:
        return pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=[column], use_threads=False)).read_all().column(0)


def _narrow(name: str, column: pa.Array) -> pa.Array:
    """A column that nobody knows, or that counts something small, takes less room than its type would."""
    if column.null_count == len(column):
        return pa.nulls(len(column), MARKS.field(name).type)
    largest = pc.max(column).as_py() if name in SMALL else None
    return column.cast(pa.int32()) if largest is not None and largest < 2**31 else column
