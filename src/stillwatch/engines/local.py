"""The local engine: one machine, Arrow from end to end, two threads in the kernels. Decides nothing; runs what it is handed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.engines import runs
from stillwatch.engines.disk import OnDisk, once
from stillwatch.engines.runs import Run
from stillwatch.engines.shelf import in_order
from stillwatch.parts import One, Parts
from stillwatch.records import LOGGED, MARKS
from stillwatch.traffic import Ints, Traffic

WORKERS = 2
"Kernels release the interpreter, so batches are marked side by side."

MOST_WAITING = 2**20
"Accounts of batches that wait to be put together, beyond twice those that are."

RUN = 384 * 2**20
"Bytes of marks that are sorted and written together."

Mark = Callable[[pa.RecordBatch, bytes], pa.RecordBatch]
Names = Callable[[pa.RecordBatch, bytes], tuple[Ints, pa.Array]]


@dataclass
class Gathered:
    """A log after intake: its marks, and the way back to the log's own account names."""

    parts: Parts
    "Marks, each call once, in parts of whole organisations."
    read: int
    "Records read, duplicates included."
    present: frozenset[str]
    "Columns of the marks that the log carries."
    runs: list[Run]
    "The marks on disk."
    names: dict[int, str] = field(repr=False, default_factory=dict)
    "Keyed hash of an account -> its name in the log. For doors only."
    seen: frozenset[str] = frozenset()
    "Mapped columns that any record had, where the log was read elsewhere."


def _marked(batches: Iterable[pa.RecordBatch], mark: Mark, names: Names, key: bytes) -> Iterator[tuple[pa.RecordBatch, Ints, pa.Array]]:
    """Marks of each batch in order, a few batches ahead; text is dropped as soon as a batch is marked."""

    def one(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Ints, pa.Array]:
        return (mark(batch, key), *names(batch, key))

    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[tuple[pa.RecordBatch, Ints, pa.Array]]] = deque()
        for batch in batches:
            waiting.append(pool.submit(one, batch))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Known:
    """Accounts and their names, as batches tell them again and again: arrays, put together every so often, and a dictionary only at the end."""

    def __init__(self) -> None:
        self._hashes: list[Ints] = []
        self._names: list[pa.Array] = []
        self._waiting = 0

    def add(self, hashes: Ints, names: pa.Array) -> None:
        """Accounts of one batch."""
        self._hashes.append(hashes)
        self._names.append(names)
        self._waiting += len(hashes)
        if len(self._hashes) > 1 and self._waiting > MOST_WAITING + 2 * len(self._hashes[0]):
            self._together()

    def _together(self) -> None:
        hashes, first = np.unique(np.concatenate(self._hashes), return_index=True)
        names = pa.concat_arrays([each.cast(pa.large_string()) for each in self._names]).take(pa.array(first))
        self._hashes, self._names, self._waiting = [hashes], [names], len(hashes)

    def names(self) -> dict[int, str]:
        """Keyed hash -> name."""
        if self._hashes:
            self._together()
        return dict(zip(self._hashes[0].tolist(), self._names[0].to_pylist(), strict=True)) if self._hashes else {}


def gather(
    batches: Iterable[pa.RecordBatch],
    mark: Mark,
    names: Names,
    key: bytes,
    folder: Path,
    earlier: Sequence[Run] = (),
    progress: Callable[[int], None] | None = None,
) -> Gathered | None:
    """Mark every batch and keep the marks in `folder`, in runs; a log that is one run stays in memory as well.

    `earlier`: runs that belong to the same log. Of records with one call_id the one with the smallest (time, account, prompt, organisation) stays, whichever
    came first. Returns None when no call was read.
    """
    made, known, read = list[Run](), Known(), 0
    held: list[pa.RecordBatch] = []
    size = 0
    with ThreadPoolExecutor(1) as writer:
        writing: list[Future[Run]] = []
        for marks, hashes, raw in _marked(batches, mark, names, key):
            held.append(marks)
            size += marks.nbytes
            read += marks.num_rows
            known.add(hashes, raw)
            if size >= RUN:
                writing.append(writer.submit(runs.write, folder / f"{len(earlier) + len(writing):06d}", pa.Table.from_batches(held, MARKS)))
                held, size = [], 0
                # One run is written while the next is gathered, and no more, so that memory stays level.
                if len(writing) > 1:
                    writing[-2].result()
            if progress is not None:
                progress(read)
        if not read:
            return None
        last = pa.Table.from_batches(held, MARKS).combine_chunks()
        if held:
            writing.append(writer.submit(runs.write, folder / f"{len(earlier) + len(writing):06d}", last))
        made = [*earlier, *(each.result() for each in writing)]
    present = frozenset().union(*(run.present for run in made))
    parts: Parts = One(Traffic(in_order(once(last)))) if len(made) == 1 and held else OnDisk(tuple(made), folder)
    return Gathered(parts, sum(run.rows for run in made), present, made, known.names())


def off(reads: Mapping[str, Sequence[str]], present: frozenset[str]) -> dict[str, list[str]]:
    """Of members and the marks they read: those that cannot run, with the columns that the log lacks for it."""
    return {name: missing for name, columns in reads.items() if (missing := sorted({LOGGED.get(each, each) for each in set(columns) - present}))}
