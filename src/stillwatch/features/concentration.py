"""How narrow the work is."""

from __future__ import annotations

import numpy as np

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.traffic import codes

OTHER = 0
"Code of no particular capability."


def top_capability(groups: Groups) -> Floats:
    """Share of the most frequent named capability among all calls with content."""
    code, values = codes(groups.traffic.column("capability"))
    rows = code[groups.calls]
    known = rows >= 0
    if not known.any():
        return np.full(groups.count, np.nan)
    counts = np.zeros((groups.count, len(values)))
    np.add.at(counts, (groups.label[known], rows[known]), 1)
    total = counts.sum(axis=1)
    named = np.where(values[None, :] == OTHER, 0.0, counts).max(axis=1)
    return np.asarray(np.divide(named, total, out=np.full(groups.count, np.nan), where=total > 0), np.float64)


FEATURES = (
    Feature(
        "top_capability",
        "share of calls",
        "all kinds of work",
        "one capability only",
        ("capability",),
        top_capability,
        ([{"capability": 2}, {"capability": 2}, {"capability": 0}, {"capability": 1}], 0.5),
    ),
)
