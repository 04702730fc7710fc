"""OpenTelemetry traces as OTLP JSON: one export of spans a line, as the Collector's file exporter writes them.

Encoding after the OTLP specification (JSON Protobuf encoding: ids in hex, 64-bit numbers as texts). What a span says of a call is read
in `intake.spans`, for the binary encoding says the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.intake import documents, jsonlines, spans
from stillwatch.intake.chat import Body, bare, part, several
from stillwatch.intake.columns import ROWS
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.spans import ACCOUNT, Span
from stillwatch.intake.stream import Source
from stillwatch.records import Rejected

_DEEP = 16
"How deep a value may lie in values; no message does."


def recognises(opening: Opening) -> bool:
    """Some object, or the beginning of one over many lines, has the name under which OTLP exports spans."""
    if opening.container not in ("json", "array"):
        return False
    return any("resourceSpans" in record for record in opening.records) or "resourceSpans" in documents.names(opening.head)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls; a call that cannot be used is rejected under its export's line."""
    lines = opening.container == "json" and "resourceSpans" in opening.columns
    runs = jsonlines.objects(source, ("resourceSpans",), _calls, reject) if lines else documents.objects(source, _calls, reject)
    for numbers, found in runs:
        yield from batches(source, zip(numbers.tolist(), (line["calls"] for line in found), strict=True), reject)


def batches(source: Source, exports: Iterator[tuple[int, list[Body | str]]], reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of the calls of several exports, each with its number."""
    kept: list[tuple[int, Body]] = []
    for number, made in exports:
        for each in made:
            if isinstance(each, str):
                reject(Rejected(source.name, number, each))
            else:
                kept.append((number, each))
        if len(kept) >= ROWS:
            yield from _batches(source, kept, reject)
            kept = []
    yield from _batches(source, kept, reject)


def _batches(source: Source, kept: list[tuple[int, Body]], reject: Reject) -> Iterator[pa.RecordBatch]:
    for run in (kept[at : at + ROWS] for at in range(0, len(kept), ROWS)):
        yield jsonlines.batch(source, (np.array([at for at, _ in run], np.int64), [each for _, each in run]), CANONICAL, reject)


def _calls(line: Body) -> Body:
    found, broken = _spans(line)
    return {"calls": [*broken, *spans.calls(found)]}


def _spans(line: Body) -> tuple[list[Span], list[str]]:
    """The spans of an export, and what is wrong with those that are none."""
    if "resourceSpans" not in line:  # the exporter may write metrics and logs to the same file
        return [], [] if {"resourceMetrics", "resourceLogs"} & line.keys() else ["no resourceSpans"]
    found: list[Span] = []
    broken: list[str] = []
    for made in several(line["resourceSpans"]):
        resource = _attributes(part(part(made).get("resource")).get("attributes"))
        for name in ("scopeSpans", "instrumentationLibrarySpans"):
            for scope in several(part(made).get(name)):
                for each in several(part(scope).get("spans")):
                    if isinstance(each, dict):
                        found.append(_span(each, resource))
                    else:
                        broken.append("a span is not an object")
    if not isinstance(line["resourceSpans"], list):
        broken.append("resourceSpans is not a list")
    return found, broken


def _span(given: Body, resource: Body) -> Span:
    ids = [given[name].lower() if isinstance(given.get(name), str) else "" for name in ("traceId", "spanId", "parentSpanId")]
    state = given.get("traceState")
    events = [each for each in several(given.get("events")) if isinstance(each, dict)]
    return Span(
        trace=ids[0],
        id=ids[1],
        parent=ids[2],
        start=given.get("startTimeUnixNano"),
        state=state if isinstance(state, str) else "",
        attributes=_attributes(given.get("attributes")),
        events=tuple((bare(each.get("name")), _attributes(each.get("attributes"))) for each in events),
        resource=resource,
    )


def _attributes(given: Any, deep: int = _DEEP) -> Body:
    pairs = [each for each in several(given) if isinstance(each, dict) and isinstance(each.get("key"), str)]
    return {each["key"]: _value(each.get("value"), deep) for each in pairs}


def _value(given: Any, deep: int) -> Any:
    """A value in OTLP's typed form; None for bytes, and for what is no value."""
    held = part(given)
    if "intValue" in held:
        return _number(held["intValue"], int)
    if "doubleValue" in held:
        return _number(held["doubleValue"], float)
    if "arrayValue" in held and deep:
        return [_value(each, deep - 1) for each in several(part(held["arrayValue"]).get("values"))]
    if "kvlistValue" in held and deep:
        return _attributes(part(held["kvlistValue"]).get("values"), deep - 1)
    plain = held.get("stringValue", held.get("boolValue"))
    return plain if isinstance(plain, str | bool) else None


def _number(given: Any, kind: type[int] | type[float]) -> Any:
    if type(given) in (int, float):
        return given
    try:
        return kind(given) if isinstance(given, str) and len(given) < 40 else None
    except ValueError:
        return None


def _typed(given: Any) -> Body:
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    if isinstance(given, float):
        return {"doubleValue": given}
    if isinstance(given, list):
        return {"arrayValue": {"values": [_typed(each) for each in given]}}
    if isinstance(given, dict):
        return {"kvlistValue": {"values": _pairs(given)}}
    return {"stringValue": given}


def _pairs(given: Body) -> list[Body]:
    return [{"key": name, "value": _typed(each)} for name, each in given.items()]


def _made(name: str, attributes: Body, events: tuple[tuple[str, Body], ...] = (), **fields: Any) -> Body:
    made = {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "eee19b7ec3c1b174",
        "name": name,
        "kind": 3,
        "startTimeUnixNano": "1750000000250000999",
        "endTimeUnixNano": "1750000001500000000",
        "attributes": _pairs(attributes),
        "events": [{"timeUnixNano": "1750000001500000000", "name": event, "attributes": _pairs(held)} for event, held in events],
        "status": {},
    }
    return made | fields


def _export(*found: Any, resource: Body | None = None) -> bytes:
    scopes = [{"scope": {"name": "tracer"}, "spans": list(found)}]
    return orjson.dumps({"resourceSpans": [{"resource": {"attributes": _pairs(resource or {})}, "scopeSpans": scopes}]}) + b"\n"


_PLAIN = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1", "enduser.id": "a1"}
_CALL = {
    "call_id": "5b8efff798038103d269b633813fc60c:eee19b7ec3c1b174",
    "ts": 1750000000250000,
    "account": "a1",
    "model": "m-1",
    "endpoint": "chat",
}
_NEW = {
    "gen_ai.provider.name": "openai",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.response.model": "m-1-2025",
    "gen_ai.response.id": "resp-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.request.max_tokens": 9,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.choice.count": 2,
    "gen_ai.request.stream": True,
    "gen_ai.usage.input_tokens": 4,
    "gen_ai.usage.output_tokens": 3,
    "gen_ai.usage.cache_read.input_tokens": 2,
    "gen_ai.usage.reasoning.output_tokens": 1,
    "gen_ai.conversation.id": "s-1",
    "gen_ai.tool.definitions": '[{"type":"function","name":"look"}]',
    "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
    "gen_ai.input.messages": [
        {"role": "assistant", "parts": [{"type": "text", "content": "Yes?"}]},
        {"role": "user", "parts": [{"type": "text", "content": "Go on"}, {"type": "uri", "modality": "image", "uri": "u"}]},
    ],
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"reasoning","content":"So."},{"type":"text","content":"Gone"}],"finish_reason":"stop"}]',
}
_NEW_CALL = _CALL | {
    "call_id": "resp-1",
    "upstream_id": "resp-1",
    "session": "s-1",
    "ip": "192.0.2.1",
    "user_agent": "sdk/1",
    "sampled": 0.25,
    "max_tokens": 9,
    "temperature": 0.5,
    "n": 2,
    "stream": True,
    "tools": 1,
    "tool_names": ["look"],
    "system": "Be brief.",
    "prompt": "Go on",
    "turns": 2,
    "images": 1,
    "response": "Gone",
    "input_tokens": 4,
    "output_tokens": 3,
    "cached_tokens": 2,
    "reasoning_tokens": 1,
    "finish": "stop",
}
_REQUEST = _made("POST /v1", {"client.address": "192.0.2.1", "user_agent.original": "sdk/1", "user.id": "a1"}, spanId="aa", kind=2)
_FLAT = {
    "gen_ai.system": "openai",
    "llm.request.type": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": '[{"type":"text","text":"Go on"},{"type":"image_url","image_url":{"url":"u"}}]',
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Gone",
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.usage.prompt_tokens": 4,
    "gen_ai.usage.completion_tokens": 3,
    "llm.request.functions.0.name": "look",
}
_EVENTS = (
    ("gen_ai.system.message", {"content": "Be brief."}),
    ("gen_ai.user.message", {"gen_ai.event.content": '{"content":"Go on"}'}),
    ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Gone"}}),
)
_CONTENT = (
    ("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role":"system","content":"Be brief."},{"role":"user","content":"Go on"}]'}),
    ("gen_ai.content.completion", {"gen_ai.completion": '[{"role":"assistant","content":"Gone"}]'}),
)
_SAID = {"system": "Be brief.", "prompt": "Go on", "turns": 2, "images": 0, "response": "Gone", "finish": "stop"}

FORMAT = Format(
    name="OpenTelemetry GenAI spans, OTLP JSON",
    page="One export of spans a line (`resourceSpans`), as the Collector's file exporter writes them, or over many lines. Each span of a model's call counts, by "
    "`gen_ai.*` attributes of any generation (also OpenLLMetry's numbered ones) and by span events; agents, tools and other spans do not, and "
    "of two spans of one call, one inside the other, the inner one does. The account is `account`, `account.id`, `customer.id` or "
    "`tenant.id`, else `enduser.id`, else `user.id` (which is the end user where an account is named too), else what LiteLLM says of its "
    "virtual key, else `service.name`: spans of your own applications have no other account. It is looked for on the span, on the spans around it in the same export, and on the resource, as are "
    "`client.address`, `user_agent.original`, `session.id` and canonical names with `stillwatch.` in front (`stillwatch.plan`). "
    "The session is `gen_ai.conversation.id`. Texts are there only where "
    "capturing them was switched on, as attributes or span events: events that were exported as log records are not read. "
    "The probability of head sampling (`ot=th:` in `tracestate`) becomes `sampled`; what a Collector dropped later is not told.",
    suffix=".json",
    order=30,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads(
            "today's names, the HTTP request around the call, sampling; an agent and a tool are no calls",
            lambda: _export(
                _REQUEST,
                _made("invoke_agent", {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m-1"}, spanId="bb", parentSpanId="aa"),
                _made("chat m-1", _NEW, parentSpanId="bb", traceState="v=1,ot=th:c;rv:ffffffffffffff"),
                _made("execute_tool look", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look"}, spanId="cc", parentSpanId="bb"),
            ),
            (_NEW_CALL,),
        ),
        Reads(
            "numbered attributes, the account on the resource, whole numbers as identifiers, what the log's keeper added",
            lambda: _export(_made("openai.chat", _FLAT), resource={"customer.id": 7, "user.id": "e-1", "stillwatch.plan": "pro"}),
            (
                _CALL
                | _SAID
                | {"account": "7", "end_user": "e-1", "plan": "pro", "images": 1, "tools": 1, "tool_names": ["look"], "input_tokens": 4, "output_tokens": 3},
            ),
        ),
        Reads(
            "span events of two generations; a call that failed and whose prompt was cut off",
            lambda: (
                _export(_made("chat", _PLAIN, _EVENTS))
                + _export(_made("chat", _PLAIN, (*_CONTENT, ("gen_ai.choice", {"finish_reason": "stop"}))) | {"spanId": "02"})
                + _export(_made("chat", {**_PLAIN, "error.type": "429", "gen_ai.input.messages": '[{"role":"us'}) | {"spanId": "03"})
            ),
            (
                _CALL | _SAID,
                _CALL | _SAID | {"call_id": "5b8efff798038103d269b633813fc60c:02", "finish": None},
                _CALL | {"call_id": "5b8efff798038103d269b633813fc60c:03", "status": 429, "finish": "429"},
            ),
        ),
        Reads(
            "two instruments wrote down one call, one inside the other",
            lambda: _export(_made("outer", _PLAIN, spanId="aa"), _made("inner", {**_PLAIN, "enduser.id": "a1"}, parentSpanId="aa")),
            (_CALL,),
        ),
        Rejects(
            "no account, no time, no ids, counts that are none, a span that is none; what is left of the export is read",
            lambda: (
                _export(
                    _made("chat", {**_PLAIN, "enduser.id": ""}),
                    _made("chat", _PLAIN, startTimeUnixNano=None),
                    7,
                    _made("chat", _PLAIN),
                )
                + _export(_made("chat", _PLAIN, spanId=None))
                + _export(_made("chat", {**_PLAIN, "gen_ai.usage.input_tokens": "four"}))
                + _export(_made("chat", _PLAIN, startTimeUnixNano="soon"))
                + b'{"resourceSpans":{}}\n{"spans":[]}\n{"resourceMetrics":[]}\n'
            ),
            (
                (1, "a span is not an object"),
                (1, ACCOUNT),
                (1, "ts is missing or empty"),
                (2, "call_id is missing or empty"),
                (3, "input_tokens is not a whole number"),
                (4, "startTimeUnixNano is not a whole number"),
                (5, "resourceSpans is not a list"),
                (6, "no resourceSpans"),
            ),
            left=1,
        ),
    ),
)
