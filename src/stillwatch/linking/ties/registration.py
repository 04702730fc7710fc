"""Accounts registered in one batch: more sign-ups in a few minutes than the log's own rate explains."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import pdtrc

from stillwatch.linking.declare import Joins, KeepsApart, Tie, pairs
from stillwatch.traffic import Ints, Owners, Traffic, distinct_rows

WINDOW = 10 * 60 * 1_000_000
"Sign-ups within ten minutes are one batch."

TAIL = 1e-6
"Largest Poisson tail of a batch under the rate of the day around it."

LEAST = 4
"Fewest units of a batch, however quiet the day."


def part(traffic: Traffic) -> pa.Table:
    """When each account was registered, microseconds."""
    table = traffic.marks.select(["account", "signup_ts"])
    table = table.filter(pc.greater_equal(table["signup_ts"], 0)).group_by("account", use_threads=False).aggregate([("signup_ts", "max")])
    return pa.table({"account": table["account"], "key": table["signup_ts_max"]})


def joined(owners: Owners, table: pa.Table) -> tuple[Ints, Ints]:
    """Accounts of different units whose ten-minute window holds far more sign-ups than its day would make by chance."""
    account, when = pairs(owners, table.sort_by("account"))
    # One sign-up a unit and window: a firm that registers its staff at one sitting is one event.
    events, _ = distinct_rows(when // WINDOW, owners.unit[account])
    window, count = np.unique(events[0], return_counts=True)
    windows_a_day = 86_400_000_000 // WINDOW
    day, in_day = np.unique(window // windows_a_day, return_inverse=True)
    rest = np.bincount(in_day, weights=count)[in_day] - count
    rate = np.maximum(rest, 1) / (windows_a_day - 1)
    batch = window[(count >= LEAST) & (pdtrc(count - 1, rate) < TAIL)]
    keep = np.isin(when // WINDOW, batch)
    return account[keep], (when // WINDOW)[keep]


_MINUTE = 60_000_000
_NOON = 1_599_998_400_000_000


def _signups(*minutes: float) -> list[dict[str, int]]:
    return [{"account": i, "signup_ts": _NOON + int(minute * _MINUTE)} for i, minute in enumerate(minutes)]


TIE = Tie(
    name="registration",
    reads=("signup_ts",),
    part=part,
    joined=joined,
    why="Accounts of unrelated organisations were registered within minutes of each other, far above the day's rate.",
    lookalike="a class or a firm that signs up together: one organisation counts once; a launch day raises the day's rate",
    blind_spot="accounts bought at different times, or aged before use",
    cases=(
        Joins([{"account": i, "signup_ts": 10**12 * 1_600 + i * _MINUTE // 10} for i in range(8)], frozenset(range(8))),
        KeepsApart([{"account": i, "signup_ts": 10**12 * 1_600 + i * 97 * _MINUTE} for i in range(12)], "customers who come one by one"),
        Joins(_signups(1, 3.5, 6, 8.5), frozenset(range(4))),
        Joins(_signups(1, 2, 3, 4, *range(20, 200, 20)), frozenset(range(4))),
        KeepsApart(_signups(1, 2, 3, 4, *range(20, 240, 20)), "four customers who come together by chance, on a day on which many come"),
        KeepsApart(_signups(1, 2, 3), "three friends on a quiet day"),
        KeepsApart(_signups(*range(1, 31, 4)), "a talk whose listeners try it one after another"),
        KeepsApart([{"account": i, "org": 5, "signup_ts": 10**12 * 1_600 + i * _MINUTE // 10} for i in range(8)], "one firm's staff"),
    ),
)
