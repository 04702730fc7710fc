"""Records -> STIX 2.1 objects and bundles, byte for byte the same each time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID, uuid5

import orjson

from stillwatch.errors import StillwatchError
from stillwatch.exchange.stix import markings
from stillwatch.exchange.stix.checks import problems
from stillwatch.exchange.stix.kinds import BY_TYPE, COMMON, EVERYWHERE, KINDS, PREFIX, Kind, fact
from stillwatch.exchange.stix.words import TLP, Band, Indicator, Loss, Network, Observed, Record, Shared, System

OBSERVABLE = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"Namespace of STIX's identifiers that are made of a value."

Any_ = TypeVar("Any_", bound=Shared)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and what could not be."""

    objects: tuple[dict[str, Any], ...]
    "STIX objects: markings and the extension's definition first, then the records in their order."
    losses: tuple[Loss, ...]
    "What was left out, and why."


def named(kind: str, key: bytes, *parts: str) -> str:
    """An identifier under a key: the same for the same parts, so that a second share is a new version; nobody without the key can tell what it is of.

    >>> named("campaign", b"k", "a") == named("campaign", b"k", "a"), named("campaign", b"k", "a") == named("campaign", b"l", "a")
    (True, False)
    """
    mixed = blake2b(orjson.dumps([kind, *parts]), key=key, digest_size=16, person=b"stillwatch-id").digest()
    return f"{kind}--{UUID(bytes=mixed, version=4)}"


def network(value: str) -> Network:
    """A network as a record, with the identifier that STIX makes of its value."""
    kind = "ipv6-addr" if ":" in value else "ipv4-addr"
    return Network(id=f"{kind}--{uuid5(OBSERVABLE, orjson.dumps({'value': value}).decode())}", value=value)


def system(number: int) -> System:
    """An autonomous system as a record."""
    return System(id=f"autonomous-system--{uuid5(OBSERVABLE, orjson.dumps({'number': number}).decode())}", number=number)


def revised(record: Any_, at: int, **changes: Any) -> Any_:
    """A new version of a record. Raises: StillwatchError when it is not later than the old one, or that one is revoked."""
    if at // 1000 <= record.modified // 1000:
        raise StillwatchError("a new version must be later than the old one", record.id, "pass a later time")
    if record.revoked:
        raise StillwatchError("it is revoked, and STIX allows no version after that", record.id, "make a new record")
    return replace(record, modified=at, **changes)


def revoked(record: Any_, at: int) -> Any_:
    """The version that withdraws a record."""
    return revised(record, at, revoked=True)


def write(records: Iterable[Record]) -> Written:
    """STIX objects of records, with the markings and the definition that they need.

    A record that would not pass the checks is left out and told as a loss. Raises: nothing for what a record holds.
    """
    objects: list[dict[str, Any]] = []
    losses: list[Loss] = []
    policies: dict[str, dict[str, Any]] = {}
    words: set[str] = set()
    for record in records:
        made = _object(record, losses)
        wrong = [] if made is None else problems(made)
        if made is None or wrong:
            losses += [Loss(record.id, where, "", why) for where, why in wrong]
            continue
        objects.append(made)
        words |= {record.tlp} if record.tlp else set()
        if isinstance(record, Shared) and record.iep:
            policies[record.iep.id] = markings.iep(record.iep)
    if not objects:
        return Written((), tuple(losses))
    heads = markings.definition() + [markings.tlp(word) for word in TLP if word in words] + [policies[each] for each in sorted(policies)]
    return Written((*heads, *objects), tuple(losses))


def bundle(objects: Iterable[dict[str, Any]]) -> bytes:
    """A bundle's bytes: keys sorted, its identifier made of what is in it."""
    listed = list(objects)
    digest = blake2b(orjson.dumps(listed, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
    return orjson.dumps({"type": "bundle", "id": f"bundle--{UUID(bytes=digest, version=4)}", "objects": listed}, option=orjson.OPT_SORT_KEYS)


def lower(band: Band) -> int:
    """What stands where STIX wants a number: the band's lower edge."""
    return band[0]


def kind_of(record: Record) -> Kind | None:
    """The kind that a record is written as; None where its identifier has another type."""
    kind = BY_TYPE.get(record.id.partition("--")[0])
    if kind is None or not isinstance(record, kind.record):
        return None
    return kind if all(getattr(record, name) == value for name, value in kind.says.items()) else None


def _object(record: Record, losses: list[Loss]) -> dict[str, Any] | None:
    kind = kind_of(record)
    if kind is None:
        losses.append(Loss(record.id, "id", record.id, f"no identifier for a {type(record).__name__.lower()}"))
        return None
    made: dict[str, Any] = {"type": kind.type, "spec_version": "2.1", "id": record.id, **kind.fixed}
    for pair in (*(COMMON if isinstance(record, Shared) else ()), *kind.core):
        value = getattr(record, pair.field)
        written = None if value is None else pair.codec.write(value)
        if written is not None:
            made[pair.property] = written
    if record.tlp is not None and record.tlp not in markings.TLP_IDS:
        losses.append(Loss(record.id, "tlp", record.tlp, f"no word of TLP 2.0: {', '.join(TLP)}"))
        return None
    marks = [] if record.tlp is None else [markings.TLP_IDS[record.tlp]]
    if isinstance(record, Shared):
        _shared(kind, record, made, losses)
        marks += [] if record.iep is None else [f"marking-definition--{record.iep.id}"]
    if marks:
        made["object_marking_refs"] = marks
    return made


def _shared(kind: Kind, record: Shared, made: dict[str, Any], losses: list[Loss]) -> None:
    """What records have and observables have not."""
    if made.get("created_by_ref") == record.id:
        # An identity speaks for itself; written out, readers that follow references (OpenCTI's splitter) never come back.
        del made["created_by_ref"]
    if isinstance(record, Observed):
        made["number_observed"] = lower(record.band)
    _told(kind, record, made, losses)


def _told(kind: Kind, record: Shared, made: dict[str, Any], losses: list[Loss]) -> None:
    """What STIX has no property for: in our extension, and as labels."""
    said: dict[str, Any] = dict(kind.facts)
    carried = []
    for pair in (*kind.beside, *(each for each in EVERYWHERE if not (each.field == "expires" and isinstance(record, Indicator)))):
        value = getattr(record, pair.field)
        if value is not None:
            said[pair.property] = pair.codec.write(value)
            if not pair.label:
                carried.append(pair.property)
    labels = [label for label in record.labels if not label.startswith(PREFIX)]
    losses += [Loss(record.id, "labels", label, "this beginning is kept for facts") for label in record.labels if label.startswith(PREFIX)]
    labels += [fact(name, value) for name, value in said.items() if name not in carried]
    if carried:
        labels.append(fact("carries", ",".join(carried)))
    if labels:
        made["labels"] = labels
    if said:
        made["extensions"] = {markings.EXTENSION: {"extension_type": "property-extension", "version": markings.VERSION, **said}}


TYPES = tuple(kind.type for kind in KINDS)
"STIX types of records that carry markings."
