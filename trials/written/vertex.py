"""Vertex AI's request-response logs: rows of the BigQuery table, exported as JSON, with Gemini's bodies.

Columns after Vertex AI's guide, bodies after the Gemini API. A customer is a project; end user and session are labels of the request. The request's id
is a number. The table knows neither the caller's address, client or key, nor the HTTP status; a refused call has no response.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from written import bodies
from written.declare import Call, Writer

_ENDS = {"stop": "STOP", "length": "MAX_TOKENS", None: None}


def write(calls: Sequence[Call]) -> bytes:
    """One row a line."""
    return b"".join(orjson.dumps(_row(call)) + b"\n" for call in calls)


def _number(call: Call) -> int:
    """A request's id, of 63 bits."""
    return int(hashlib.sha256(call["call_id"].encode()).hexdigest()[:16], 16) >> 1


def _method(call: Call) -> str:
    return "streamGenerateContent" if call["stream"] else "generateContent"


def _row(call: Call) -> dict[str, Any]:
    where = f"projects/{call['account']}/locations/us-central1/publishers/google/models/{call['model']}"
    return {
        "endpoint": f"https://us-central1-aiplatform.googleapis.com/v1/{where}",
        "deployed_model_id": "",
        "logging_time": bodies.iso(call["ts"], end=" UTC", between=" "),
        "request_id": _number(call),
        "request_payload": [],
        "response_payload": [],
        "model": call["model"],
        "model_version": "001",
        "api_method": _method(call),
        "full_request": _asked(call),
        "full_response": None if bodies.failed(call) else _answered(call),
        "metadata": {},
    }


def _asked(call: Call) -> dict[str, Any]:
    turns: list[dict[str, Any]] = [
        {"role": ("user", "model")[at % 2], "parts": [{"text": (bodies.EARLIER, bodies.ANSWERED)[at % 2]}]} for at in range(call["turns"] - 1)
    ]  # fmt: skip
    if call["sealed_in"]:
        turns[-1]["parts"] += [{"functionCall": {"name": "look", "args": {}}, "thoughtSignature": each} for each in call["sealed_in"]]
    picture = {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a.png"}}
    turns.append({"role": "user", "parts": [{"text": call["prompt"]}, *[picture] * (call["images"] or 0)]})
    config = bodies.known(
        {
            "maxOutputTokens": call["max_tokens"],
            "temperature": call["temperature"],
            "candidateCount": call["n"],
            "responseLogprobs": call["logprobs"],
            "logprobs": call["top_logprobs"],
            "thinkingConfig": {"thinkingLevel": call["reasoning_effort"].upper()} if call["reasoning_effort"] else None,
        }
    )
    labels = bodies.known({"user_id": call["end_user"], "session_id": call["session"]})
    return {"contents": turns} | bodies.known(
        {
            "systemInstruction": {"parts": [{"text": call["system"]}]} if call["system"] is not None else None,
            "generationConfig": config or None,
            "tools": [{"functionDeclarations": [{"name": name} for name in call["tool_names"]]}] if call["tool_names"] else None,
            "labels": labels or None,
        }
    )


def _answered(call: Call) -> dict[str, Any]:
    said = bodies.known({"text": call["response"], "thoughtSignature": call["sealed_out"]})
    usage = {
        "promptTokenCount": call["input_tokens"],
        "candidatesTokenCount": call["output_tokens"],
        "thoughtsTokenCount": call["reasoning_tokens"],
        "cachedContentTokenCount": call["cached_tokens"],
    }
    return {
        "candidates": [{"content": {"role": "model", "parts": [said]}, "finishReason": _ENDS[call["finish"]], "index": 0}],
        "usageMetadata": bodies.known(usage),
        "responseId": f"g-{call['call_id']}",
        "modelVersion": call["model"],
    }


WRITERS = (
    Writer(
        name="vertex",
        format="Vertex AI request-response logs",
        suffix=".jsonl",
        write=write,
        carries=(
            "ts", "account", "model", "end_user", "session", "max_tokens", "temperature", "n", "logprobs", "top_logprobs", "tool_names", "system",
            "prompt", "turns", "response", "reasoning_out", "reasoning_in",
        ),
        own={
            "call_id": lambda call: str(_number(call)),
            "path": lambda call: "cloud",
            "endpoint": _method,
            "stream": lambda call: bool(call["stream"]),
            "reasoning_effort": lambda call: call["reasoning_effort"] and call["reasoning_effort"].upper(),
            "images": bodies.pictures,
            "tools": bodies.offered,
            "finish": lambda call: _ENDS[call["finish"]],
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
            "reasoning_tokens": lambda call: None if bodies.failed(call) else call["reasoning_tokens"],
            "cached_tokens": lambda call: None if bodies.failed(call) else call["cached_tokens"],
        },
    ),
)  # fmt: skip
