"""Times as STIX writes them <-> integer microseconds since 1970, UTC. No clock is read here."""

from __future__ import annotations

import re

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND

TIME = re.compile(r"([0-9]{4})-(0[1-9]|1[012])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]+))?Z")
"A time as STIX 2.1 writes it."

LONG = (1, 3, 5, 7, 8, 10, 12)


def stamp(moment: int) -> str:
    """A moment as STIX writes it: to the millisecond, to the microsecond where it has one.

    >>> stamp(0), stamp(1_767_225_698_325_036)
    ('1970-01-01T00:00:00.000Z', '2026-01-01T00:01:38.325036Z')
    """
    days, rest = divmod(moment, DAY)
    year, month, day = _date(days)
    second, fraction = divmod(rest, SECOND)
    digits = f"{fraction:06d}"
    return (
        f"{year:04d}-{month:02d}-{day:02d}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{digits[:3] if digits.endswith('000') else digits}Z"
    )


def parsed(text: str) -> int | None:
    """The moment that a text of STIX names; None when it names none. What is finer than a microsecond is cut off (`finer` tells).

    >>> parsed("2026-01-01T00:01:38.325036Z"), parsed("2026-02-30T00:00:00Z")
    (1767225698325036, None)
    """
    found = TIME.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if year == 0 or day > length(year, month) or second == 60:
        return None
    fraction = int(((found[7] or "") + "000000")[:6])
    return _days(year, month, day) * DAY + hour * HOUR + minute * MINUTE + second * SECOND + fraction


def finer(text: str) -> bool:
    """Whether a time says more than its microseconds."""
    found = TIME.fullmatch(text)
    return bool(found and found[7] and found[7][6:].strip("0"))


def length(year: int, month: int) -> int:
    """Days of a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 31 if month in LONG else 30


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar; years begin in March here, so that a leap day comes last."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _date(days: int) -> tuple[int, int, int]:
    """The other way round."""
    era, day = divmod(days + 719_468, 146_097)
    of_era = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    of_year = day - (365 * of_era + of_era // 4 - of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1
