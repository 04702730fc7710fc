"""Quiet periods: for a while nothing new is told of a case, so that an investigation is not given away. They end by themselves.

A quiet period holds back what *we* say. It binds no other member, and it never holds back a correction or a revocation: whoever has something wrong must hear it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from stillwatch.errors import StillwatchError
from stillwatch.exchange.coordination.reach import latest, referred
from stillwatch.exchange.stix.moments import DAY
from stillwatch.exchange.stix.words import Case, Member, Shared, Technique

LONGEST = 30
"Days of a quiet period, at most: a longer one has to be decided anew."


@dataclass(frozen=True, slots=True)
class Quiet:
    """A quiet period of our own."""

    about: frozenset[str]
    "Ids of cases."
    start: int
    "From when on, microseconds."
    end: int
    "Until when."
    by: str
    "Who decided it. Stays here."


@dataclass(frozen=True, slots=True)
class Held:
    """A record that waits."""

    record: Shared
    "It."
    until: int
    "When it may leave, as things stand."


@dataclass(frozen=True, slots=True)
class Told:
    """What may leave now, and what waits."""

    now: tuple[Shared, ...]
    "In the order given."
    held: tuple[Held, ...]
    "In the order given."


def quiet(about: Collection[str], start: int, days: int, by: str) -> Quiet:
    """A quiet period. Raises: StillwatchError when it is about nothing, is nobody's, or is longer than `LONGEST` days."""
    if not about:
        raise StillwatchError("a quiet period is about nothing", attempt="name the cases")
    if not by.strip():
        raise StillwatchError("nobody decided the quiet period", attempt="name who decides")
    if not 1 <= days <= LONGEST:
        raise StillwatchError(f"{days} days are no quiet period", attempt=f"choose 1 to {LONGEST} days; decide anew when they are over")
    return Quiet(frozenset(about), start, start + days * DAY, by)


def told(records: Iterable[Shared], periods: Collection[Quiet], delivered: Collection[str], at: int) -> Told:
    """What of some records may leave at a moment. `delivered`: ids that some member received already.

    Held is a case in a quiet period, whatever points to it and what that points to besides. New versions of what was delivered go, and so do opinions and notes
    about it, unless they would name something that is held and that nobody knows of.
    """
    given = list(records)
    until: dict[str, int] = {}
    for period in periods:
        if period.start <= at < period.end:
            until |= {id_: max(period.end, until.get(id_, 0)) for id_ in period.about}
    _spread(given, until)
    known = set(delivered)
    now: list[Shared] = []
    held: list[Held] = []
    for each in given:
        points = referred(each)
        corrects = each.id in known or (hasattr(each, "about") and bool(points & known))
        if each.id in until and not (corrects and not any(id_ in until for id_ in points - known)):
            held.append(Held(each, until[each.id]))
        else:
            now.append(each)
    return Told(tuple(now), tuple(held))


def _spread(records: Iterable[Shared], until: dict[str, int]) -> None:
    """Holds what would give a held case away: what points to it, and what that points to. Changes `until`.

    Another case is held only when a period is about it: two campaigns that use one pool are not one. Techniques are public, and members known.
    """
    known = list(latest(records).values())
    free = {each.id for each in known if isinstance(each, Case | Technique | Member)}
    moved = True
    while moved:
        moved = False
        for each in known:
            points = referred(each)
            end = max((until[id_] for id_ in points if id_ in until), default=0) if each.id not in free else 0
            for id_ in {each.id, *points} - free if end else ():
                if end > until.get(id_, 0):
                    until[id_] = end
                    moved = True
