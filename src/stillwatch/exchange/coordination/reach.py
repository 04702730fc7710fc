"""Corrections and revocations reach everyone who received the original. Who received what is passed in; whoever delivers adds to that list.

Nothing here remembers: `due` is computed anew from what is said and what was delivered. A delivery that was cut off is due again, a second one is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from stillwatch.errors import StillwatchError
from stillwatch.exchange.stix.words import Shared
from stillwatch.exchange.stix.writing import revised, revoked


@dataclass(frozen=True, slots=True)
class Delivered:
    """A version of a record that a member received from us."""

    recipient: str
    "Member."
    id: str
    "STIX identifier."
    modified: int
    "Version, microseconds."
    revoked: bool = False
    "Whether it was the withdrawal: STIX allows no version after that."


@dataclass(frozen=True, slots=True)
class Due:
    """A version that a member has yet to receive, because it holds an older one or something that this one disputes."""

    recipient: str
    "Member."
    record: Shared
    "The version to send."


@dataclass(frozen=True, slots=True)
class Undone:
    """What follows for our own records when others are withdrawn."""

    records: tuple[Shared, ...]
    "New versions: revoked where nothing is left to say, shorter where something is."
    by: Mapping[str, tuple[str, ...]]
    "Id of such a record -> ids of what was withdrawn under it."


ONE = ("of", "origin", "target")
"Fields that name one record which theirs is nothing without."
SEVERAL = ("about", "objects", "observed", "where")
"Fields that name several."
ABOUT = "about"
"Field of opinions and notes: what they speak of."
OPTIONAL = frozenset({"observed", "where"})
"Of SEVERAL: a record still says something when none is left."


def referred(record: Shared) -> frozenset[str]:
    """Ids of the records that one points to."""
    given = {each.name: getattr(record, each.name) for each in fields(record)}
    return frozenset(given[name] for name in ONE if name in given) | frozenset(id_ for name in SEVERAL if name in given for id_ in given[name])


def latest(records: Iterable[Shared]) -> dict[str, Shared]:
    """The version that holds of each record: the last; a revoked one stays revoked, whatever is dated later.

    Of two versions of one moment the revoked one holds: a doubt is for forgetting.
    """
    found: dict[str, Shared] = {}
    for each in records:
        held = found.get(each.id)
        if held is None or (each.revoked, each.modified) > (held.revoked, held.modified):
            found[each.id] = each
    return found


def due(said: Iterable[Shared], delivered: Iterable[Delivered], allowed: Collection[str], at: int) -> tuple[Due, ...]:
    """What has to reach whom so that nobody is left with something that we no longer say. Empty: everybody is up to date.

    `said`: all versions of our own records; `allowed`: members that the policy names today. Whoever received a record gets its new version, and each opinion
    or note of ours about it. A member that is no longer allowed gets no new word: the very version it holds is withdrawn, for it would keep that for ever.
    Raises: StillwatchError when `said` lacks a version that has to be withdrawn.
    """
    versions = list(said)
    now, old = latest(versions), {(each.id, each.modified): each for each in versions}
    held: dict[str, dict[str, Delivered]] = defaultdict(dict)
    for each in delivered:
        has = held[each.recipient].get(each.id)
        if has is None or (each.revoked, each.modified) > (has.revoked, has.modified):
            held[each.recipient][each.id] = each
    about: dict[str, list[Shared]] = defaultdict(list)
    for record in now.values():
        for id_ in getattr(record, ABOUT, ()):
            about[id_].append(record)
    found: list[Due] = []
    for recipient in sorted(held):
        has_all = held[recipient]
        stale = {id_: has for id_, has in has_all.items() if id_ in now and not has.revoked and has.modified < now[id_].modified}
        if recipient in allowed:
            wanted = {id_: now[id_] for id_ in stale}
            # A new opinion or note about what a member holds; a revoked one that it never had tells it nothing.
            wanted |= {each.id: each for id_ in has_all for each in about.get(id_, ()) if each.id not in has_all and not each.revoked}
        else:
            wanted = {id_: _taken_back(old.get((id_, has.modified)), has, max(at, now[id_].modified + 1000)) for id_, has in stale.items()}
        found += [Due(recipient, wanted[id_]) for id_ in sorted(wanted)]
    return tuple(found)


def _taken_back(version: Shared | None, has: Delivered, at: int) -> Shared:
    """The withdrawal of the version that a member holds: not a word that it does not have."""
    if version is None:
        raise StillwatchError(
            "a version that was delivered is not among what was said", has.id, "pass every version; none may be forgotten while somebody holds it"
        )
    return revoked(version, at)


def undone(withdrawn: Collection[str], ours: Iterable[Shared], at: int) -> Undone:
    """New versions of our own records that point to what was withdrawn, by us or by the member we heard it from; what points to those follows.

    A sighting or a relationship of something withdrawn is revoked; a grouping, note or opinion loses the reference, and is revoked when none is left.
    """
    held = {id_: each for id_, each in latest(ours).items() if not each.revoked}
    gone, why = set(withdrawn), dict[str, tuple[str, ...]]()
    changed: dict[str, Shared] = {}
    fresh = set(gone)
    while fresh:
        step: set[str] = set()
        for id_ in sorted(held):
            record = changed.get(id_, held[id_])
            touched = referred(record) & fresh
            if id_ in gone or not touched:
                continue
            made = _without(record, gone, at, held[id_].modified)
            why[id_] = tuple(sorted({*why.get(id_, ()), *touched}))
            changed[id_] = made
            if made.revoked:
                step.add(id_)
        gone |= step
        fresh = step
    return Undone(tuple(changed[id_] for id_ in sorted(changed)), why)


def _without(record: Shared, gone: Collection[str], at: int, modified: int) -> Shared:
    """A record's next version without what is gone."""
    moment = max(at, modified + 1000)
    if record.modified > modified:  # changed in an earlier step of the same walk: one new version, not two
        moment = record.modified + 1000
    if any(getattr(record, name, None) in gone for name in ONE):
        return revoked(record, moment)
    left: dict[str, Any] = {}
    for name in SEVERAL:
        ids = getattr(record, name, ())
        kept = tuple(id_ for id_ in ids if id_ not in gone)
        if kept != ids:
            if not kept and name not in OPTIONAL:
                return revoked(record, moment)
            left[name] = kept
    return revised(record, moment, **left)
