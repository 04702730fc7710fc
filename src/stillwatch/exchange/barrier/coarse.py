"""Counts as bands and times as whole hours, days or weeks: what is told is never finer."""

from __future__ import annotations

from stillwatch.exchange.stix.moments import DAY, HOUR
from stillwatch.exchange.stix.words import Band

EDGES = tuple(step * 10**power for power in range(1, 7) for step in (1, 2, 5))
"Edges of the bands, ascending: 10, 20, 50, 100 ... 5,000,000."

STEPS = {"hour": HOUR, "day": DAY, "week": 7 * DAY}
"Word of a policy -> microseconds."


def band(count: int, least: int) -> Band | None:
    """The band of a count, from its lower edge up to but not including the upper; None where that edge is below `least`, the k that hides small groups.

    >>> band(49, 10), band(50, 10), band(9, 10), band(60, 100)
    ((20, 50), (50, 100), None, None)
    """
    at = max((number for number, edge in enumerate(EDGES) if edge <= count), default=-1)
    if at < 0 or EDGES[at] < least:
        return None
    return EDGES[at], EDGES[at + 1] if at + 1 < len(EDGES) else 2 * EDGES[at]


def is_band(told: Band, least: int) -> bool:
    """Whether it is one of the bands, and not below k."""
    return band(told[0], least) == told


def floor(moment: int, step: str) -> int:
    """A moment, rounded down. >>> floor(90_000_000_000, "day"), floor(90_000_000_000, "hour")
    (86400000000, 90000000000)
    """
    return moment - moment % STEPS[step]
