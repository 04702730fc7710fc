"""Which record is which STIX object, field by field: one table for both ways.

A fact that has no place in STIX stands in our extension *and* as a label `stillwatch:name=value`, for many products drop extensions and keep labels.
What is too long for a label (a playbook, a timestamp token) is named in `stillwatch:carries=`, so that its loss on the way is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.exchange.stix import words
from stillwatch.exchange.stix.moments import parsed, stamp

PREFIX = "stillwatch:"
"Of labels that state a fact."


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value is written, and read; `read` gives None for what is no such value."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """A field of a record and the property it is."""

    field: str
    property: str
    codec: Codec
    label: bool = True
    "Of what stands in our extension: whether it stands in a label too."


@dataclass(frozen=True)
class Kind:
    """A record's STIX type and properties."""

    record: type
    type: str
    core: tuple[Pair, ...]
    beside: tuple[Pair, ...] = ()
    "What stands in our extension."
    fixed: Mapping[str, Any] = field(default_factory=dict)
    "Properties with one value."
    says: Mapping[str, Any] = field(default_factory=dict)
    "Fields that the type itself tells."
    anyhow: Mapping[str, Any] = field(default_factory=dict)
    "Properties with what is meant where they are left out, as others write them."
    facts: Mapping[str, Any] = field(default_factory=dict)
    "Facts with one value, in the extension and as labels."


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and value and all(isinstance(each, str) for each in value) else None


def _moment(value: Any) -> int | None:
    return parsed(value) if isinstance(value, str) else None


def _band(value: Any) -> words.Band | None:
    fits = isinstance(value, list) and len(value) == 2 and all(_whole(each) is not None for each in value) and 0 < value[0] < value[1]
    return (value[0], value[1]) if fits else None


def _technique(value: Any) -> str | None:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict) and each.get("source_name") == ATLAS:
            return _text(each.get("external_id"))
    return None


ATLAS = "mitre-atlas"
"Name of MITRE ATLAS in external references."

TEXT = Codec(str, _text)
WHOLE = Codec(int, _whole)
TEXTS = Codec(lambda value: list(value) or None, _texts)
MOMENT = Codec(stamp, _moment)
BAND = Codec(list, _band)
OBJECT = Codec(lambda value: value, lambda value: value if isinstance(value, dict) else None)
ONE = Codec(lambda value: [value], lambda value: value[0] if _texts(value) and len(value) == 1 else None)
TECHNIQUE = Codec(lambda value: [{"source_name": ATLAS, "external_id": value}], _technique)


def _same(*names: str, codec: Codec = TEXT) -> tuple[Pair, ...]:
    return tuple(Pair(name, name, codec) for name in names)


SEEN = _same("first_seen", "last_seen", codec=MOMENT)
NAMED = _same("name", "description")
COMMON = (
    *_same("created", "modified", codec=MOMENT), Pair("source", "created_by_ref", TEXT), *_same("confidence", codec=WHOLE),
    Pair("revoked", "revoked", Codec(lambda value: value or None, lambda value: value if isinstance(value, bool) else None)),
)  # fmt: skip
EVERYWHERE = (Pair("expires", "expires", MOMENT), Pair("purpose", "purpose", TEXT))
"What every record may say and STIX has no property for."

_GRADED = (Pair("grade", "grade", TEXT), Pair("log10_e_at_least", "log10_e_at_least", WHOLE), Pair("accounts", "accounts_band", BAND))

KINDS = (
    Kind(words.Member, "identity", NAMED[:1], fixed={"identity_class": "organization"}),
    Kind(words.Case, "campaign", (*NAMED, *SEEN, Pair("objective", "objective", TEXT)), _GRADED, says={"attributed": False}),
    Kind(words.Case, "intrusion-set", (*NAMED, *SEEN, Pair("objective", "goals", ONE)), _GRADED, says={"attributed": True}),
    Kind(words.Technique, "attack-pattern", (*NAMED, Pair("atlas", "external_references", TECHNIQUE))),
    Kind(words.Infrastructure, "infrastructure", (*NAMED, Pair("kinds", "infrastructure_types", TEXTS), *SEEN)),
    Kind(
        words.Indicator, "indicator",
        (*NAMED, Pair("pattern", "pattern", TEXT), Pair("language", "pattern_type", TEXT), Pair("kinds", "indicator_types", TEXTS),
         Pair("valid_from", "valid_from", MOMENT), Pair("expires", "valid_until", MOMENT)),
        (Pair("pack_sha256", "pack_sha256", TEXT),), anyhow={"pattern_version": "2.1"},
    ),
    Kind(
        words.Observed, "observed-data",
        (Pair("first", "first_observed", MOMENT), Pair("last", "last_observed", MOMENT), Pair("objects", "object_refs", TEXTS)),
        (Pair("band", "band", BAND),),
    ),
    Kind(
        words.Sighting, "sighting",
        (Pair("of", "sighting_of_ref", TEXT), Pair("observed", "observed_data_refs", TEXTS), Pair("where", "where_sighted_refs", TEXTS), *SEEN,
         Pair("description", "description", TEXT)),
        (Pair("band", "band", BAND),),
    ),
    Kind(words.Advice, "course-of-action", NAMED, (Pair("playbook", "playbook", OBJECT, label=False),), facts={"binding": False}),
    Kind(words.Opinion, "opinion", (Pair("about", "object_refs", TEXTS), *_same("opinion", "explanation"))),
    Kind(words.Grouping, "grouping", (Pair("objects", "object_refs", TEXTS), *_same("context", "name", "description"))),
    Kind(
        words.Note, "note", (Pair("about", "object_refs", TEXTS), *_same("content", "abstract")),
        (*_same("sha256", "log_origin"), Pair("log_index", "log_index", WHOLE), Pair("timestamp_token", "timestamp_token", TEXT, label=False)),
    ),
    Kind(
        words.Link, "relationship",
        (Pair("origin", "source_ref", TEXT), Pair("kind", "relationship_type", TEXT), Pair("target", "target_ref", TEXT), Pair("description", "description", TEXT)),
    ),
)  # fmt: skip

OBSERVABLES = (
    Kind(words.Network, "ipv4-addr", _same("value")),
    Kind(words.Network, "ipv6-addr", _same("value")),
    Kind(words.System, "autonomous-system", _same("number", codec=WHOLE)),
)

BY_TYPE = {kind.type: kind for kind in (*KINDS, *OBSERVABLES)}
"STIX type -> its kind."


def fact(name: str, value: Any) -> str:
    """A label that states a fact, from a value as the extension has it.

    >>> fact("band", [20, 50]), fact("binding", False)
    ('stillwatch:band=20..50', 'stillwatch:binding=false')
    """
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, list):
        value = "..".join(str(each) for each in value)
    return f"{PREFIX}{name}={value}"


def stated(label: str, like: Codec) -> tuple[str, Any] | None:
    """Name and value, as the extension would have it, of a label that states a fact; None for any other. `like`: the codec of the fact."""
    name, equals, value = label.removeprefix(PREFIX).partition("=")
    if not label.startswith(PREFIX) or not equals:
        return None
    if like in (WHOLE, BAND):
        parts = value.split("..")
        if not all(part.removeprefix("-").isascii() and part.removeprefix("-").isdigit() for part in parts):
            return None
        numbers = [int(part) for part in parts]
        return name, numbers if like is BAND else numbers[0]
    return name, value
