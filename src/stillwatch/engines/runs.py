"""Marks on disk in runs: each a file of at most so many calls, sorted, in buckets by organisation, so that a part of a log can be read without the rest.

A run is an Arrow IPC file with one batch a bucket, in their order, and beside it the sorted call hashes, by which repeated calls are found without a pass over
the marks. Runs are written once and never changed: a later scan adds its own beside them. A third file tells their digests, so that a damaged run is noticed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.codes import Ints
from stillwatch.errors import UserError
from stillwatch.records import MARKS, MARKS_VERSION

BUCKETS = 256
"Buckets of a run; a power of two."

MARK_FILE, CALL_FILE, NOTE_FILE = ".arrow", ".calls", ".json"
"Ends of the three files' names."

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


def bucket(org: Ints) -> Ints:
    """Bucket of each call, by its organisation's keyed hash."""
    mixed = org.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(64 - BUCKETS.bit_length() + 1)).astype(np.int64)


class _Hashed:
    """A file that is hashed as it is written."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write and hash."""
        held = memoryview(data)
        self.digest.update(held)
        return self._file.write(held)

    def flush(self) -> None:
        """Flush."""
        self._file.flush()


@dataclass(frozen=True)
class Run:
    """One run."""

    path: Path
    "Its files without their ends."
    rows: int
    "Calls, repeated ones among them."
    sizes: tuple[int, ...]
    "Calls of each bucket."
    present: frozenset[str]
    "Columns of the marks of which any value is known."

    def opened(self, columns: Sequence[str]) -> pa.ipc.RecordBatchFileReader:
        """A reader of some columns, one batch a bucket."""
        options = pa.ipc.IpcReadOptions(included_fields=[MARKS.get_field_index(name) for name in columns], use_threads=False)
        # Not mapped: pages of a mapped file count as memory of whoever looks at them.
        return pa.ipc.open_file(pa.OSFile(str(self.path.with_suffix(MARK_FILE))), options=options)

    def read(self, which: Sequence[int], columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Some buckets, some columns."""
        reader = self.opened(columns)
        return [reader.get_batch(number) for number in which if self.sizes[number]]

    def calls(self) -> Ints:
        """The call hashes, ascending, as far as they are looked at: the file is mapped."""
        return np.memmap(self.path.with_suffix(CALL_FILE), np.int64, "r") if self.rows else np.zeros(0, np.int64)


class Readers:
    """Some columns of several runs, bucket by bucket: what a run's footer says is read once a thread, and not once a bucket."""

    def __init__(self, several: Sequence[Run], columns: Sequence[str]) -> None:
        """`columns`: in the order of the marks."""
        self.columns = tuple(columns)
        self.schema = pa.schema([MARKS.field(name) for name in columns])
        self._runs, self._mine = tuple(several), threading.local()

    def bucket(self, number: int) -> pa.Table:
        """A bucket's calls in all runs."""
        if not hasattr(self._mine, "readers"):
            self._mine.readers = [run.opened(self.columns) for run in self._runs]
        batches = [reader.get_batch(number) for run, reader in zip(self._runs, self._mine.readers, strict=True) if run.sizes[number]]
        return pa.Table.from_batches(batches, self.schema)


def write(path: Path, marks: pa.Table, home: Ints | None = None) -> Run:
    """Write the marks of some calls, in any order, as a run. `home`: the bucket of each, where it is not that of its organisation."""
    org, account, call = (marks[name].to_numpy() for name in ("org", "account", "call"))
    home = bucket(org) if home is None else home
    # Accounts by their upper bits, each in the order of the log, which mostly is that of time: whoever reads a part puts it in order.
    order = np.argsort((home << 55) | (account.view(np.uint64) >> np.uint64(9)).astype(np.int64), kind="stable")
    sizes = np.bincount(home, minlength=BUCKETS)
    ordered = marks.take(pa.array(order)).combine_chunks()
    calls = np.sort(call)
    calls.tofile(path.with_suffix(CALL_FILE))
    with path.with_suffix(MARK_FILE).open("wb", buffering=0) as file:
        hashed = _Hashed(file)
        with pa.ipc.new_file(pa.PythonFile(hashed, "w"), MARKS, options=_OPTIONS) as writer:
            ends = np.cumsum(sizes)
            for end, size in zip(ends.tolist(), sizes.tolist(), strict=True):
                batches = ordered.slice(end - size, size).combine_chunks().to_batches()
                writer.write_batch(batches[0] if batches else pa.RecordBatch.from_pylist([], MARKS))
    present = frozenset(name for name in MARKS.names if marks[name].null_count < marks.num_rows)
    note = {
        "version": MARKS_VERSION.decode(), "rows": len(order), "sizes": sizes.tolist(), "present": sorted(present), "sha256": hashed.digest.hexdigest(),
        "sha256_calls": hashlib.sha256(calls.tobytes()).hexdigest(),
    }  # fmt: skip
    path.with_suffix(NOTE_FILE).write_bytes(orjson.dumps(note))
    return Run(path, len(order), tuple(sizes.tolist()), present)


def found(folder: Path) -> list[Run]:
    """The runs of a folder, in order of their names. Raises: UserError when one is of another version."""
    runs = []
    for note in sorted(folder.glob(f"*{NOTE_FILE}")):
        told = orjson.loads(note.read_bytes())
        if told["version"] != MARKS_VERSION.decode():
            raise UserError("was written by another version", str(folder), "scan that log again with this version")
        runs.append(Run(note.with_suffix(""), told["rows"], tuple(told["sizes"]), frozenset(told["present"])))
    return runs


def damaged(run: Run) -> Path | None:
    """The first file of a run that is not what was written, by its digest; None where both are."""
    told = orjson.loads(run.path.with_suffix(NOTE_FILE).read_bytes())
    for end, name in ((MARK_FILE, "sha256"), (CALL_FILE, "sha256_calls")):
        path = run.path.with_suffix(end)
        try:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != told.get(name):
                    return path
        except FileNotFoundError:
            return path
    return None


def check(run: Run) -> None:
    """Compare a run with its digests. Raises: UserError when it is not what was written."""
    if (path := damaged(run)) is not None:
        raise UserError("is damaged", str(path), "restore it, or scan the log again")


def repeated(runs: Sequence[Run], at_once: int = 4_000_000) -> Ints:
    """Call hashes that occur more than once in the runs, ascending: looked at in ranges of hashes, so that memory stays level."""
    held = [run.calls() for run in runs]
    total = sum(map(len, held))
    edges = np.linspace(-(2.0**63), 2.0**63, max(1, -(-total // at_once)) + 1)[1:-1].astype(np.int64)
    limits = [np.concatenate([[0], np.searchsorted(calls, edges), [len(calls)]]) for calls in held]
    out = [np.zeros(0, np.int64)]
    for turn in range(len(edges) + 1):
        part = np.sort(np.concatenate([calls[limit[turn] : limit[turn + 1]] for calls, limit in zip(held, limits, strict=True)] or [out[0]]), kind="stable")
        out.append(np.unique(part[1:][part[1:] == part[:-1]]))
    return np.concatenate(out)
