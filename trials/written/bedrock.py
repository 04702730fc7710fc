"""Amazon Bedrock's model invocation logs with texts delivered: Converse bodies, and Anthropic's under InvokeModel.

Fields after Bedrock's user guide and runtime API. Times are whole seconds. The caller is a principal of an AWS account: an assumed role whose session is the
key, or a user where no key is known. The log knows neither the caller's address nor its client; `requestMetadata` may name end user and session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from written import bodies
from written.declare import Call, Writer

_ERRORS = {429: ("ThrottlingException", 429), 500: ("InternalServerException", 500), 529: ("ServiceUnavailableException", 503)}


def write(calls: Sequence[Call]) -> bytes:
    """One record a line."""
    return b"".join(orjson.dumps(_record(call)) + b"\n" for call in calls)


def owner(call: Call) -> str:
    """The AWS account that is billed: one for each organisation, or of the account itself."""
    return f"{int(hashlib.sha256((call['org'] or call['account']).encode()).hexdigest(), 16) % 10**12:012d}"


def _principal(call: Call) -> str:
    kind = f"sts::{owner(call)}:assumed-role" if call["key"] else f"iam::{owner(call)}:user"
    return f"arn:aws:{kind}/{call['account']}"


def _operation(call: Call) -> str:
    if bodies.messages_api(call):
        return "InvokeModelWithResponseStream" if call["stream"] else "InvokeModel"
    return "ConverseStream" if call["stream"] else "Converse"


def _record(call: Call) -> dict[str, Any]:
    cached, failed, raw = call["cached_tokens"], bodies.failed(call), bodies.messages_api(call)
    asked = {"inputContentType": "application/json", "inputBodyJson": _invoked(call) if raw else _converse(call)}
    answered: dict[str, Any] = {"outputContentType": "application/json"}
    if not failed:
        asked["inputTokenCount"] = call["input_tokens"] - (cached or 0)
        if cached is not None:
            asked["cacheReadInputTokenCount"] = cached
        answered |= {"outputBodyJson": bodies.messages_response(call) if raw else _conversed(call), "outputTokenCount": bodies.whole(call)}
    identity = _principal(call) + (f"/{call['key']}" if call["key"] else "")
    metadata = bodies.known({"userId": call["end_user"], "sessionId": call["session"]})
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": bodies.iso(call["ts"], 0),
        "accountId": owner(call),
        "identity": {"arn": identity},
        "region": "us-east-1",
        "requestId": call["call_id"],
        "operation": _operation(call),
        "modelId": call["model"],
        **({"requestMetadata": metadata} if metadata else {}),
        **({"errorCode": _ERRORS[call["status"]][0]} if failed else {}),
        "input": asked,
        "output": answered,
    }


def _invoked(call: Call) -> dict[str, Any]:
    made = bodies.messages_request(call)
    return {"anthropic_version": "bedrock-2023-05-31", **{name: each for name, each in made.items() if name not in ("model", "stream")}}


def _converse(call: Call) -> dict[str, Any]:
    picture = {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}}
    turns: list[dict[str, Any]] = [
        {"role": ("user", "assistant")[at % 2], "content": [{"text": (bodies.EARLIER, bodies.ANSWERED)[at % 2]}]} for at in range(call["turns"] - 1)
    ]
    if call["sealed_in"]:
        turns[-1]["content"][:0] = [{"reasoningContent": {"reasoningText": {"text": "", "signature": each}}} for each in call["sealed_in"]]
    turns.append({"role": "user", "content": [{"text": call["prompt"]}, *[picture] * (call["images"] or 0)]})
    tools = [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in call["tool_names"] or ()]
    return {"messages": turns} | bodies.known(
        {
            "system": [{"text": call["system"]}] if call["system"] is not None else None,
            "inferenceConfig": bodies.known({"maxTokens": call["max_tokens"], "temperature": call["temperature"]}) or None,
            "toolConfig": {"tools": tools} if tools else None,
            "additionalModelRequestFields": {"output_config": {"effort": call["reasoning_effort"]}} if call["reasoning_effort"] else None,
        }
    )


def _conversed(call: Call) -> dict[str, Any]:
    issued = [{"reasoningContent": {"reasoningText": {"text": "", "signature": call["sealed_out"]}}}] if call["sealed_out"] else []
    usage = {"inputTokens": call["input_tokens"] - (call["cached_tokens"] or 0), "outputTokens": bodies.whole(call), "totalTokens": 0}
    return {
        "output": {"message": {"role": "assistant", "content": [*issued, {"text": call["response"]}]}},
        "stopReason": bodies.MESSAGES_ENDS[call["finish"]],
        "usage": usage,
        "metrics": {"latencyMs": 1000},
    }


WRITERS = (
    Writer(
        name="bedrock",
        format="Amazon Bedrock invocation logs",
        suffix=".json",
        write=write,
        carries=(
            "call_id", "model", "end_user", "session", "temperature", "reasoning_effort", "tool_names", "system", "prompt", "turns", "response",
            "reasoning_out", "reasoning_in",
        ),
        own={
            "ts": lambda call: call["ts"] // 1_000_000 * 1_000_000,
            "account": _principal,
            "org": owner,
            "key": lambda call: call["key"] and f"{_principal(call)}/{call['key']}",
            "path": lambda call: "cloud",
            "endpoint": _operation,
            "stream": lambda call: bool(call["stream"]),
            "max_tokens": lambda call: call["max_tokens"] or (bodies.LONGEST if bodies.messages_api(call) else None),
            "images": bodies.pictures,
            "tools": bodies.offered,
            "status": lambda call: _ERRORS[call["status"]][1] if bodies.failed(call) else None,
            "finish": lambda call: _ERRORS[call["status"]][0] if bodies.failed(call) else bodies.MESSAGES_ENDS[call["finish"]],
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
            "cached_tokens": lambda call: None if bodies.failed(call) else call["cached_tokens"],
            "reasoning_tokens": lambda call: call["reasoning_tokens"] if bodies.messages_api(call) and not bodies.failed(call) else None,
        },
    ),
)  # fmt: skip
