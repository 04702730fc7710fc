"""The threshold that every provider has: how much an account calls."""

from __future__ import annotations

import numpy as np

from baselines.accounts import Floats, Log

DAY = 86_400_000_000
"Microseconds."


def calls(log: Log) -> Floats:
    """Calls of each account."""
    return log.count.astype(np.float64)


def busiest_day(log: Log) -> Floats:
    """Calls of each account on its busiest day (UTC)."""
    days = log.ts // DAY
    first = int(days.min())
    span = int(days.max()) - first + 1
    return np.bincount(log.of * span + (days - first), minlength=len(log.names) * span).reshape(-1, span).max(axis=1).astype(np.float64)
