"""Whether an object is good STIX 2.1, by the letter and by what the standard recommends: functions made once from a table, and no schema read at run time.

The verdicts are those of OASIS's stix2-validator in strict mode, for the types that the exchange uses (tests/test_stix_checks.py compares them object by object).
An object of any other type is refused here. So are a few things that the validator lets pass: see docs/exchange/stix.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from stillwatch.exchange.stix import vocabulary
from stillwatch.exchange.stix.moments import TIME, parsed
from stillwatch.exchange.stix.nested import IDENTIFIER, extensions, external, granular, hidden
from stillwatch.exchange.stix.patterns import fault

Problem = tuple[str, str]
"Where (a property), and what is wrong."

Check = Callable[[Any], str | None]
"What is wrong with a value; None when nothing is."

MOST = 999_999_999
MISSING = "is missing"


def problems(made: Any) -> list[Problem]:
    """What is wrong with a STIX object; empty when it is good. The order follows the object's properties; what is missing comes last.

    >>> problems({"type": "campaign"})[0]
    ('id', 'is missing')
    """
    if not isinstance(made, dict):
        return [("", "no object")]
    kind = made.get("type")
    if not isinstance(kind, str) or kind not in TABLE:
        return [("type", "a type that is not checked here")]
    properties, needed, rules = TABLE[kind]
    free = _free(made)
    found: list[Problem] = []
    for name, value in made.items():
        check = properties.get(name)
        if check is not None:
            wrong = check(value)
            if wrong:
                found.append((name, wrong))
        elif not free or not _customary(name, value):
            found.append((name, "no property of this type"))
    found += [(name, MISSING) for name in needed if name not in made]
    if found:
        return found
    for rule in rules:
        found += rule(made)
    return found


def _free(made: Mapping[str, Any]) -> bool:
    """Whether an extension allows properties of its own."""
    given = made.get("extensions")
    kinds = [each.get("extension_type") for each in given.values() if isinstance(each, dict)] if isinstance(given, dict) else []
    return "toplevel-property-extension" in kinds


RESERVED = frozenset({"severity", "action", "username", "phone_numbers"})


def _customary(name: str, value: Any) -> bool:
    return name not in RESERVED and not hidden({name: value})


def text(value: Any) -> str | None:
    """A string."""
    return None if isinstance(value, str) else "no text"


def truth(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "neither true nor false"


def whole(least: int | None = None, most: int | None = None) -> Check:
    """A whole number within limits."""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
            return "no whole number"
        return None if (least is None or value >= least) and (most is None or value <= most) else "out of range"

    return check


def listed(each: Check, least: int = 1) -> Check:
    """A list of such values."""

    def check(value: Any) -> str | None:
        if not isinstance(value, list) or len(value) < least:
            return "no list, or an empty one"
        return next((wrong for item in value if (wrong := each(item))), None)

    return check


def matching(pattern: str, what: str) -> Check:
    """A string of a pattern."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and compiled.search(value) else what

    return check


def among(words: frozenset[str]) -> Check:
    """A word of a vocabulary."""

    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and value in words else "not in the vocabulary"

    return check


def moment(value: Any) -> str | None:
    """A time that exists."""
    return None if isinstance(value, str) and parsed(value) is not None else "no time"


def version(value: Any) -> str | None:
    """Created or modified: to the millisecond at least."""
    return moment(value) or (None if re.search(r"\.\d{3,}Z$", value) else "less than three digits of a second")


def identifier(value: Any) -> str | None:
    """A STIX identifier."""
    return None if isinstance(value, str) and IDENTIFIER.fullmatch(value) else "no identifier"


def pointing(*kinds: str) -> Check:
    """The identifier of one of some types."""

    def check(value: Any) -> str | None:
        return identifier(value) or (None if value.startswith(tuple(f"{kind}--" for kind in kinds)) else f"does not name a {' or a '.join(kinds)}")

    return check


def pointing_elsewhere(*kinds: str) -> Check:
    """The identifier of none of some types."""

    def check(value: Any) -> str | None:
        return identifier(value) or (f"names a {value.partition('--')[0]}" if value.startswith(tuple(f"{kind}--" for kind in kinds)) else None)

    return check


def own(kind: str, digits: int) -> Check:
    """The object's own identifier: of its type, with a UUID of a version."""

    def check(value: Any) -> str | None:
        wrong = pointing(kind)(value)
        return wrong or (None if UUID(value[len(kind) + 2 :]).version == digits else f"no UUID of version {digits}")

    return check


def _observed(value: Any) -> str | None:
    """What observed data may point to."""
    wrong = identifier(value)
    return wrong or (f"names a {value.partition('--')[0]}" if value.startswith(vocabulary.DOMAIN) else None)


def _phase(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "no phase"
    for name in ("kill_chain_name", "phase_name"):
        given = value.get(name)
        if not isinstance(given, str) or not given.islower() or "_" in given or " " in given:
            return f"{name} is no word in small letters"
    return None


def _later(first: str, second: str, equal: bool) -> Callable[[Mapping[str, Any]], Iterator[Problem]]:
    """That one time is not before another."""

    def rule(made: Mapping[str, Any]) -> Iterator[Problem]:
        if first in made and second in made:
            one, other = _comparable(made[first]), _comparable(made[second])
            if one is None or other is None:
                one, other = made[first], made[second]
            if not (one > other or (equal and one == other)):
                yield first, f"is before {second}"

    return rule


def _comparable(value: str) -> Any:
    """A time as a number; None with more than six digits of a second, where the texts are compared."""
    found = TIME.fullmatch(value)
    return parsed(value) if found and len(found[7] or "") <= 6 else None


def _pattern(made: Mapping[str, Any]) -> Iterator[Problem]:
    wrong = fault(made["pattern"]) if made["pattern_type"] == "stix" else None
    if wrong:
        yield "pattern", wrong


def _related(made: Mapping[str, Any]) -> Iterator[Problem]:
    kind, source, target = made["relationship_type"], *(made[name].rpartition("--")[0] for name in ("source_ref", "target_ref"))
    if kind in vocabulary.RELATED_ANYHOW or source in vocabulary.OF_OTHERS or target in vocabulary.OF_OTHERS:
        return
    if target not in vocabulary.RELATED.get((source, kind), ()):
        yield "relationship_type", f"STIX suggests no {source} {kind} {target}"


def _defined(made: Mapping[str, Any]) -> Iterator[Problem]:
    """An extension's properties, which only extensions of the top level have and must have."""
    if ("toplevel-property-extension" in made["extension_types"]) != ("extension_properties" in made):
        yield "extension_properties", "goes with toplevel-property-extension"


TLP_1 = {
    "613f2e26-407d-48c7-9eca-b8e91df99dc9": "white", "34098fce-860f-48ae-8e50-ebd3cc5e41da": "green", "f88d31f6-486f-44da-b317-01333bde0b82": "amber",
    "5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
}  # fmt: skip
"Markings of TLP 1, which may be no others."


def _marking(made: Mapping[str, Any]) -> Iterator[Problem]:
    kind, content = made.get("definition_type"), made.get("definition")
    if kind == "tlp":
        word = TLP_1.get(made["id"].partition("--")[2])
        fixed = {
            "type": "marking-definition", "spec_version": "2.1", "id": made["id"], "created": "2017-01-20T00:00:00.000Z", "name": f"TLP:{str(word).upper()}",
            "definition_type": "tlp",
        }  # fmt: skip
        # The schema wants no definition's word, but refuses a wrong one.
        if word is None or {name: value for name, value in made.items() if name != "definition"} != fixed or not isinstance(content, dict):
            yield "definition_type", "differs from STIX's own marking of TLP 1"
        elif content.get("tlp", word) != word:
            yield "definition", "differs from STIX's own marking of TLP 1"
    elif kind == "statement":
        if not isinstance(content, dict) or not isinstance(content.get("statement"), str):
            yield "definition", "no statement"
    elif kind is not None:
        yield "definition_type", "neither statement nor tlp"
    elif "extensions" not in made:
        yield "definition_type", MISSING
    if made["id"] in made.get("object_marking_refs", ()) or any(each["marking_ref"] == made["id"] for each in made.get("granular_markings", ())):
        yield "object_marking_refs", "points to itself"


def _selected(made: Mapping[str, Any]) -> Iterator[Problem]:
    """That what a granular marking names is there."""
    for marking in made.get("granular_markings", ()):
        for selector in marking["selectors"]:
            at: Any = made
            for step in selector.split("."):
                try:
                    at = at[int(step[1:-1])] if step.startswith("[") else at[step]
                except (KeyError, IndexError, TypeError):
                    yield "granular_markings", f"names what is not there: {selector}"
                    break


TEXTS = listed(text)
IDENTIFIERS = listed(identifier)
Table = tuple[dict[str, Check], tuple[str, ...], tuple[Callable[[Mapping[str, Any]], Iterator[Problem]], ...]]
Rule = Callable[[Mapping[str, Any]], Iterator[Problem]]

CORE: dict[str, Check] = {
    "spec_version": among(frozenset({"2.0", "2.1"})), "created_by_ref": identifier, "created": version, "modified": version, "revoked": truth, "labels": TEXTS,
    "confidence": whole(0, 100), "lang": matching(r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$", "no language"), "external_references": listed(external),
    "object_marking_refs": IDENTIFIERS, "granular_markings": listed(granular), "extensions": extensions,
}  # fmt: skip
CHANGES = _later("modified", "created", True)
SEEN_CHECKS: dict[str, Check] = {"first_seen": moment, "last_seen": moment}
SEEN_RULE = _later("last_seen", "first_seen", True)
PHASES = {"kill_chain_phases": listed(_phase)}


def _word(name: str) -> Check:
    return among(vocabulary.VOCABULARY[name])


def _core(kind: str, properties: dict[str, Check], needed: str, *rules: Rule) -> Table:
    """A domain or relationship object."""
    fixed: dict[str, Check] = {"type": text, "id": own(kind, 4)}
    return {**fixed, **CORE, **properties}, ("id", "spec_version", "created", "modified", *needed.split()), (CHANGES, _selected, *rules)


def _observable(kind: str, properties: dict[str, Check], needed: str) -> Table:
    """A cyber observable."""
    core = {name: CORE[name] for name in ("spec_version", "object_marking_refs", "granular_markings", "extensions")}
    return {"type": text, "id": own(kind, 5), **core, "defanged": truth, **properties}, ("id", *needed.split()), (_selected,)


NAMED: dict[str, Check] = {"name": text, "description": text}
MOTIVE = _word("intrusion-set.primary_motivation")
OUTSIDE = pointing_elsewhere("relationship", "sighting", "bundle", "marking-definition", "language-content")
ADDRESS = {"resolves_to_refs": TEXTS, "belongs_to_refs": TEXTS}
BYTE = r"([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"


def address(value: Any) -> str | None:
    """An address of IPv6 or a range of them, in the forms without an IPv4 part."""
    found = re.fullmatch(r"([0-9A-Fa-f:]+)(/(12[0-8]|1[0-1][0-9]|[1-9][0-9]|[0-9]))?", value) if isinstance(value, str) else None
    if not found:
        return "no IPv6 address"
    left, gap, right = found[1].partition("::")
    parts = [part for side in (left, right) if side for part in side.split(":")]
    good = all(re.fullmatch(r"[0-9A-Fa-f]{1,4}", part) for part in parts)
    return None if good and (len(parts) <= 7 if gap else len(parts) == 8) else "no IPv6 address"


def sha256(value: Any) -> str | None:
    """Hashes of which SHA-256 is the only one."""
    good = isinstance(value, dict) and set(value) == {"SHA-256"} and isinstance(value["SHA-256"], str) and re.fullmatch(r"[a-f0-9]{64}", value["SHA-256"])
    return None if good else "no hash by SHA-256 alone"


TABLE: dict[str, Table] = {
    "attack-pattern": _core("attack-pattern", NAMED | PHASES | {"aliases": TEXTS}, "name"),
    "campaign": _core("campaign", NAMED | SEEN_CHECKS | {"aliases": TEXTS, "objective": text}, "name", SEEN_RULE),
    "course-of-action": _core("course-of-action", NAMED, "name"),
    "grouping": _core("grouping", NAMED | {"context": _word("grouping.context"), "object_refs": IDENTIFIERS}, "context object_refs"),
    "identity": _core(
        "identity",
        NAMED | {"roles": TEXTS, "identity_class": _word("identity.identity_class"), "sectors": listed(_word("identity.sectors")), "contact_information": text},
        "name",
    ),
    "indicator": _core(
        "indicator",
        NAMED | PHASES
        | {"indicator_types": listed(_word("indicator.indicator_types")), "pattern": text, "pattern_type": _word("indicator.pattern_type"),
           "pattern_version": text, "valid_from": moment, "valid_until": moment},
        "name description pattern pattern_type valid_from", _later("valid_until", "valid_from", False), _pattern,
    ),
    "infrastructure": _core(
        "infrastructure",
        NAMED | PHASES | SEEN_CHECKS | {"aliases": TEXTS, "infrastructure_types": listed(_word("infrastructure.infrastructure_types"))}, "name", SEEN_RULE,
    ),
    "intrusion-set": _core(
        "intrusion-set",
        NAMED | SEEN_CHECKS
        | {"aliases": TEXTS, "goals": TEXTS, "resource_level": _word("intrusion-set.resource_level"), "primary_motivation": MOTIVE,
           "secondary_motivations": listed(MOTIVE)},
        "name", SEEN_RULE,
    ),
    "note": _core("note", {"abstract": text, "content": text, "authors": TEXTS, "object_refs": IDENTIFIERS}, "content object_refs"),
    "observed-data": _core(
        "observed-data", {"first_observed": moment, "last_observed": moment, "number_observed": whole(1, MOST), "object_refs": listed(_observed)},
        "first_observed last_observed number_observed object_refs", _later("last_observed", "first_observed", True),
    ),
    "opinion": _core(
        "opinion", {"explanation": text, "authors": TEXTS, "object_refs": IDENTIFIERS, "opinion": _word("opinion.opinion")}, "object_refs opinion"
    ),
    "relationship": _core(
        "relationship",
        {"relationship_type": matching(r"^[a-z0-9\-]+$", "no kind of relationship"), "description": text, "source_ref": OUTSIDE, "target_ref": OUTSIDE,
         "start_time": moment, "stop_time": moment},
        "relationship_type source_ref target_ref", _later("stop_time", "start_time", False), _related,
    ),
    "sighting": _core(
        "sighting",
        SEEN_CHECKS
        | {"description": text, "count": whole(0, MOST), "sighting_of_ref": OUTSIDE, "observed_data_refs": listed(pointing("observed-data")),
           "where_sighted_refs": listed(pointing("identity", "location")), "summary": truth},
        "sighting_of_ref", SEEN_RULE,
    ),
    "extension-definition": _core(
        "extension-definition",
        NAMED | {"schema": text, "version": text, "extension_types": listed(among(vocabulary.EXTENSIONS)), "extension_properties": TEXTS},
        "name description schema version extension_types", _defined,
    ),
    "marking-definition": (
        {"type": text, "id": own("marking-definition", 4), "spec_version": CORE["spec_version"], "name": text, "created_by_ref": identifier, "created": moment,
         "lang": CORE["lang"], "external_references": CORE["external_references"], "object_marking_refs": listed(pointing("marking-definition")),
         "granular_markings": CORE["granular_markings"], "extensions": extensions, "definition_type": text,
         "definition": lambda value: None if isinstance(value, dict) else "no object", **dict.fromkeys(RESERVED, lambda value: None)},
        ("id", "spec_version", "created"), (_marking, _selected),
    ),
    "ipv4-addr": _observable(
        "ipv4-addr", ADDRESS | {"value": matching(rf"^({BYTE}\.){{3}}{BYTE}(\/(3[0-2]|[1-2][0-9]|[0-9]))?$", "no IPv4 address")}, "value"
    ),
    "ipv6-addr": _observable("ipv6-addr", ADDRESS | {"value": address}, "value"),
    # Of artifacts those that carry an envelope: bytes of JSON, with their digest.
    "artifact": _observable(
        "artifact",
        {"mime_type": among(frozenset(("application/json",))), "payload_bin": matching(r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$", "no base64"), "hashes": sha256},
        "mime_type payload_bin",
    ),
    "autonomous-system": _observable("autonomous-system", {"number": whole(), "name": text, "rir": text}, "number"),
}  # fmt: skip
"Type -> its properties' checks, what it must have, and rules over several properties."
