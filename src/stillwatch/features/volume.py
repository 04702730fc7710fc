"""How much, how evenly, at which hours."""

from __future__ import annotations

import numpy as np

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import kept, number, thinned

HOUR = 3_600_000_000
LEAST_CALLS = 60
"Fewest calls from which empty hours of the day say something."


def calls(groups: Groups) -> Floats:
    """Calls of the group; where the log keeps a sample, as many as that stands for."""
    return groups.total(1.0 / np.nan_to_num(number(groups, "sampled"), nan=1.0))


def accounts(groups: Groups) -> Floats:
    """Distinct accounts of the group."""
    label, _ = groups.distinct(groups.traffic.account[groups.calls])
    return np.bincount(label, minlength=groups.count).astype(np.float64)


def not_kept(groups: Groups) -> Floats:
    """Share of the group's calls that the log does not keep; 0 where it keeps all, as far as known."""
    return 1.0 - kept(groups)


def unevenness(groups: Groups) -> Floats:
    """Variance of the calls per account over their mean: a pool that deals at random gives 1, people give far more.

    A sample of the share p draws it towards 1, by 1 + p (v - 1), which is undone. Of a log that keeps less than half it is unknown: members there
    are those of whom two calls happen to be kept, which makes any group look even.
    """
    label, _ = groups.distinct(groups.traffic.account[groups.calls])
    key = groups.label * np.int64(len(groups.traffic.accounts)) + groups.traffic.account[groups.calls]
    _, per_account = np.unique(key, return_counts=True)
    n = np.bincount(label, minlength=groups.count).astype(np.float64)
    total = np.bincount(label, weights=per_account, minlength=groups.count)
    square = np.bincount(label, weights=per_account.astype(np.float64) ** 2, minlength=groups.count)
    known = (n >= 3) & ~thinned(groups)
    mean = np.divide(total, n, out=np.ones(groups.count), where=n > 0)
    variance = np.divide(square - n * mean**2, n - 1, out=np.zeros(groups.count), where=n > 1)
    return np.where(known, 1.0 + (variance / mean - 1.0) / kept(groups), np.nan)


def idle_hours(groups: Groups) -> Floats:
    """Hours of the day (UTC) in which the group makes less than a fifth of its average hour's calls."""
    hour = groups.traffic.ts[groups.calls] // HOUR % 24
    counts = np.zeros((groups.count, 24))
    np.add.at(counts, (groups.label, hour), 1)
    total = counts.sum(axis=1)
    idle = (counts < total[:, None] / 120.0).sum(axis=1).astype(np.float64)
    return np.where(total >= LEAST_CALLS, idle, np.nan)


_EVEN = [{"account": account, "ts": i} for account in range(4) for i in range(5)]

FEATURES = (
    Feature(
        "not_kept", "share of calls", "the log keeps every call", "a small sample is kept", ("ts",), not_kept, ([{"sampled": 0.25}, {"sampled": 0.25}, {}], 0.5)
    ),
    Feature("calls", "calls", "rarely seen", "heavy use", ("ts",), calls, (_EVEN, 20.0)),
    Feature("accounts", "accounts", "a lone account", "many accounts", ("account",), accounts, (_EVEN, 4.0)),
    Feature(
        "unevenness", "variance / mean", "equal load per account, as a load balancer deals it", "few heavy and many light users", ("account",), unevenness, (_EVEN, 0.0)
    ),
    Feature(
        "idle_hours", "hours a day", "never sleeps", "works a few hours a day", ("ts",), idle_hours, ([{"ts": i * HOUR % (6 * HOUR) + i} for i in range(60)], 18.0)
    ),
)  # fmt: skip
