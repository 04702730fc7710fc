"""Moments in a log: whole microseconds since 1970, UTC, and what a number of another unit looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

UNITS: dict[str, int] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"Units of time that a map file may name, in nanoseconds; `iso` stands beside them for ISO 8601 texts."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _us(year: int) -> int:
    return (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


BOUNDS: dict[str, tuple[int, int]] = {"ts": (_us(2015), _us(2100)), "signup_ts": (_us(1990), _us(2100))}
"Earliest and latest believable moment of each time column, microseconds; accounts may be older than any API."

YEARS = {"ts": "2015 to 2100", "signup_ts": "1990 to 2100"}
"`BOUNDS` for people."


def outside(name: str, value: int) -> str | None:
    """Why a moment is not believed, with the unit that it looks like; None when it is believed.

    >>> outside("ts", 1_750_000_000_000)
    'ts lies outside 2015 to 2100 when read as microseconds; it looks like milliseconds'
    """
    low, high = BOUNDS[name]
    if low <= value < high:
        return None
    if value < 0:
        return f"{name} is negative"
    looks = ""
    for unit, multiplied, divided in (("seconds", 1_000_000, 1), ("milliseconds", 1_000, 1), ("nanoseconds", 1, 1_000)):
        if low <= value * multiplied // divided < high:
            looks = f"; it looks like {unit}"
    return f"{name} lies outside {YEARS[name]} when read as microseconds{looks}"


def moment(value: object, unit: str) -> int | None:
    """Microseconds of a number in `unit` or of an ISO 8601 text (no offset: UTC); None when it is neither.

    >>> moment("2026-06-10T00:00:01Z", "iso"), moment(1.5, "s"), moment("soon", "iso")
    (1781049601000000, 1500000, None)
    """
    try:
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return (aware - _EPOCH) // timedelta(microseconds=1)
        if unit == "iso":
            return moment(datetime.fromisoformat(value), unit) if isinstance(value, str) else None
        if isinstance(value, str):
            value = float(value) if "." in value else int(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        if isinstance(value, int):
            return value * UNITS[unit] // 1_000
        return round(value * (UNITS[unit] / 1_000))
    except (ValueError, OverflowError):
        return None
