"""Anthropic's Messages API as a provider keeps it: request and response, and beside them what the provider knows, under the canonical names.

Bodies after the API's reference. It has no words for several answers, log-probabilities and logit bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from written import bodies
from written.declare import Call, Writer

_KNOWN = (
    "account", "org", "key", "session", "cost", "path", "ip", "asn", "country", "user_agent", "headers", "tls", "client_seen", "payment", "email_domain",
    "signup_ts", "plan", "program",
)  # fmt: skip


def write(calls: Sequence[Call]) -> bytes:
    """One call a line."""
    return b"".join(orjson.dumps(_line(call)) + b"\n" for call in calls)


def _line(call: Call) -> dict[str, object]:
    answer = bodies.messages_error(call) if bodies.failed(call) else bodies.messages_response(call)
    beside = bodies.known({name: call[name] for name in _KNOWN})
    told = {"timestamp": bodies.iso(call["ts"]), "request_id": call["call_id"], "status": call["status"], "endpoint": "/v1/messages"}
    return {**told, **beside, "request": bodies.messages_request(call), "response": answer}


def ends(call: Call) -> str | None:
    """How an answer ended, in the API's words."""
    return bodies.MESSAGES_ERRORS[call["status"]] if bodies.failed(call) else bodies.MESSAGES_ENDS[call["finish"]]


WRITERS = (
    Writer(
        name="anthropic",
        format="Anthropic Messages JSON Lines",
        suffix=".jsonl",
        write=write,
        carries=(
            *_KNOWN, "call_id", "ts", "model", "end_user", "temperature", "reasoning_effort", "stream", "tool_names", "system", "prompt", "turns",
            "response", "status", "reasoning_out", "reasoning_in",
        ),
        own={
            "endpoint": lambda call: "/v1/messages",
            "max_tokens": lambda call: call["max_tokens"] or bodies.LONGEST,
            "finish": ends,
            "images": bodies.pictures,
            "tools": bodies.offered,
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
            "reasoning_tokens": lambda call: None if bodies.failed(call) else call["reasoning_tokens"],
            "cached_tokens": lambda call: None if bodies.failed(call) else call["cached_tokens"],
        },
    ),
)  # fmt: skip
