"""Reasoning issued to one organisation and replayed by another."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from stillwatch.features.declare import Feature, Floats, Groups


def replays(groups: Groups) -> Floats:
    """Digests that one unit was issued and another unit of the same group replayed."""
    traffic = groups.traffic
    column = traffic.column("reasoning_in").combine_chunks().take(groups.calls)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    label, unit = np.repeat(groups.label, lengths), traffic.unit[traffic.account[groups.calls]]
    back, by = column.flatten().to_numpy(zero_copy_only=False).astype(np.int64), np.repeat(unit, lengths)
    issued = traffic.column("reasoning_out").combine_chunks().take(groups.calls)
    known = np.asarray(issued.is_valid())
    sent = {(int(g), int(d)): int(u) for g, d, u in zip(groups.label[known], pc.drop_null(issued).to_numpy(), unit[known], strict=True)}
    counted: set[tuple[int, int]] = set()
    for g, d, u in zip(label.tolist(), back.tolist(), by.tolist(), strict=True):
        if sent.get((g, d), u) != u:
            counted.add((g, d))
    return np.bincount([g for g, _ in counted], minlength=groups.count).astype(np.float64)


_ROWS: list[dict[str, object]] = [{"account": 1, "reasoning_out": 5}, {"account": 2, "org": 2, "reasoning_in": [5]}, {"account": 1, "reasoning_in": [5]}]

FEATURES = (
    Feature(
        "replays", "digests", "none, as among innocents", "reasoning carried from account to account", ("reasoning_out", "reasoning_in"), replays, (_ROWS, 1.0), clusters_only=True
    ),
)  # fmt: skip
