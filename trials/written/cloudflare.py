"""Cloudflare AI Gateway's log API: one record a call with the heads of its bodies, and five entries of custom metadata.

Fields after Cloudflare's API reference (AI Gateway logs). Who called stands in the metadata that the application sends along (header `cf-aig-metadata`, five
entries at most). Bodies are those of the provider behind the gateway. Times are milliseconds; the caller's address is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from written import bodies
from written.anthropic import ends
from written.declare import Call, Writer


def write(calls: Sequence[Call]) -> bytes:
    """One record a line."""
    return b"".join(orjson.dumps(_record(call)) + b"\n" for call in calls)


def _path(call: Call) -> str:
    return "v1/messages" if bodies.messages_api(call) else "responses" if bodies.responses(call) else "chat/completions"


def _bodies(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    if bodies.messages_api(call):
        return bodies.messages_request(call), bodies.messages_error(call) if bodies.failed(call) else bodies.messages_response(call)
    if bodies.responses(call):
        return bodies.responses_request(call), bodies.chat_error(call) if bodies.failed(call) else bodies.responses_response(call)
    return bodies.chat_request(call), bodies.chat_error(call) if bodies.failed(call) else bodies.chat_response(call)


def _record(call: Call) -> dict[str, Any]:
    request, response = map(orjson.dumps, _bodies(call))
    metadata = {"account": call["account"], "org_id": call["org"], "api_key_id": call["key"], "end_user": call["end_user"], "session_id": call["session"]}
    return {
        "id": f"01{call['call_id']}",
        "created_at": bodies.iso(call["ts"], 3),
        "provider": "anthropic" if bodies.messages_api(call) else "openai",
        "model": call["model"],
        "model_type": "text-generation",
        "path": _path(call),
        "request_type": "proxy",
        "duration": 900,
        "cached": False,
        "success": not bodies.failed(call),
        "status_code": call["status"],
        "step": 0,
        "tokens_in": None if bodies.failed(call) else call["input_tokens"],
        "tokens_out": bodies.whole(call),
        "cost": call["cost"],
        "custom_cost": False,
        "metadata": orjson.dumps(bodies.known(metadata)).decode(),
        "request_head": request.decode(),
        "request_head_complete": True,
        "request_size": len(request),
        "response_head": response.decode(),
        "response_head_complete": True,
        "response_size": len(response),
    }


def _ends(call: Call) -> str | None:
    return ends(call) if bodies.messages_api(call) else bodies.RESPONSES_ENDS.get(call["finish"]) if bodies.responses(call) else call["finish"]


WRITERS = (
    Writer(
        name="cloudflare",
        format="Cloudflare AI Gateway logs",
        suffix=".json",
        write=write,
        carries=(
            "account", "model", "org", "key", "end_user", "session", "cost", "temperature", "logprobs", "top_logprobs", "reasoning_effort", "stream",
            "tool_names", "system", "prompt", "response", "status", "reasoning_out", "reasoning_in",
        ),
        own={
            "call_id": lambda call: f"01{call['call_id']}",
            "upstream_id": lambda call: None if bodies.failed(call) else call["call_id"],
            "ts": lambda call: call["ts"] // 1000 * 1000,
            "path": lambda call: "gateway",
            "endpoint": _path,
            "max_tokens": lambda call: call["max_tokens"] or (bodies.LONGEST if bodies.messages_api(call) else None),
            "n": lambda call: None if bodies.messages_api(call) else call["n"],
            "logit_bias": lambda call: None if bodies.messages_api(call) else bool(call["logit_bias"]),
            "turns": lambda call: call["turns"] if bodies.messages_api(call) or bodies.responses(call) else bodies.with_system(call),
            "images": bodies.pictures,
            "tools": bodies.offered,
            "finish": _ends,
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
            "reasoning_tokens": lambda call: None if bodies.failed(call) else call["reasoning_tokens"],
            "cached_tokens": lambda call: None if bodies.failed(call) else call["cached_tokens"],
        },
    ),
)  # fmt: skip
