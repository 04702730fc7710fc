"""What accounts say that they are for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import distinct, mean

EXPLAIN = ("education", "research", "evaluator", "distillation-permitted")
"Programmes under which many accounts have reason to say the same; to be a start-up explains nothing."


def programme(groups: Groups) -> Floats:
    """Share of a group's accounts that declare a programme under which saying the same is to be expected.

    An account counts once, by its first call in the group. Who declares nothing counts as declaring nothing.
    """
    declared = pc.is_in(groups.traffic.column("program"), pa.array(EXPLAIN)).to_numpy(zero_copy_only=False)[groups.calls]
    one = distinct(groups.label, groups.traffic.account[groups.calls])
    return mean(groups.count, groups.label[one], np.asarray(declared[one], np.float64))


_ROWS = [{"account": a, "program": p} for a, p in enumerate(("research", "evaluator", "startup", None)) for _ in range(a + 1)]

FEATURES = (Feature("programme", "share of accounts", "nobody declares a programme", "all declare one", ("program",), programme, (_ROWS, 0.5)),)
