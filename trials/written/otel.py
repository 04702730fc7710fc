"""OpenTelemetry's GenAI spans with content switched on: today's names as OTLP JSON and as binary OTLP, and the names of the first generation.

Names after the semantic conventions (1.38, and 1.27 for the old ones). The call's span lies in the span of the HTTP request around it, where the caller's
address and client stand. The conventions have no words for encrypted reasoning, the caller's organisation or key, log-probabilities and logit bias.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from written import bodies
from written.declare import Call, Writer

BATCH = 64
"Calls that are exported together; an exporter's default is 512 spans."


def _typed(given: Any) -> dict[str, Any]:
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    if isinstance(given, float):
        return {"doubleValue": given}
    if isinstance(given, list):
        return {"arrayValue": {"values": [_typed(each) for each in given]}}
    return {"stringValue": given}


def _pairs(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _typed(each)} for name, each in bodies.known(given).items()]


def _ids(call: Call) -> tuple[str, str, str]:
    """Trace, span and the span around it."""
    made = hashlib.sha256(call["call_id"].encode()).hexdigest()
    return made[:32], made[32:48], made[48:64]


def _spans(call: Call, attributes: dict[str, Any], events: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    trace, span, outer = _ids(call)
    start, end = str(call["ts"] * 1000), str(call["ts"] * 1000 + 10**9)
    http = {"http.request.method": "POST", "url.path": call["endpoint"], "client.address": call["ip"], "user_agent.original": call["user_agent"]}
    times = {"startTimeUnixNano": start, "endTimeUnixNano": end}
    return [
        {"traceId": trace, "spanId": outer, "name": "POST", "kind": 2, **times, "attributes": _pairs(http), "status": {}},
        {
            "traceId": trace, "spanId": span, "parentSpanId": outer, "name": f"chat {call['model']}", "kind": 3, **times, "attributes": _pairs(attributes),
            "events": [{"timeUnixNano": end, "name": name, "attributes": _pairs(held)} for name, held in events],
            "status": {"code": 2} if bodies.failed(call) else {},
        },
    ]  # fmt: skip


def _today(call: Call) -> list[dict[str, Any]]:
    good = not bodies.failed(call)
    text = {"type": "text", "content": call["prompt"]}
    asked = [*_earlier(call), {"role": "user", "parts": [text, *[{"type": "uri", "modality": "image", "uri": bodies.PICTURE}] * (call["images"] or 0)]}]
    said = [{"role": "assistant", "parts": [{"type": "text", "content": call["response"]}], "finish_reason": call["finish"]}]
    system = [{"type": "text", "content": call["system"]}] if call["system"] is not None else None
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in call["tool_names"] or ()]
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": call["model"],
        "gen_ai.request.max_tokens": call["max_tokens"],
        "gen_ai.request.temperature": call["temperature"],
        "gen_ai.request.choice.count": call["n"] if call["n"] != 1 else None,
        "gen_ai.conversation.id": call["session"],
        "user.id": call["account"],
        "gen_ai.tool.definitions": orjson.dumps(tools).decode() if tools else None,
        "gen_ai.system_instructions": orjson.dumps(system).decode() if system else None,
        "gen_ai.input.messages": orjson.dumps(asked).decode(),
        "error.type": None if good else str(call["status"]),
    }
    if good:
        attributes |= {
            "gen_ai.response.id": call["call_id"],
            "gen_ai.response.model": call["model"],
            "gen_ai.response.finish_reasons": [call["finish"]],
            "gen_ai.usage.input_tokens": call["input_tokens"],
            "gen_ai.usage.output_tokens": bodies.whole(call),
            "gen_ai.usage.cache_read.input_tokens": call["cached_tokens"],
            "gen_ai.usage.reasoning.output_tokens": call["reasoning_tokens"],
            "gen_ai.output.messages": orjson.dumps(said).decode(),
        }
    return _spans(call, attributes, [])


def _earlier(call: Call) -> list[dict[str, Any]]:
    said = [("user", bodies.EARLIER), ("assistant", bodies.ANSWERED)]
    return [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in (said[at % 2] for at in range(call["turns"] - 1))]


def _first(call: Call) -> list[dict[str, Any]]:
    """The first generation: prompts and answers as events of the span, tokens under other names."""
    good = not bodies.failed(call)
    attributes = {
        "gen_ai.system": "openai",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": call["model"],
        "gen_ai.request.max_tokens": call["max_tokens"],
        "gen_ai.request.temperature": call["temperature"],
        "enduser.id": call["account"],
        "session.id": call["session"],
        "error.type": None if good else str(call["status"]),
    }
    events = [("gen_ai.content.prompt", {"gen_ai.prompt": orjson.dumps(bodies.chat_request({**call, "sealed_in": []})["messages"]).decode()})]
    if good:
        attributes |= {
            "gen_ai.response.id": call["call_id"],
            "gen_ai.response.finish_reasons": [call["finish"]],
            "gen_ai.usage.prompt_tokens": call["input_tokens"],
            "gen_ai.usage.completion_tokens": bodies.whole(call),
        }
        events.append(("gen_ai.content.completion", {"gen_ai.completion": orjson.dumps([{"role": "assistant", "content": call["response"]}]).decode()}))
    return _spans(call, attributes, events)


def _exports(calls: Sequence[Call], made: Any) -> list[dict[str, Any]]:
    resource = {"attributes": _pairs({"service.name": "gateway", "telemetry.sdk.language": "python"})}
    exports = []
    for at in range(0, len(calls), BATCH):
        spans = [span for call in calls[at : at + BATCH] for span in made(call)]
        exports.append({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "tracer"}, "spans": spans}]}]})
    return exports


def write(calls: Sequence[Call]) -> bytes:
    """One export a line, as the Collector's file exporter writes them."""
    return b"".join(orjson.dumps(each) + b"\n" for each in _exports(calls, _today))


def write_old(calls: Sequence[Call]) -> bytes:
    """The same under the names of the first generation."""
    return b"".join(orjson.dumps(each) + b"\n" for each in _exports(calls, _first))


def write_binary(calls: Sequence[Call]) -> bytes:
    """Binary OTLP: messages one after the other, each behind its length in four bytes, as the Collector's file exporter writes them."""
    made = bytearray()
    for export in _exports(calls, _today):
        for span in export["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()  # as protobuf's own JSON has bytes
        message = ParseDict(export, ExportTraceServiceRequest()).SerializeToString()
        made += len(message).to_bytes(4, "big") + message
    return bytes(made)


_CARRIES = ("ts", "account", "model", "session", "ip", "user_agent", "max_tokens", "temperature", "system", "prompt", "response")
_OWN = {
    "call_id": lambda call: ":".join(_ids(call)[:2]) if bodies.failed(call) else call["call_id"],
    "upstream_id": lambda call: None if bodies.failed(call) else call["call_id"],
    "endpoint": lambda call: "chat",
    "images": bodies.pictures,
    "status": lambda call: call["status"] if bodies.failed(call) else None,
    "finish": lambda call: str(call["status"]) if bodies.failed(call) else call["finish"],
    "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
    "output_tokens": bodies.whole,
}
_TODAY = {
    "n": lambda call: call["n"] if call["n"] != 1 else None,
    "reasoning_tokens": lambda call: None if bodies.failed(call) else call["reasoning_tokens"],
    "cached_tokens": lambda call: None if bodies.failed(call) else call["cached_tokens"],
}

WRITERS = (
    Writer("otel", "OpenTelemetry GenAI spans, OTLP JSON", ".json", write, (*_CARRIES, "turns", "tools", "tool_names"), _OWN | _TODAY),
    Writer("otel-old", "OpenTelemetry GenAI spans, OTLP JSON", ".json", write_old, _CARRIES, {**_OWN, "turns": bodies.with_system}),
    Writer("otel-protobuf", "OpenTelemetry GenAI spans, binary OTLP", ".binpb", write_binary, (*_CARRIES, "turns", "tools", "tool_names"), _OWN | _TODAY),
)
