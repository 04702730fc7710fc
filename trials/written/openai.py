"""OpenAI-compatible bodies as a provider keeps them: the request, and the response in the shape of the Batch API, in an envelope of the provider's own.

Bodies after OpenAI's API reference; the envelope is whatever the provider knows, under the canonical names, so that this format carries everything.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from written import bodies
from written.declare import Call, Writer

_KNOWN = (
    "call_id", "account", "org", "key", "session", "cost", "path", "ip", "asn", "country", "user_agent", "headers", "tls", "client_seen", "payment",
    "email_domain", "signup_ts", "plan", "program",
)  # fmt: skip
"What a provider knows beside the bodies."


def write(calls: Sequence[Call]) -> bytes:
    """One call a line."""
    return b"".join(orjson.dumps(_line(call)) + b"\n" for call in calls)


def _line(call: Call) -> dict[str, object]:
    newer = bodies.responses(call)
    request = bodies.responses_request(call) if newer else bodies.chat_request(call)
    answer = bodies.chat_error(call) if bodies.failed(call) else bodies.responses_response(call) if newer else bodies.chat_response(call)
    response = {"status_code": call["status"], "request_id": f"req-{call['call_id']}", "body": answer}
    return {"timestamp": bodies.iso(call["ts"]), **bodies.known({name: call[name] for name in _KNOWN}), "request": request, "response": response}


WRITERS = (
    Writer(
        name="openai",
        format="OpenAI-compatible JSON Lines",
        suffix=".jsonl",
        write=write,
        carries=(
            *_KNOWN, "ts", "model", "end_user", "max_tokens", "temperature", "n", "logprobs", "top_logprobs", "reasoning_effort", "stream", "tool_names",
            "system", "prompt", "response", "status", "reasoning_out", "reasoning_in",
        ),
        own={
            "endpoint": lambda call: "/v1/responses" if bodies.responses(call) else "/v1/chat/completions",
            "finish": lambda call: bodies.RESPONSES_ENDS.get(call["finish"]) if bodies.responses(call) else call["finish"],
            "turns": lambda call: call["turns"] if bodies.responses(call) else bodies.with_system(call),
            "images": bodies.pictures,
            "tools": bodies.offered,
            "logit_bias": lambda call: bool(call["logit_bias"]),
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
            "reasoning_tokens": lambda call: None if bodies.failed(call) else call["reasoning_tokens"],
            "cached_tokens": lambda call: None if bodies.failed(call) else call["cached_tokens"],
        },
    ),
)  # fmt: skip
