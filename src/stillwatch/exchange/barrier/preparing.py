"""From a scan's campaigns to the bytes that may leave: made here, looked at by a person, sent by somebody else.

Of a campaign only what CARRIED names is read. All else (accounts, keys, payments, templates, prompts' marks, volumes, models, prices) stays, and the loss
report says so. Fingerprints are matched privately, or told as tokens of one pair (barrier.tokens).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any

import orjson

from stillwatch.exchange.barrier import phrases
from stillwatch.exchange.barrier.coarse import band, floor
from stillwatch.exchange.barrier.gate import closed, passed, refused_names
from stillwatch.exchange.barrier.policy import Policy
from stillwatch.exchange.stix import words
from stillwatch.exchange.stix.words import Loss, Record
from stillwatch.exchange.stix.writing import bundle, named, network, write

CARRIED = {
    "campaign": "under a keyed name", "verdict": "as it is", "log10_e": "rounded down", "accounts": "their number, as a band", "first_ts": "rounded down",
    "last_ts": "rounded down", "capabilities": "the first one's name", "signals": "ATLAS ids of those that fire",
}  # fmt: skip
"Of a campaign -> how it leaves."

MATCHED = frozenset({"accounts", "ties", "templates"})
"Fields whose fingerprints other members can match privately; never in the clear."


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would leave."""

    content: bytes
    "The bundle, byte for byte; empty when nothing may leave."
    records: tuple[Record, ...]
    "What it says."
    recipients: tuple[str, ...]
    "To whom it may go; nobody when nothing may leave."
    losses: tuple[Loss, ...]
    "What stays here, and why."

    @property
    def sha256(self) -> str:
        """Digest of the bytes."""
        return sha256(self.content).hexdigest()


def prepare(
    campaigns: Sequence[Mapping[str, Any]], policy: Policy, key: bytes, at: int, *, created: Mapping[str, int] | None = None,
    networks: Mapping[str, Sequence[str]] | None = None,
) -> Prepared:  # fmt: skip
    """The bundle of a scan's campaigns that a policy lets leave, with the loss report. `content` is what a preview shows and what is sent.

    Args: lines of campaigns.jsonl; the policy; the key under which ids are made (destroying it makes them nobody's); the moment; when records were first
    shared, by id, where this is a new version; ranges of addresses by campaign, where a person names them (a scan keeps only keyed hashes).
    Raises: nothing for what a campaign holds.
    """
    shut = closed(policy, at)
    if shut:
        return Prepared(b"", (), (), tuple(Loss(f"campaign {number}", "", "", shut) for number, _ in enumerate(campaigns, 1)))
    losses: list[Loss] = []
    # Versions are told apart by milliseconds at least.
    made = _Maker(policy, key, at - at % 1000, created or {})
    records: list[Record] = [made.member()]
    for number, each in enumerate(campaigns, 1):
        told, lost = made.campaign(each, f"campaign {number}", (networks or {}).get(str(each.get("campaign")), ()))
        records += told
        losses += lost
    through = passed(_once(records), policy, made.source, at)
    written = write(through.records)
    content = bundle(written.objects) if written.objects else b""
    losses += [*through.refused, *written.losses]
    wrong = sorted(set(refused_names(list(written.objects))))
    if wrong:
        # The last look: whatever made it, nothing leaves that looks like this.
        return Prepared(
            b"", (), (), (*losses, *(Loss("bundle", each, "", "looks like a price, revenue, customer, volume, capacity or roadmap") for each in wrong))
        )
    return Prepared(content, through.records, policy.recipients if content else (), tuple(losses))


def preview(prepared: Prepared) -> str:
    """What a person looks at before anything leaves: to whom, the digest, what stays, and below the line exactly the bytes."""
    head = [f"to: {', '.join(prepared.recipients) or 'nobody'}", f"bytes: {len(prepared.content)}", f"sha256: {prepared.sha256}"]
    head += [f"stays: {loss.object}{' ' + loss.where if loss.where else ''}: {loss.why}" for loss in prepared.losses]
    return "\n".join(head) + "\n----\n" + prepared.content.decode()


def _once(records: list[Record]) -> list[Record]:
    """Each record once: techniques and ranges are the same for several campaigns."""
    return list({each.id: each for each in reversed(records)}.values())[::-1]


def _objective(campaign: Mapping[str, Any]) -> str | None:
    """The name of what is taken most; the program's own word."""
    shares = campaign.get("capabilities")
    return max(sorted(shares), key=lambda name: shares[name]) if isinstance(shares, Mapping) and shares else None


@dataclass(frozen=True)
class _Maker:
    """Makes records under one policy, key and moment."""

    policy: Policy
    key: bytes
    at: int
    created: Mapping[str, int]

    @property
    def source(self) -> str:
        return named("identity", self.key, self.policy.named_as or "pseudonym")

    def head(self, kind: str, *parts: str) -> dict[str, Any]:
        id_ = named(kind, self.key, *parts)
        return {"id": id_, "created": self.created.get(id_, self.at), "modified": self.at, "source": self.source}

    def member(self) -> words.Member:
        head = self.head("identity") | {"id": self.source}
        head["created"] = self.created.get(self.source, self.at)
        return words.Member(**head, name=self.policy.named_as or phrases.MEMBER.format(self.source.partition("--")[2][:8]))

    def campaign(self, told: Mapping[str, Any], where: str, ranges: Sequence[str]) -> tuple[list[Record], list[Loss]]:
        """The records of a campaign, and what of it stays."""
        id_, accounts = str(told.get("campaign")), band(len(told.get("accounts") or ()), self.policy.minimum)
        if told.get("verdict") not in self.policy.verdicts:
            return [], [Loss(where, "verdict", str(told.get("verdict")), "the policy does not name this verdict")]
        if accounts is None:
            return [], [Loss(where, "accounts", "", f"fewer than {self.policy.minimum}: nothing of so small a group is told")]
        lost = [Loss(where, name, "", _stays(name)) for name in sorted(told) if name not in CARRIED]
        lost += [Loss(where, name, "", f"leaves only in part: {CARRIED[name]}") for name in sorted(set(told) & {"accounts", "capabilities", "signals"})]
        seen: dict[str, Any] = {"first_seen": floor(told["first_ts"], self.policy.times), "last_seen": floor(told["last_ts"], self.policy.times)}
        short = named("campaign", self.key, id_).partition("--")[2][:8]
        case = words.Case(
            **self.head("campaign", id_), **seen, name=phrases.CASE.format(short), description=phrases.CASE_TOLD, objective=_objective(told), grade=told["verdict"],
            log10_e_at_least=math.floor(told["log10_e"]), accounts=accounts, confidence=CONFIDENCE[told["verdict"]],
        )  # fmt: skip
        sighting = words.Sighting(**self.head("sighting", id_), **seen, of=case.id, where=(self.source,), band=accounts, description=phrases.SEEN)
        salted = sha256(
            blake2b(id_.encode(), key=self.key, person=b"stillwatch-salt", digest_size=32).digest() + orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        )
        note = words.Note(**self.head("note", id_), about=(case.id,), content=phrases.NOTE, sha256=salted.hexdigest())
        records: list[Record] = [case, *self.techniques(told, case), sighting, note]
        if ranges:
            records += self.ranges(ranges, case, short, seen)
        held = tuple(each.id for each in records if isinstance(each, words.Case | words.Technique | words.Infrastructure | words.Indicator))
        if set(CONTENTS) <= set(self.policy.records):
            records.append(words.Grouping(**self.head("grouping", id_), objects=held, name=phrases.GROUP.format(short)))
        return records, lost

    def techniques(self, told: Mapping[str, Any], case: words.Case) -> Iterator[Record]:
        """What fires, by its ATLAS id."""
        for atlas in sorted({str(each["atlas"]) for each in told.get("signals", ()) if each.get("fires") and each.get("atlas")}):
            technique = words.Technique(**self.head("attack-pattern", atlas), name=phrases.TECHNIQUE.format(atlas), atlas=atlas)
            yield technique
            yield words.Link(**self.head("relationship", case.id, "uses", technique.id), origin=case.id, kind="uses", target=technique.id)

    def ranges(self, ranges: Sequence[str], case: words.Case, short: str, seen: Mapping[str, Any]) -> Iterator[Record]:
        """A pool of addresses: the ranges themselves, and an indicator of each."""
        pool = words.Infrastructure(**self.head("infrastructure", case.id), **seen, name=phrases.POOL.format(short), kinds=("anonymization",))
        yield pool
        yield words.Link(**self.head("relationship", case.id, "uses", pool.id), origin=case.id, kind="uses", target=pool.id)
        for value in sorted(set(ranges)):
            kind = "ipv6-addr" if ":" in value else "ipv4-addr"
            indicator = words.Indicator(
                **self.head("indicator", case.id, value), name=phrases.RANGE.format(value), description=phrases.RANGE_TOLD, pattern=f"[{kind}:value ISSUBSET '{value}']",
                language="stix", valid_from=seen["first_seen"], kinds=("anonymization",),
            )  # fmt: skip
            place = network(value)
            yield indicator
            yield place
            yield words.Link(**self.head("relationship", indicator.id, "indicates", pool.id), origin=indicator.id, kind="indicates", target=pool.id)
            yield words.Link(**self.head("relationship", pool.id, "consists-of", place.id), origin=pool.id, kind="consists-of", target=place.id)


CONTENTS = ("case", "grouping")
"Kinds that a policy must allow for a grouping to be made."

CONFIDENCE = {"alert": 85, "review": 50, "watch": 15}
"STIX's confidence of a verdict: high, medium and low of its own scale (appendix A), not a probability."


def _stays(name: str) -> str:
    return "stays here; what identifies somebody is matched privately" if name in MATCHED else "stays here"
