"""The local engine: one machine, Arrow from end to end, two threads in the kernels. Decides nothing; runs what it is handed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from stillwatch.parts import One, Parts
from stillwatch.records import MARKS
from stillwatch.traffic import Ints, Traffic

WORKERS = 2
"Kernels release the interpreter, so batches are marked side by side."

Mark = Callable[[pa.RecordBatch, bytes], pa.RecordBatch]
Names = Callable[[pa.RecordBatch, bytes], tuple[Ints, pa.Array]]


@dataclass
class Gathered:
    """A log after intake: its marks in canonical order, and the way back to the log's own account names."""

    parts: Parts
    "Marks, each call once, in parts of whole organisations."
    read: int
    "Records read, duplicates included."
    duplicates: int
    "Records whose call_id was seen before."
    present: frozenset[str]
    "Columns of the marks that the log carries."
    names: dict[int, str] = field(repr=False, default_factory=dict)
    "Keyed hash of an account -> its name in the log. For doors only."


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


def gather(batches: Iterable[pa.RecordBatch], mark: Mark, names: Names, key: bytes, progress: Callable[[int], None] | None = None) -> Gathered | None:
    """Mark every batch, count each call once, and put the calls into canonical order.

    Of two records with one call_id the one with the smallest (time, account, prompt) stays, whichever came first. Returns None when there is no call at all.
    """
    parts: list[pa.RecordBatch] = []
    known: dict[int, str] = {}
    read = 0
    for marks, hashes, raw in _marked(batches, mark, names, key):
        parts.append(marks)
        read += marks.num_rows
        known.update(zip(hashes.tolist(), raw.to_pylist(), strict=True))
        if progress is not None:
            progress(read)
    if not read:
        return None
    table = pa.Table.from_batches(parts, MARKS).combine_chunks()
    call, ts, account = (table[name].to_numpy() for name in ("call", "ts", "account"))
    prompt = table["prompt"].fill_null(0).to_numpy()
    order = np.lexsort((prompt, account, ts, call))
    first = np.ones(len(order), np.bool_)
    first[1:] = call[order][1:] != call[order][:-1]
    kept = order[first]
    kept = kept[np.lexsort((call[kept], ts[kept], account[kept]))]
    present = frozenset(name for name in MARKS.names if table[name].null_count < table.num_rows)
    return Gathered(One(Traffic(table.take(kept))), read, read - len(kept), present, known)


def off(reads: Mapping[str, Sequence[str]], present: frozenset[str]) -> dict[str, list[str]]:
    """Of members and the columns they read: those that cannot run, with the missing columns."""
    return {name: missing for name, columns in reads.items() if (missing := sorted(set(columns) - present))}
