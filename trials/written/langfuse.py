"""Langfuse's export of observations, as its API gives them, of a gateway that traces every call it serves.

Fields after Langfuse's API reference (`ObservationV2`) and its OpenAI integration, which keeps a request's messages whole and of the answer role and content,
and counts cached and reasoning tokens apart. The gateway names account, organisation, key, address and client in the metadata. Times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from written import bodies
from written.declare import Call, Writer


def write(calls: Sequence[Call]) -> bytes:
    """One observation a line."""
    return b"".join(orjson.dumps(_observation(call)) + b"\n" for call in calls)


def _observation(call: Call) -> dict[str, Any]:
    failed, request = bodies.failed(call), bodies.chat_request(call)
    kept = ("temperature", "max_completion_tokens", "reasoning_effort", "tools")
    parameters = {name: request[name] for name in kept if name in request} | ({"n": call["n"]} if (call["n"] or 1) > 1 else {})
    cached, reasoned = call["cached_tokens"], call["reasoning_tokens"]
    usage = {} if failed else bodies.known(
        {
            "input": call["input_tokens"] - (cached or 0),
            "input_cached_tokens": cached,
            "output": call["output_tokens"],
            "output_reasoning_tokens": reasoned,
            "total": call["input_tokens"] + bodies.whole(call),
        }
    )  # fmt: skip
    metadata = {name: call[name] for name in ("account", "org", "key", "ip", "user_agent")}
    return {
        "id": call["call_id"],
        "traceId": f"t-{call['call_id']}",
        "startTime": bodies.iso(call["ts"], 3),
        "endTime": bodies.iso(call["ts"] + 900_000, 3),
        "projectId": "p-1",
        "parentObservationId": None,
        "type": "GENERATION",
        "name": "OpenAI-generation",
        "level": "ERROR" if failed else "DEFAULT",
        "statusMessage": "The request was not served." if failed else None,
        "userId": call["end_user"],
        "sessionId": call["session"],
        "input": {"messages": request["messages"]},
        "output": None if failed else {"role": "assistant", "content": call["response"]},
        "metadata": bodies.known(metadata),
        "model": call["model"],
        "modelParameters": parameters,
        "usageDetails": usage,
        "costDetails": {} if failed else {"total": call["cost"]},
    }


WRITERS = (
    Writer(
        name="langfuse",
        format="Langfuse export",
        suffix=".jsonl",
        write=write,
        carries=(
            "call_id", "account", "model", "org", "key", "end_user", "session", "ip", "user_agent", "max_tokens", "temperature", "reasoning_effort",
            "tools", "tool_names", "system", "prompt", "response", "reasoning_in",
        ),
        own={
            "ts": lambda call: call["ts"] // 1000 * 1000,
            "cost": lambda call: None if bodies.failed(call) else call["cost"],
            "n": lambda call: call["n"] if (call["n"] or 1) > 1 else None,
            "turns": bodies.with_system,
            "images": bodies.pictures,
            "finish": lambda call: "error" if bodies.failed(call) else None,
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
            "reasoning_tokens": lambda call: None if bodies.failed(call) else call["reasoning_tokens"],
            "cached_tokens": lambda call: None if bodies.failed(call) else call["cached_tokens"],
        },
    ),
)  # fmt: skip
