"""The words of the exchange: what one member may tell another, one record each. How STIX writes them: `stix.kinds`.

No record has room for a prompt, an answer, an account, a customer, a price, a count or a decision: counts are bands, and what identifies somebody is matched
privately and never stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Band = tuple[int, int]
"A count's band: from (included) and up to (excluded)."


@dataclass(frozen=True, slots=True)
class Iep:
    """A policy of FIRST's Information Exchange Policy 2.0: what a receiver may do with what is marked by it."""

    id: str
    "UUID, version 4."
    name: str
    "Of the policy."
    start: int
    "From when on it holds, microseconds."
    end: int | None = None
    "Until when; None: no end."
    permitted_actions: str = "internally visible actions"
    "One of ACTIONS, from none to the most."
    encrypt_in_transit: str = "must"
    "must or may."
    attribution: str = "must not"
    "Whether the source may, must or must not be named."
    affected_party_notifications: str = "must not"
    "Whether whoever is affected may be told."
    unmodified_resale: str = "must not"
    "Whether it may be sold on."


ACTIONS = ("none", "contact for instruction", "internally visible actions", "externally visible indirect actions", "externally visible direct actions")
"What IEP 2.0 lets a receiver do, least first."

TLP = ("clear", "green", "amber", "amber+strict", "red")
"Traffic Light Protocol 2.0, widest first."


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What every record carries."""

    id: str
    "STIX identifier: type, two hyphens, UUID."
    created: int
    "First version, microseconds."
    modified: int
    "This version."
    source: str | None
    "Identity (a pseudonym by default) that says it."
    tlp: str | None = None
    "One of TLP; None only where the sender left it out."
    iep: Iep | None = None
    "Policy it is under."
    confidence: int | None = None
    "0 (none) to 100 (certain); None: not said."
    labels: tuple[str, ...] = ()
    "Words of the sender's own."
    expires: int | None = None
    "When nobody should act on it any longer."
    purpose: str | None = None
    "What it may be used for."
    revoked: bool = False
    "Withdrawn: whoever has it forgets it."


@dataclass(frozen=True, kw_only=True)
class Member(Shared):
    """Who speaks: a pseudonym, unless the policy names it."""

    name: str
    "Pseudonym or name."


@dataclass(frozen=True, kw_only=True)
class Case(Shared):
    """A campaign (STIX campaign), or one whose actor counsel agreed to tell apart (intrusion-set). Never a threat actor."""

    name: str
    "Neutral name."
    description: str | None = None
    "Reviewed or made by the program."
    first_seen: int | None = None
    "Coarsened."
    last_seen: int | None = None
    "Coarsened."
    objective: str | None = None
    "What is being taken."
    attributed: bool = False
    "Whether it is an intrusion-set."
    grade: str | None = None
    "alert, review or watch, as the sender's own rules have it."
    log10_e_at_least: int | None = None
    "Evidence, base 10, rounded down: larger is more."
    accounts: Band | None = None
    "Accounts, in a band."


@dataclass(frozen=True, kw_only=True)
class Technique(Shared):
    """A way of doing it, by its ATLAS id."""

    name: str
    "Of the technique."
    atlas: str
    "Such as AML.T0024.002."
    description: str | None = None
    "Reviewed or made by the program."


@dataclass(frozen=True, kw_only=True)
class Infrastructure(Shared):
    """A pool of proxies or hosts."""

    name: str
    "Neutral name."
    kinds: tuple[str, ...] = ()
    "Of STIX's infrastructure types."
    description: str | None = None
    "Reviewed or made by the program."
    first_seen: int | None = None
    "Coarsened."
    last_seen: int | None = None
    "Coarsened."


@dataclass(frozen=True, kw_only=True)
class Indicator(Shared):
    """A network range, or a detector of a pack. `expires` is its valid_until."""

    name: str
    "What it shows."
    description: str
    "Reviewed or made by the program."
    pattern: str
    "STIX pattern or Sigma rule."
    language: str
    "stix or sigma."
    valid_from: int
    "From when on."
    kinds: tuple[str, ...] = ()
    "Of STIX's indicator types."
    pack_sha256: str | None = None
    "Digest of the pack that the rule stands in."


@dataclass(frozen=True, kw_only=True)
class Observed(Shared):
    """What was seen of networks: how often is a band, and STIX's number_observed is its lower edge."""

    first: int
    "Coarsened."
    last: int
    "Coarsened."
    band: Band
    "How often."
    objects: tuple[str, ...]
    "Ids of networks and autonomous systems."


@dataclass(frozen=True, kw_only=True)
class Sighting(Shared):
    """Seen here: of what, when, and how much in a band. STIX's count stays empty."""

    of: str
    "Id of what was seen."
    observed: tuple[str, ...] = ()
    "Ids of observed data."
    where: tuple[str, ...] = ()
    "Who saw it."
    first_seen: int | None = None
    "Coarsened."
    last_seen: int | None = None
    "Coarsened."
    band: Band | None = None
    "How much."
    description: str | None = None
    "Reviewed or made by the program."


@dataclass(frozen=True, kw_only=True)
class Advice(Shared):
    """A suggested response. It binds nobody: there is no field that could say so."""

    name: str
    "What is suggested."
    description: str
    "Reviewed or made by the program."
    playbook: dict[str, Any] | None = None
    "The same as a CACAO 2.0 playbook."


@dataclass(frozen=True, kw_only=True)
class Opinion(Shared):
    """A dispute, or agreement, about what somebody said. It is no vote: nothing is counted."""

    about: tuple[str, ...]
    "Ids."
    opinion: str
    "strongly-disagree, disagree, neutral, agree or strongly-agree."
    explanation: str | None = None
    "Reviewed."


@dataclass(frozen=True, kw_only=True)
class Grouping(Shared):
    """What belongs to one case."""

    objects: tuple[str, ...]
    "Ids."
    context: str = "suspicious-activity"
    "Of STIX's grouping contexts."
    name: str | None = None
    "Neutral name."
    description: str | None = None
    "Reviewed or made by the program."


@dataclass(frozen=True, kw_only=True)
class Note(Shared):
    """That there is evidence, where it is logged, and its digest; never the evidence."""

    about: tuple[str, ...]
    "Ids."
    content: str
    "Made by the program, or reviewed."
    abstract: str | None = None
    "The same in short."
    sha256: str | None = None
    "Digest of the evidence, which stays where it is."
    log_origin: str | None = None
    "Name of the log that has it."
    log_index: int | None = None
    "Its entry there."
    timestamp_token: str | None = None
    "RFC 3161 token over the digest, base64."


@dataclass(frozen=True, kw_only=True)
class Link(Shared):
    """How two records hang together."""

    origin: str
    "Id."
    kind: str
    "Of STIX's relationship types."
    target: str
    "Id."
    description: str | None = None
    "Reviewed or made by the program."


@dataclass(frozen=True, kw_only=True)
class Network:
    """A range of addresses, or one (STIX ipv4-addr, ipv6-addr)."""

    id: str
    "STIX identifier, made of the value."
    value: str
    "Address or range."
    tlp: str | None = None
    "One of TLP: products take an address out of its bundle, and its marking must go with it."


@dataclass(frozen=True, kw_only=True)
class System:
    """An autonomous system."""

    id: str
    "STIX identifier, made of the number."
    number: int
    "Its number."
    tlp: str | None = None
    "One of TLP: products take an address out of its bundle, and its marking must go with it."


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be carried."""

    object: str
    "Id of the object, or its place where it has none."
    where: str
    "Property or field."
    value: str
    "What was there, as JSON, cut at 200 characters."
    why: str
    "Why it was not carried."


Record = Shared | Network | System
