"""What a member tells of its innocents, as it is signed: for each statistic its version and its tail. No organisation, no count below the minimum, no size but in bands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

from stillwatch.errors import UserError
from stillwatch.evidence.tails import BODY, GRID, LEAST, Floats, Tail, told
from stillwatch.exchange.barrier.coarse import EDGES, band
from stillwatch.exchange.barrier.gate import closed
from stillwatch.exchange.barrier.policy import LEAST as MINIMUM
from stillwatch.exchange.barrier.policy import LONGEST, Policy
from stillwatch.exchange.stix.moments import DAY

FORMAT = "stillwatch-calibration/1"

RECORD = "calibration"
"Its name in a policy."

WORDS = frozenset({"format", "made", "expires", "purpose", "recipients", "statistics"})
STATISTIC = frozenset({"version", "of_at_least", "minimum", "above_at_most", "below_at_most"})


@dataclass(frozen=True)
class Statement:
    """One member's tails."""

    made: str
    "Day, YYYY-MM-DD."
    expires: str
    "First day on which it holds no longer."
    recipients: tuple[str, ...]
    "Members for whom it is."
    tails: Mapping[str, tuple[str, Tail]]
    "Statistic -> (version of its definition, tail)."


def compose(values: Mapping[str, Floats], versions: Mapping[str, str], rules: Policy, at: int, where: str) -> dict[str, Any]:
    """A statement under a policy.

    Args: statistic -> its value at each innocent organisation; statistic -> version; the policy; now (microseconds since 1970); where the policy stands.
    Raises: UserError where the policy does not allow it, or no statistic has enough organisations.
    """
    if shut := closed(rules, at):
        raise UserError(shut, where, "nothing was made")
    if RECORD not in rules.records:
        raise UserError("does not allow calibration to leave", where, f'add "{RECORD}" to records, and its days to [expires]')
    tails = {name: tail for name, mine in sorted(values.items()) if (tail := told(mine, rules.minimum)) is not None}
    if not tails:
        raise UserError(f"no statistic is known of {LEAST} organisations", "the scans named", "name more of them, or longer ones")
    return {
        "format": FORMAT, "made": _day(at), "expires": _day(at + rules.expires[RECORD] * DAY), "purpose": rules.purpose, "recipients": sorted(rules.recipients),
        "statistics": {
            name: {"version": versions[name], "of_at_least": _at_least(tail.of), "minimum": tail.minimum, "above_at_most": list(map(list, tail.above)), "below_at_most": list(map(list, tail.below))}
            for name, tail in tails.items()
        },
    }  # fmt: skip


def _at_least(count: int) -> int:
    """The lower edge of its band."""
    found = band(count, LEAST)
    return LEAST if found is None else found[0]


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d}"


def heard(said: Mapping[str, Any], where: str) -> Statement:
    """A statement as it came. Raises: UserError where it is not of this format, to the letter: nobody else's mistake becomes a rank here."""
    if said.get("format") != FORMAT:
        raise UserError("is no calibration of a format that is known here", where, "ask its sender for another")
    _must(set(said) == WORDS, "holds other words than the format has", where)
    days = [said["made"], said["expires"]]
    _must(
        all(map(_is_day, days)) and 0 < (date.fromisoformat(days[1]) - date.fromisoformat(days[0])).days <= LONGEST[RECORD],
        f"says no days, or more than {LONGEST[RECORD]}",
        where,
    )
    to, several = said["recipients"], said["statistics"]
    _must(isinstance(to, list) and bool(to) and all(isinstance(each, str) for each in to), "names no recipients", where)
    _must(isinstance(several, dict) and bool(several), "holds no statistics", where)
    return Statement(days[0], days[1], tuple(to), {name: _statistic(name, each, where) for name, each in several.items()})


def _statistic(name: str, said: Any, where: str) -> tuple[str, Tail]:
    _must(isinstance(said, dict) and set(said) == STATISTIC, f"{name} holds other words than the format has", where)
    of, minimum = said["of_at_least"], said["minimum"]
    _must(isinstance(said["version"], str), f"{name} has no version", where)
    _must(_whole(of) and of >= LEAST and of in EDGES, f"{name}: of_at_least is no band of organisations", where)
    _must(_whole(minimum) and MINIMUM <= minimum <= of, f"{name}: minimum is below {MINIMUM}, or above all", where)
    above, below = (_side(said[word], rising, f"{name}: {word}", where) for word, rising in (("above_at_most", True), ("below_at_most", False)))
    return said["version"], Tail(of, minimum, above, below)


def _side(said: Any, rising: bool, what: str, where: str) -> tuple[tuple[float, float], ...]:
    _must(
        isinstance(said, list) and all(isinstance(row, list) and len(row) == 2 and all(map(_number, row)) for row in said), f"{what} is no list of pairs", where
    )
    side = tuple((float(edge), float(share)) for edge, share in said)
    further: Callable[[float, float], bool] = (lambda one, other: one < other) if rising else (lambda one, other: one > other)
    _must(all(edge in GRID and 0 <= share <= BODY for edge, share in side), f"{what} holds edges or shares that nobody tells", where)
    _must(all(further(one[0], other[0]) and one[1] > other[1] for one, other in pairwise(side)), f"{what} is not in order", where)
    return side


def _is_day(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _must(holds: bool, what: str, where: str) -> None:
    if not holds:
        raise UserError(what, where, "ask its sender for another")


def for_all(statement: Statement, readers: Sequence[str]) -> list[str]:
    """Readers for whom it is not."""
    return sorted(set(readers) - set(statement.recipients))
