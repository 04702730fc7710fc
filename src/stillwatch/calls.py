"""LogCall: the record of one API call as it stands in a log, and the only record that holds text.

One declaration; the Arrow schema of the batches that travel from formats to intake is derived from it. Rooms that
are pure never import this module: what they see is `records.Marks`, which has no text column.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from stillwatch.records import arrow_schema


@dataclass(frozen=True, slots=True)
class LogCall:
    """One request with its answer. `None` means unknown, never zero and never the empty string."""

    call_id: str
    "Unique in the log; a repeated id is the same call delivered twice."
    ts: int
    "Microseconds since 1970, UTC."
    account: str
    "The account that called."
    model: str
    "The model asked for."
    org: str | None = None
    "The organisation that owns the account, where the provider knows it."
    key: str | None = None
    "API key id."
    end_user: str | None = None
    "The caller's hashed end user."
    session: str | None = None
    "Conversation id."
    upstream_id: str | None = None
    "The provider's own request id, when this log is a gateway's."
    cost: float | None = None
    "What the call was charged, US dollars."
    path: str | None = None
    "Access pathway: native, cloud, aggregator, gateway."
    ip: str | None = None
    "Client address as seen by the provider."
    asn: int | None = None
    "Autonomous system of the address."
    country: str | None = None
    "Country of the address; for reports only, never a feature."
    user_agent: str | None = None
    "Client's User-Agent."
    headers: str | None = None
    "Fingerprint of the client's header set."
    tls: str | None = None
    "Fingerprint of the TLS handshake (JA3, JA4)."
    client_seen: bool | None = None
    "The official client's own telemetry was seen for this call."
    payment: str | None = None
    "Payment instrument of the account."
    email_domain: str | None = None
    "Mail domain of the account."
    signup_ts: int | None = None
    "When the account was registered, microseconds since 1970, UTC."
    plan: str | None = None
    "Plan of the account."
    program: str | None = None
    "Declared programme or purpose: education, research, evaluator, startup, distillation-permitted."
    endpoint: str | None = None
    "API endpoint."
    max_tokens: int | None = None
    "Request parameter: longest answer allowed, tokens."
    temperature: float | None = None
    "Request parameter."
    n: int | None = None
    "Request parameter: answers asked for."
    logprobs: bool | None = None
    "Request parameter: log-probabilities asked for."
    top_logprobs: int | None = None
    "Request parameter: how many alternatives a token."
    logit_bias: bool | None = None
    "Whether a logit bias was set."
    reasoning_effort: str | None = None
    "Request parameter."
    stream: bool | None = None
    "Request parameter."
    tools: int | None = None
    "Number of tools offered."
    tool_names: list[str] | None = None
    "Names of the tools offered, as the request gives them."
    images: int | None = None
    "Images in the request."
    system: str | None = None
    "System prompt."
    prompt: str | None = None
    "Last user message (all turns joined when only one text is known); None where the log keeps no content."
    turns: int | None = None
    "Messages in the request."
    response: str | None = None
    "Answer text."
    input_tokens: int | None = None
    "Tokens of the request."
    output_tokens: int | None = None
    "Tokens of the answer."
    reasoning_tokens: int | None = None
    "Tokens of hidden reasoning."
    cached_tokens: int | None = None
    "Tokens of the request that were read from a cache."
    status: int | None = None
    "HTTP status."
    finish: str | None = None
    "Finish or stop reason."
    reasoning_out: str | None = None
    "Digest of the encrypted reasoning issued with this answer."
    reasoning_in: list[str] | None = None
    "Digests of encrypted reasoning replayed in this request."
    sampled: float | None = None
    "Share of calls that this log keeps, above 0 and at most 1; None: as far as known, all."


SCHEMA: pa.Schema = arrow_schema(LogCall)
"Arrow schema of a batch of LogCalls."

REQUIRED: tuple[str, ...] = tuple(f.name for f in SCHEMA if not f.nullable)
"Columns without which a record cannot be used: call_id, ts, account, model."
