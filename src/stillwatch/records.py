"""The words of the house: one declaration each, from which its Arrow schema is derived.

Batches of these travel between rooms, never one object per call. No record here holds text of a prompt or an answer,
and identifiers are 64-bit keyed hashes (SipHash-2-4 under the provider's key). Nothing is imported but the
standard library, arrays and Arrow's types.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from typing import Any, NewType

import numpy as np
import pyarrow as pa

Hash = NewType("Hash", int)
"A keyed 64-bit hash of an identifier or of a piece of wording, as a signed 64-bit integer."


Term = NewType("Term", int)
"31 bits of a word's keyed hash: there are many of them, and two words of one business hardly ever share one."


@dataclass(frozen=True, slots=True)
class Rejected:
    """An input record that could not be used. Never quotes the record: it may hold a customer's text."""

    file: str
    "The file as the user named it."
    line: int | None
    "Line (text formats) or row (Parquet), from 1; None when the whole file is meant."
    reason: str
    "Why, and which column; no value from the record."


@dataclass(frozen=True, slots=True)
class Marks:
    """What is kept of one call: hashes, counts and scores, no text."""

    call: Hash
    "Keyed hash of call_id."
    ts: int
    "Microseconds since 1970, UTC."
    account: Hash
    "Keyed hash of the account."
    org: Hash
    "Keyed hash of the organisation: `org`, else a mail domain that is not free mail, else the account itself."
    org_known: bool
    "True when `org` comes from the log's `org` or mail domain, False when the account stands for itself."
    session: Hash | None
    "Conversation."
    end_user: Hash | None
    "The caller's end user."
    key: Hash | None
    "API key."
    ip: Hash | None
    "Client address."
    net: Hash | None
    "Network of the address: /24 of IPv4, /48 of IPv6."
    user_agent: Hash | None
    "User-Agent."
    headers: Hash | None
    "Header-set fingerprint."
    tls: Hash | None
    "Fingerprint of the TLS handshake."
    asn: Hash | None
    "Autonomous system of the address."
    mail: Hash | None
    "Mail domain of the account that is not free mail."
    upstream: Hash | None
    "The provider's own request id, in a gateway's log."
    cost: float | None
    "Charged for the call, US dollars."
    payment: Hash | None
    "Payment instrument."
    program: str | None
    "Declared programme."
    path: str | None
    "Access pathway."
    model: str
    "Model asked for."
    plan: str | None
    "Plan of the account."
    signup_ts: int | None
    "Registration time, microseconds."
    client_seen: bool | None
    "Official client's telemetry was seen."
    turns: int | None
    "Messages in the request."
    tools: int | None
    "Tools offered."
    toolset: Hash | None
    "Keyed hash of the sorted names of the tools offered; None where no names are kept or none is offered."
    images: int | None
    "Images in the request."
    max_tokens: int | None
    "Longest answer allowed, tokens."
    n: int | None
    "Answers asked for."
    logprobs: bool | None
    "Log-probabilities asked for."
    logit_bias: bool | None
    "Whether a logit bias was set."
    status: int | None
    "HTTP status."
    finish: str | None
    "Finish or stop reason."
    input_tokens: int | None
    "Tokens of the request."
    output_tokens: int | None
    "Tokens of the answer."
    reasoning_tokens: int | None
    "Tokens of hidden reasoning."
    cached_tokens: int | None
    "Tokens of the request read from a cache."
    reasoning_out: Hash | None
    "Encrypted reasoning issued."
    reasoning_in: list[int] | None
    "Encrypted reasoning replayed."
    prompt: Hash | None
    "Keyed hash of the normalised prompt: equal prompts have equal hashes. None where no content is kept."
    prompt_tokens: int | None
    "Words (or ideographs) of the prompt, counted by the sketch."
    response_tokens: int | None
    "Words (or ideographs) of the answer, counted by the sketch."
    wordings: list[int] | None
    "Winnowed shingles of system prompt and prompt, in order of appearance, each once. None: no content."
    terms: list[Term] | None
    "The smallest hashes of the distinct words of the prompt: a consistent sample of what it is about."
    answered: list[Term] | None
    "The same of the answer, fewer of them: whether a next prompt takes up the last answer. None: no answer text."
    asked: int | None
    "Bits of elicitation families asked for (see sketch.lexicon); None: no content."
    delivered: int | None
    "Bits of elicitation families that the answer delivers; None: no answer text."
    capability: int | None
    "Code of the capability asked for (sketch.lexicon.CAPABILITIES); None: no content."
    script: int | None
    "Code of the prompt's main writing system (sketch.lexicon.SCRIPTS); for reports only, never a feature."
    sampled: float | None
    "Share of calls that the log keeps; None: as far as known, all."


_ARROW: dict[object, pa.DataType] = {
    Hash: pa.int64(),
    int: pa.int64(),
    str: pa.string(),
    bool: pa.bool_(),
    float: pa.float64(),
    list[int]: pa.list_(pa.int64()),
    list[Term]: pa.list_(pa.int32()),
    list[str]: pa.list_(pa.string()),
}


def arrow_schema(record: type) -> pa.Schema:
    """The Arrow schema of a record: one field per attribute, nullable exactly where `None` is allowed."""
    hints = typing.get_type_hints(record)
    fields = []
    for each in dataclasses.fields(record):
        hint = hints[each.name]
        nullable = typing.get_origin(hint) in (types.UnionType, typing.Union)
        if nullable:
            (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
        fields.append(pa.field(each.name, _ARROW[hint], nullable=nullable))
    return pa.schema(fields)


MARKS: pa.Schema = arrow_schema(Marks)
"Arrow schema of a batch of marks."

LOGGED = {
    "answered": "response", "asked": "prompt", "call": "call_id", "capability": "prompt", "delivered": "response", "mail": "email_domain", "net": "ip",
    "org_known": "org", "prompt_tokens": "prompt", "response_tokens": "response", "script": "prompt", "terms": "prompt", "toolset": "tool_names",
    "upstream": "upstream_id", "wordings": "prompt",
}  # fmt: skip
"Mark -> the column of a log that it is made from, where the names differ: what a user is told is missing is what a log can hold."

MARKS_VERSION = b"2"
"Version of marks that have left the house: raised whenever a mark is computed otherwise."


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one detector says about one cluster."""

    name: str
    "The detector."
    value: float
    "The measured value, in the detector's unit."
    unit: str
    "Unit of the value."
    benign_low: float | None
    "5th percentile of the reference organisations, None without a reference."
    benign_high: float | None
    "95th percentile of the reference organisations."
    log10_e: float | None
    "Evidence against innocence (e-value, base 10); None for signals that grade and do not decide."
    fires: bool
    "Whether the value lies beyond what is benign."
    factor: str
    "Which purpose factor it belongs to: volume, concentration, coordination or timeline."
    atlas: str
    "MITRE ATLAS technique."
    text: str
    "One sentence: what was observed."
    p: float | None = None
    "Share of innocent organisations, one's own and other members', at least as far out, two-sided; None without a reference. Grades and never decides."
    p_floor: float | None = None
    "Least that so many organisations could have shown."


@dataclass(frozen=True, slots=True)
class Campaign:
    """A cluster with evidence, told so that a person can check it. Field by field as campaigns.jsonl has it."""

    campaign: str
    "Stable id: hex of the keyed hash of its earliest member."
    earliest: int
    "That keyed hash."
    verdict: str
    "alert, review or watch."
    log10_e: float
    "Evidence, base 10."
    q: float
    "False-discovery rate at this rank."
    p_floor: float
    "Least p that this log and its history could have shown."
    conditions: dict[str, Any]
    "tied, strangers, replay, exculpations, purpose."
    accounts: list[int]
    "Keyed hashes of the members (a door turns them into the log's own ids)."
    calls: int
    "Core calls of the members."
    first_ts: int
    "First core call."
    last_ts: int
    "Last core call."
    factors: dict[str, dict[str, list[str]]]
    "The four purpose factors, each with `observed` and `inferred`."
    signals: list[dict[str, Any]]
    "What each detector says."
    ties: list[dict[str, Any]]
    "What joins the accounts, with counts."
    alternatives: list[dict[str, Any]]
    "Innocent explanations, each with what speaks for and against it."
    models: dict[str, float]
    "Shares of calls by model."
    capabilities: dict[str, float]
    "What is being taken, in shares of calls."
    volume: dict[str, Any] = field(default_factory=dict)
    "start_ts, bucket_us and calls per bucket, for the report's chart."
    languages: dict[str, float] = field(default_factory=dict)
    "Shares of calls by writing system; for the report only."
    members: list[dict[str, Any]] = field(default_factory=list)
    "Per account: account, log10_e, calls (the rows of accounts.parquet)."
    taken: dict[str, Any] = field(default_factory=dict)
    "What was taken, its list price and severity: see campaigns.taken; empty where no prices were given."
    graph: dict[str, Any] = field(default_factory=dict)
    "Accounts and keys as a bipartite graph of a few dozen nodes, whatever the size: see campaigns.picture."
    raster: dict[str, Any] = field(default_factory=dict)
    "Calls per account and bucket of `volume`, of at most 60 accounts: see campaigns.picture."
    pivots: dict[str, Any] = field(default_factory=dict)
    "Calls per model and bucket of `volume`, and models that appeared meanwhile: see campaigns.picture."
    templates: dict[str, Any] = field(default_factory=dict)
    "Pieces of template as marks with counts, at most 12: see campaigns.picture."
    left_out: list[dict[str, Any]] = field(default_factory=list)
    "The judgement without each signal: name, verdict (None: not listed), log10_e, q, text: see campaigns.left_out."
    known: list[dict[str, Any]] = field(default_factory=list)
    "What entries of --known say of it, conflicts first: see campaigns.known. They change nothing else."


@dataclass(frozen=True, slots=True)
class Release:
    """A model that came out."""

    model: str
    "Its name, as the log has it where the log serves it."
    at: int
    "When, microseconds since 1970, UTC."
    ours: bool
    "Whether it is one that this log serves; False for another maker's."


@dataclass(frozen=True, slots=True)
class Ban:
    """Accounts that were closed."""

    at: int
    "When, microseconds."
    count: int
    "How many."
    accounts: tuple[int, ...]
    "Keyed hashes of those that are named, ascending."


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """A change in what accounts must pay, or can pay with."""

    at: int
    "When, microseconds."
    what: str
    "price change, free tier ended, or payment method blocked."


@dataclass(frozen=True, slots=True)
class Context:
    """Dated events around a log that the log itself cannot show, as a person told them. Each in order of time."""

    releases: tuple[Release, ...] = ()
    "Models that came out, own and others'."
    bans: tuple[Ban, ...] = ()
    "Accounts that were closed."
    payments: tuple[PaymentChange, ...] = ()
    "Changes of payment."


NO_CONTEXT = Context()
"Nothing was told: what needs it is unknown."


def _nothing() -> Any:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Accounts joined by keys, and the calls that carry what joins them. Arrays index the log's canonical order."""

    name: int
    "The smallest wording or digest that formed it: stable under any order of the log."
    accounts: Any
    "Account codes, ascending (int64 array)."
    calls: Any
    "Core calls, ascending (int64 array)."
    strangers: int
    "Unrelated organisations among its members, counted conservatively."
    family: Any
    "Family of each wording (int64 array); wordings of one family are one template piece."
    now: Any
    "Unrelated organisations that use each wording again in this log."
    before: Any
    "Reference organisations that use each wording again."
    carriers: Any
    "Both together, today's as they were before they were capped by `strangers`."
    share: Any
    "Today's share of the exposure in each wording's alphabet, 0..1 (float array)."
    named: Any
    "Organisations by name that use each wording again: several on one card or behind one address are several."
    share_named: Any
    "As `share`, organisations counted by name."
    replaying: int
    "Unrelated organisations among its members that are at an end of a replay between strangers."
    carried: Any
    "(accounts, families): whether the account has two core calls of that family (bool array)."
    ties: tuple[tuple[str, int, int, float | None], ...]
    "What joins the members: (tie, keys, accounts, accounts expected of a group of this size or None)."
    own: Any = field(default_factory=lambda: _nothing())
    "Families by which members are told, as numbers in the log's list, ascending (int64 array)."
    kin: Any = field(default_factory=lambda: _nothing())
    "Those and the families that many of its accounts use as well: its own first."
    needed: float = 1.0
    "How many of its own families an account must use in two different prompts to be a member."
    needed_kin: float = 1.0
    "How many of the kin, besides."
    ends: Any = field(default_factory=lambda: _nothing())
    "Members that are such as an end of a replay between strangers (account codes, ascending)."
    wordings: Any = field(default_factory=lambda: _nothing())
    "The wordings themselves, in the order of `family` (int64 array)."
    uses: Any = field(default_factory=lambda: _nothing())
    "Members' core calls that carry each family (int64 array)."
