"""Runs of a log that keeps coming: a micro-batch without the calls that came before, and small runs put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.codes import stands_in
from stillwatch.engines import runs
from stillwatch.engines.disk import once
from stillwatch.engines.runs import Run
from stillwatch.records import MARKS

READS = ("call", "ts", "account", "org", "org_known", "payment", "ip", "prompt", "wordings", "reasoning_out", "reasoning_in")
"Columns of the marks that are looked at as they arrive."

LARGEST = 2_000_000
"Calls beyond which runs are not put together any more."


def fresh(run: Run, earlier: Sequence[Run]) -> pa.Table:
    """The calls of a run, each once, that no earlier run holds, however long ago it was. READS alone."""
    batches = run.read(range(runs.BUCKETS), [name for name in MARKS.names if name in READS])
    marks = once(pa.Table.from_batches(batches))
    call = marks["call"].to_numpy()
    known = np.zeros(len(call), np.bool_)
    for other in earlier:
        known |= stands_in(call, other.calls())
    return marks.filter(pa.array(~known))


def put_together(held: Sequence[Run], folder: Path, name: str) -> list[Run]:
    """The runs, the last ones as one where they are small: so that there are about as many as the logarithm of the log, and each call is written as often."""
    kept, last = list(held), 1
    while last < len(kept) and kept[-last - 1].rows <= 2 * sum(run.rows for run in kept[-last:]) and sum(run.rows for run in kept[-last - 1 :]) <= LARGEST:
        last += 1
    if last == 1:
        return kept
    several = kept[-last:]
    marks = pa.Table.from_batches([batch for run in several for batch in run.read(range(runs.BUCKETS), MARKS.names)], MARKS)
    made = runs.write(folder / name, marks)
    for run in several:
        for end in (runs.MARK_FILE, runs.CALL_FILE, runs.NOTE_FILE):
            run.path.with_suffix(end).unlink()
    return [*kept[:-last], made]
