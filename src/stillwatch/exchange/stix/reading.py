"""STIX 2.1 -> records, with a loss for whatever has no place in them.

What a fact says stands twice, in the extension and as a label. A product on the way may drop the extension: the labels are read then. Where the two differ,
the object is refused, for somebody changed one of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from stillwatch.errors import UserError
from stillwatch.exchange.stix import markings
from stillwatch.exchange.stix.checks import problems
from stillwatch.exchange.stix.kinds import ATLAS, BY_TYPE, COMMON, EVERYWHERE, PREFIX, Kind, Pair, fact, stated
from stillwatch.exchange.stix.moments import finer
from stillwatch.exchange.stix.words import Iep, Loss, Record, Shared

SHOWN = 200
"Characters of a value that a loss shows."

HANDLED = frozenset({"type", "spec_version", "id", "object_marking_refs", "labels", "extensions"})
"Properties that are read by themselves."

NO_RECORD = frozenset({"marking-definition", "extension-definition"})
"Types that say something of other objects only."

NOT_KNOWN = "Stillwatch has no field for it"


@dataclass(frozen=True, slots=True)
class Heard:
    """What was read, and what could not be."""

    records: tuple[Record, ...]
    "In the order of the bundle."
    losses: tuple[Loss, ...]
    "What was left out, and why."


def read(content: bytes, where: str = "bundle") -> Heard:
    """Records of a STIX bundle. Raises: UserError when it is none; an object that cannot be read is a loss."""
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UserError(f"not JSON: {error}", where, "pass a STIX 2.1 bundle") from error
    if not isinstance(told, dict) or told.get("type") != "bundle" or not isinstance(told.get("objects", []), list):
        raise UserError("no STIX bundle", where, 'pass {"type": "bundle", "id": ..., "objects": [...]}')
    return heard(told.get("objects", []))


def heard(objects: Iterable[Any]) -> Heard:
    """Records of STIX objects."""
    records: list[Record] = []
    losses: list[Loss] = []
    listed = list(objects)
    policies = _policies(listed)
    for number, each in enumerate(listed):
        if not isinstance(each, dict) or not isinstance(each.get("id"), str):
            losses.append(_loss(f"object {number}", "id", each, "no STIX object"))
            continue
        wrong = problems(each)
        losses += [Loss(each["id"], where, shown(each.get(where.partition(".")[0])), why) for where, why in wrong]
        if wrong:
            continue
        if each["id"] == markings.OURSELVES:
            continue
        if each["type"] in NO_RECORD:
            losses += _marking(each, policies)
            continue
        if each["type"] not in BY_TYPE:
            losses.append(_loss(each["id"], "", each["type"], "bytes that are no record: an envelope is taken as it is"))
            continue
        record = _record(BY_TYPE[each["type"]], each, policies, losses)
        if record is not None:
            records.append(record)
    return Heard(tuple(records), tuple(losses))


def shown(value: Any) -> str:
    """A value as JSON, cut."""
    return orjson.dumps(value, default=str).decode()[:SHOWN]


def _loss(object_: str, where: str, value: Any, why: str) -> Loss:
    return Loss(object_, where, shown(value), why)


def _policies(objects: list[Any]) -> dict[str, Iep]:
    """Policies of IEP by their marking's id."""
    found = {}
    for each in objects:
        if isinstance(each, dict) and each.get("type") == "marking-definition" and isinstance(each.get("id"), str):
            policy = markings.iep_of(each)
            if policy is not None and each["id"] == f"marking-definition--{policy.id}":
                found[each["id"]] = policy
    return found


def _marking(made: dict[str, Any], policies: Mapping[str, Iep]) -> list[Loss]:
    """A marking or definition that is not known here."""
    known = made["id"] in policies or made["id"] in markings.TLP_BY_ID or made["id"] == markings.EXTENSION
    if known and made["id"] in markings.TLP_BY_ID and made != markings.tlp(markings.TLP_BY_ID[made["id"]]):
        return [_loss(made["id"], "extensions", made, "differs from OASIS's definition of it, which is taken")]
    return [] if known else [_loss(made["id"], "type", made["type"], "a marking or extension that is not known here")]


def _record(kind: Kind, made: dict[str, Any], policies: Mapping[str, Iep], losses: list[Loss]) -> Record | None:
    shared = issubclass(kind.record, Shared)
    pairs = (*(COMMON if shared else ()), *kind.core)
    given: dict[str, Any] = {"id": made["id"], **kind.says}
    for pair in pairs:
        if pair.property in made:
            given[pair.field] = _value(pair, made, losses)
    known = {*HANDLED, *kind.fixed, *(pair.property for pair in pairs)} | ({"number_observed"} if kind.type == "observed-data" else set())
    losses += [
        _loss(made["id"], name, made[name], NOT_KNOWN) for name in made if name not in known and (name not in kind.anyhow or made[name] != kind.anyhow[name])
    ]
    losses += [_loss(made["id"], name, made[name], f"is taken as {value}") for name, value in kind.fixed.items() if made.get(name, value) != value]
    if shared:
        given.setdefault("source", made["id"] if kind.type == "identity" else None)
        labels, told = _facts(kind, made, losses)
        if told is None:
            return None
        given |= {"labels": labels, **told, **_marks(made, policies, losses)}
    else:
        marks = _marks(made, policies, losses)
        given["tlp"] = marks["tlp"]
        losses += [_loss(made["id"], "object_marking_refs", marks["iep"].id, NOT_KNOWN)] if marks["iep"] else []
        losses += [_loss(made["id"], "extensions", made["extensions"], NOT_KNOWN)] if "extensions" in made else []
    if kind.type == "observed-data":
        # From a sender without bands: a count is a band of one.
        given.setdefault("band", (made["number_observed"], made["number_observed"] + 1))
    needed = {each.name for each in dataclasses.fields(kind.record) if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING}
    lacks = sorted(needed - {name for name, value in given.items() if value is not None or name == "source"})
    if lacks:
        losses.append(_loss(made["id"], lacks[0], None, f"a {kind.record.__name__.lower()} needs it"))
        return None
    record: Record = kind.record(**{name: value for name, value in given.items() if value is not None or name == "source"})
    return record


def _value(pair: Pair, made: dict[str, Any], losses: list[Loss]) -> Any:
    """A property's value; what it says beyond that is a loss."""
    raw = made[pair.property]
    value = pair.codec.read(raw)
    if value is None:
        losses.append(_loss(made["id"], pair.property, raw, NOT_KNOWN))
    elif isinstance(raw, str) and finer(raw):
        losses.append(_loss(made["id"], pair.property, raw, "finer than a microsecond"))
    elif pair.property == "external_references" and raw != [{"source_name": ATLAS, "external_id": value}]:
        losses.append(_loss(made["id"], pair.property, raw, "only the reference to ATLAS is kept"))
    return value


def _facts(kind: Kind, made: dict[str, Any], losses: list[Loss]) -> tuple[tuple[str, ...], dict[str, Any] | None]:
    """The sender's own labels, and the facts of extension and labels; None where they differ."""
    pairs = {pair.property: pair for pair in (*kind.beside, *(each for each in EVERYWHERE if each.field not in {pair.field for pair in kind.core}))}
    own, said = [], {}
    for label in made.get("labels", []):
        name = label.removeprefix(PREFIX).partition("=")[0]
        if label.startswith(PREFIX) and (name in pairs or name in kind.facts or name == "carries"):
            said[name] = label
        else:
            own.append(label)
    extensions = dict(made.get("extensions", {}))
    ours = extensions.pop(markings.EXTENSION, None)
    losses += [_loss(made["id"], f"extensions.{name}", value, "an extension that is not known here") for name, value in extensions.items()]
    found: dict[str, Any] = {}
    for name, value in (ours or {}).items():
        if name in ("extension_type", "version"):
            continue
        if name not in pairs and name not in kind.facts:
            losses.append(_loss(made["id"], f"extensions.stillwatch.{name}", value, NOT_KNOWN))
        elif name in said and said[name] != fact(name, value):
            losses.append(_loss(made["id"], name, [said[name], value], "label and extension differ; the object is refused"))
            return (), None
        else:
            found[name] = value
    alone = sorted(set(said) - {"carries"} - set(ours)) if ours is not None else []
    if alone:
        losses.append(_loss(made["id"], alone[0], said[alone[0]], "a label says what the extension does not; the object is refused"))
        return (), None
    if ours is None:
        found |= _from_labels(kind, pairs, said, made["id"], losses)
    if any(found.get(name, value) != value for name, value in kind.facts.items()):
        losses.append(_loss(made["id"], next(iter(kind.facts)), found, "claims to bind; the object is refused"))
        return (), None
    told = {pairs[name].field: pairs[name].codec.read(value) for name, value in found.items() if name in pairs}
    losses += [_loss(made["id"], name, value, NOT_KNOWN) for name, value in found.items() if name in pairs and told[pairs[name].field] is None]
    return tuple(own), told


def _from_labels(kind: Kind, pairs: Mapping[str, Pair], said: Mapping[str, str], id_: str, losses: list[Loss]) -> dict[str, Any]:
    """Facts where the extension was dropped on the way."""
    found = {}
    for name, label in said.items():
        if name == "carries":
            for each in label.partition("=")[2].split(","):
                losses.append(_loss(id_, each, None, "was dropped on the way with the extension"))
        elif name in kind.facts:
            found[name] = next((value for value in (False, True) if fact(name, value) == label), label)
        else:
            pair = stated(label, pairs[name].codec)
            if pair is None:
                losses.append(_loss(id_, name, label, "a label that states no such value"))
            else:
                found[name] = pair[1]
    return found


def _marks(made: dict[str, Any], policies: Mapping[str, Iep], losses: list[Loss]) -> dict[str, Any]:
    """TLP and IEP. Of several words of TLP the strictest holds."""
    words, found = [], None
    for mark in made.get("object_marking_refs", []):
        if mark in markings.TLP_BY_ID:
            words.append(markings.TLP_BY_ID[mark])
        elif mark in policies and found is None:
            found = policies[mark]
        else:
            losses.append(_loss(made["id"], "object_marking_refs", mark, "a marking that is not known here, or a second policy"))
    order = list(markings.TLP_IDS)
    if len(set(words)) > 1:
        losses.append(_loss(made["id"], "object_marking_refs", words, "several words of TLP; the strictest holds"))
    return {"tlp": max(words, key=order.index) if words else None, "iep": found}
