"""The gate: every record that is to leave passes here, whoever made it. What is not allowed is refused with the reason; nothing is mended in silence.

The allow-list names each field of each record. A field that is added to a record tomorrow stays here until somebody adds it to the list.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from ipaddress import ip_network
from typing import Any

from stillwatch.exchange.barrier.coarse import STEPS, floor, is_band
from stillwatch.exchange.barrier.forms import fits, unread
from stillwatch.exchange.barrier.phrases import is_own
from stillwatch.exchange.barrier.policy import NARROWEST, Policy
from stillwatch.exchange.stix import words
from stillwatch.exchange.stix.moments import DAY
from stillwatch.exchange.stix.words import Loss, Record, Shared
from stillwatch.sketch.lexicon import CAPABILITIES

NAMES: dict[type, str] = {
    words.Case: "case", words.Technique: "technique", words.Infrastructure: "infrastructure", words.Indicator: "indicator", words.Observed: "observed",
    words.Sighting: "sighting", words.Advice: "advice", words.Opinion: "opinion", words.Grouping: "grouping", words.Note: "note", words.Link: "link",
}  # fmt: skip
"Record -> its name in a policy."

ALWAYS: dict[type, str] = {words.Member: "member", words.Network: "network", words.System: "system"}
"Records that leave only with one that points to them."

SHARED = frozenset({"id", "created", "modified", "source", "tlp", "iep", "confidence", "labels", "expires", "purpose", "revoked"})
"What every record carries."

ALLOWED: dict[str, frozenset[str]] = {
    "member": frozenset({"name"}), "network": frozenset({"value", "tlp"}), "system": frozenset({"number", "tlp"}),
    "case": frozenset({"name", "description", "first_seen", "last_seen", "objective", "attributed", "grade", "log10_e_at_least", "accounts"}),
    "technique": frozenset({"name", "atlas", "description"}),
    "infrastructure": frozenset({"name", "kinds", "description", "first_seen", "last_seen"}),
    "indicator": frozenset({"name", "description", "pattern", "language", "valid_from", "kinds", "pack_sha256"}),
    "observed": frozenset({"first", "last", "band", "objects"}),
    "sighting": frozenset({"of", "observed", "where", "first_seen", "last_seen", "band", "description"}),
    "advice": frozenset({"name", "description", "playbook"}), "opinion": frozenset({"about", "opinion", "explanation"}),
    "grouping": frozenset({"objects", "context", "name", "description"}),
    "note": frozenset({"about", "content", "abstract", "sha256", "log_origin", "log_index", "timestamp_token"}),
    "link": frozenset({"origin", "kind", "target", "description"}),
}  # fmt: skip
"The allow-list: kind -> fields."

FREE = frozenset({"name", "description", "objective", "explanation", "content", "abstract", "labels", "log_origin"})
"Fields of words: the program's own sentences, or what a person has reviewed."

BANDS = frozenset({"accounts", "band"})
TIMES = frozenset({"first_seen", "last_seen", "first", "last", "valid_from"})

REFUSED = re.compile(r"pric|revenue|billing|margin|customer|client_?name|volume|capacity|roadmap|forecast|market_?share|headcount", re.IGNORECASE)
"What a field's name may not look like, in whatever nested place."

MANUAL = frozenset({"manual"})
"Commands of a playbook that may leave: for a person to read. Nothing that runs."


@dataclass(frozen=True, slots=True)
class Passed:
    """What may leave, and what was refused."""

    records: tuple[Record, ...]
    "Marked, with purpose and expiry; never more than what was given."
    refused: tuple[Loss, ...]
    "What stays here, and why: the loss report."


def closed(policy: Policy, at: int, recipient: str | None = None) -> str | None:
    """Why nothing at all may leave at a moment; None when something may. `recipient`: of whom it is asked; None: of anybody."""
    if policy.stopped:
        return "the kill switch is on"
    if not policy.recipients:
        return "the policy names no recipient, and nobody is meant by that"
    if recipient is not None and recipient not in policy.recipients:
        return "the policy does not name this recipient"
    if policy.assessment is None:
        return "no test of GDPR Art. 6(1)(f) is recorded"
    if not policy.assessment.start <= at < policy.assessment.until:
        return "the recorded test of GDPR Art. 6(1)(f) does not hold at this time"
    return None


def passed(records: Iterable[Record], policy: Policy, source: str, at: int) -> Passed:
    """What of some records may leave at a moment. `source`: the identity that the policy lets speak.

    A record whose source is somebody else, which names nobody or anybody, whose group is below k or whose times are too fine stays here.
    """
    given = list(records)
    shut = closed(policy, at)
    if shut:
        return Passed((), tuple(Loss(each.id, "", "", shut) for each in given))
    refused: list[Loss] = []
    good: list[Record] = []
    for record in given:
        wrong = list(_wrong(record, policy, source, at))
        refused += wrong
        if not wrong:
            good.append(_marked(record, policy, at))
    return Passed(tuple(_whole(good, refused)), tuple(refused))


def _marked(record: Record, policy: Policy, at: int) -> Record:
    """A record with the policy's marking, purpose and expiry, whatever it carried."""
    name = NAMES.get(type(record))
    if not isinstance(record, Shared):
        return replace(record, tlp=policy.tlp)
    ends = None if name is None else floor(at, "day") + policy.expires[name] * DAY
    return replace(record, tlp=policy.tlp, iep=policy.iep, purpose=None if name is None else policy.purpose, expires=ends)


def _wrong(record: Record, policy: Policy, source: str, at: int) -> Iterator[Loss]:
    """Every reason for which a record stays."""
    name = NAMES.get(type(record)) or ALWAYS.get(type(record))
    if name is None or (type(record) in NAMES and name not in policy.records):
        yield Loss(record.id, "", "", "the policy does not allow records of this kind")
        return
    if isinstance(record, Shared):
        if record.source != source:
            yield Loss(record.id, "source", str(record.source), "the policy lets another name speak")
        if record.modified > at:
            yield Loss(record.id, "modified", str(record.modified), "lies in the future")
    allowed = ALLOWED[name] | (SHARED if isinstance(record, Shared) else {"id"})
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value is None or value == ():
            continue
        if field.name not in allowed:
            yield Loss(record.id, field.name, "", "not on the allow-list")
        else:
            yield from _field(record, field.name, value, policy)


def _field(record: Record, name: str, value: Any, policy: Policy) -> Iterator[Loss]:
    if name in FREE:
        for text in value if isinstance(value, tuple) else (value,):
            if not (is_own(text) or (name == "objective" and text in CAPABILITIES) or digest(text) in policy.reviewed or _own_name(record, text, policy)):
                yield Loss(record.id, name, digest(text), "free text that nobody has reviewed (its SHA-256 is shown; a policy's reviewed lists it)")
            elif is_own(text) and "/" in text:
                yield from _range(record.id, text.rpartition(" ")[2])
    elif name == "pattern":
        yield from _pattern(record, value, policy)
    elif name in BANDS:
        if not is_band(value, policy.minimum):
            yield Loss(record.id, name, "", f"no band from {policy.minimum} on")
    elif name in TIMES:
        if value % STEPS[policy.times]:
            yield Loss(record.id, name, "", f"finer than a {policy.times}")
    elif name == "playbook":
        yield from (Loss(record.id, f"playbook.{where}", "", why) for where, why in _played(value, policy))
    elif name == "value":
        yield from _range(record.id, value)
    elif not all(fits(name, each) for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, str)):
        yield Loss(record.id, name, "", "free text by another name: not a word or shape that this field may have")


def _own_name(record: Record, text: str, policy: Policy) -> bool:
    return isinstance(record, words.Member) and policy.named_as is not None and text == policy.named_as


def digest(text: str) -> str:
    """What a policy's `reviewed` lists of a text: its SHA-256."""
    return sha256(text.encode()).hexdigest()


WIDEST = {"ipv4": 16, "ipv6": 32}
"Shortest prefix that may leave: about what one operator holds."

_RANGES = re.compile(r"\[(?:ipv4-addr|ipv6-addr):value ISSUBSET '([0-9a-f.:/]+)'\]\Z")


def _pattern(record: Record, value: str, policy: Policy) -> Iterator[Loss]:
    """A pattern is a range that is wide enough, or it is free text: rules may quote a customer."""
    found = _RANGES.match(value)
    if found:
        yield from _range(record.id, found[1])
    elif digest(value) not in policy.reviewed:
        yield Loss(record.id, "pattern", digest(value), "a rule that nobody has reviewed (its SHA-256 is shown; a policy's reviewed lists it)")


def _range(id_: str, value: str) -> Iterator[Loss]:
    """A range of addresses wide enough to be nobody."""
    try:
        told = ip_network(value)
    except ValueError:
        yield Loss(id_, "value", "", "no range of addresses")
        return
    longest = NARROWEST[f"ipv{told.version}"]
    if told.prefixlen > longest:
        yield Loss(id_, "value", "", f"narrower than /{longest}: it may be one customer's")
    widest = WIDEST[f"ipv{told.version}"]
    if told.prefixlen < widest:
        yield Loss(id_, "value", "", f"wider than /{widest}: it names everybody, which is a block of all by another name")


def _played(value: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    """What of a playbook may not leave: names that look like business, commands that run, and words that are neither CACAO's nor reviewed."""
    yield from ((where, "looks like a price, revenue, customer, volume, capacity or roadmap") for where in refused_names(value))
    yield from ((where, "a command that runs by itself") for where in _running(value))
    yield from unread(value, lambda text: digest(text) in policy.reviewed)


def _running(value: Any, where: str = "") -> Iterator[str]:
    """Places of commands that are not for a person to read."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "commands" and not (isinstance(inner, list) and all(isinstance(each, Mapping) and each.get("type") in MANUAL for each in inner)):
                yield f"{where}{name}"
            yield from _running(inner, f"{where}{name}.")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _running(inner, f"{where}{number}.")


def refused_names(content: Any, where: str = "") -> Iterator[str]:
    """Places in a JSON value whose name looks like what is never told: the last look at what is about to leave, and the first at what comes in.

    >>> list(refused_names({"a": [{"list_price": 1}], "labels": ["x:revenue=3"]}))
    ['a.0.list_price', 'labels.0']
    """
    if isinstance(content, Mapping):
        for name, inner in content.items():
            if REFUSED.search(name):
                yield f"{where}{name}"
            yield from refused_names(inner, f"{where}{name}.")
    elif isinstance(content, list):
        for number, inner in enumerate(content):
            if isinstance(inner, str) and "=" in inner and REFUSED.search(inner.partition("=")[0]):
                yield f"{where}{number}"
            yield from refused_names(inner, f"{where}{number}.")


def _pointed(record: Record) -> tuple[str, ...]:
    """Ids that a record cannot do without."""
    match record:
        case words.Link():
            return (record.origin, record.target)
        case words.Sighting():
            return (record.of, *record.observed, *record.where)
        case words.Observed() | words.Grouping():
            return record.objects
        case words.Note():
            return record.about
        case _:
            return ()


def _smaller(record: Record, stopped: set[str]) -> Record:
    """A grouping without what stays here."""
    if not isinstance(record, words.Grouping):
        return record
    kept = tuple(each for each in record.objects if each not in stopped)
    return replace(record, objects=kept) if kept else record


def _whole(records: list[Record], refused: list[Loss]) -> list[Record]:
    """Records without those that point to one that was refused, and without networks that nothing points to."""
    stopped = {each.object for each in refused}
    records = [_smaller(each, stopped) for each in records]
    while True:
        hanging = {each.id for each in records if stopped & set(_pointed(each))}
        if not hanging:
            break
        refused += [Loss(each, "", "", "points to what stays here") for each in sorted(hanging)]
        records = [each for each in records if each.id not in hanging]
        stopped = hanging
    needed = {id_ for each in records for id_ in _pointed(each)}
    alone = {each.id for each in records if isinstance(each, words.Network | words.System) and each.id not in needed}
    refused += [Loss(each, "", "", "nothing that leaves points to it") for each in sorted(alone)]
    kept = [each for each in records if each.id not in alone]
    return kept if any(not isinstance(each, words.Member) for each in kept) else []
