"""Langfuse's exports of observations and traces: JSON Lines, JSON arrays, the pages of its API, and the files it writes to object storage.

Fields after Langfuse's API reference (`ObservationV2`, `Observation`, `Trace`) and its reference of blob storage exports, which spell the same
names in snake_case. A model's call is an observation of the type GENERATION or EMBEDDING. Who called stands on the observation in
newer exports, on its trace in older ones: a first walk through the file collects traces, so that their order does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.intake import chat, documents, jsonlines, messages
from stillwatch.intake.chat import Body, first, instant, part, several
from stillwatch.intake.columns import ROWS, Unusable, value
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source
from stillwatch.records import Rejected

ACCOUNT = "no account: set userId when tracing, or metadata.account; neither the observation nor its trace in this file has one, nor a projectId"
FOREIGN = "neither an observation nor a trace"
NO_CALL = "no observation of the type GENERATION or EMBEDDING in the file"

_CALLS = ("GENERATION", "EMBEDDING")

_OWN = {"traceId", "trace_id"}
_MORE = {"parentObservationId", "parent_observation_id", "usageDetails", "usage_details", "providedModelName", "provided_model_name", "modelParameters"}

_FROM_TRACE = ("userId", "sessionId", "projectId", "metadata")
"What an observation takes from its trace where it does not say so itself."


def recognises(opening: Opening) -> bool:
    """Some object, or the beginning of an array, has the names of an observation, or of a trace that holds some."""
    if opening.container not in ("json", "array"):
        return False
    seen = not opening.records or opening.head.lstrip().startswith(b"[")
    return any(_ours(_names(record)) for record in opening.records) or (seen and _ours(documents.names(opening.head)))


def _names(record: Body, deep: int = 2) -> set[str]:
    inner = [each for name in ("data", "observations") for each in several(record.get(name))[:3] if isinstance(each, dict)]
    return {*record, *(name for each in inner if deep for name in _names(each, deep - 1))}


def _ours(names: Any) -> bool:
    start = not {"startTime", "start_time"}.isdisjoint(names)
    return start and "type" in names and not _OWN.isdisjoint(names) and not _MORE.isdisjoint(names)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls; an observation that cannot be used is rejected under the line on which its record begins."""
    traces: dict[str, Body] = {}
    for _ in documents.objects(source, lambda line: _noted(line, traces), lambda _: None):
        pass
    kept: list[tuple[int, Body]] = []
    seen = False
    for numbers, found in documents.objects(source, lambda line: _calls(line, traces), reject):
        for number, line in zip(numbers.tolist(), found, strict=True):
            for made in line["calls"]:
                seen = True
                if isinstance(made, str):
                    reject(Rejected(source.name, number, made))
                else:
                    kept.append((number, made))
            if len(kept) >= ROWS:
                yield _batch(source, kept, reject)
                kept = []
    if kept:
        yield _batch(source, kept, reject)
    if not seen:
        reject(Rejected(source.name, None, NO_CALL))


def _batch(source: Source, kept: list[tuple[int, Body]], reject: Reject) -> pa.RecordBatch:
    return jsonlines.batch(source, (np.array([at for at, _ in kept], np.int64), [each for _, each in kept]), CANONICAL, reject)


def _spelled(record: Body) -> Body:
    """A record under the API's camelCase names, whichever way it spells them."""
    return {re.sub("_([a-z])", lambda each: each[1].upper(), name): given for name, given in record.items()}


def _page(line: Body) -> list[Any]:
    """The records of a line: itself, or those of one page of the API."""
    return line["data"] if isinstance(line.get("data"), list) and "traceId" not in line and "trace_id" not in line else [line]


def _is_trace(record: Body) -> bool:
    return "id" in record and "traceId" not in record and ("timestamp" in record or "observations" in record)


def _told(trace: Body) -> Body:
    return {name: trace[name] for name in _FROM_TRACE if first(trace.get(name)) is not None}


def _noted(line: Body, traces: dict[str, Body]) -> Body:
    """Keeps of each trace what its observations take from it, where there is something."""
    for given in _page(line):
        record = _spelled(part(given))
        told = _told(record)
        if told and _is_trace(record) and isinstance(record["id"], str):
            traces[record["id"]] = told
    return {}


def _calls(line: Body, traces: dict[str, Body]) -> Body:
    made: list[Body | str] = []
    for given in _page(line):
        record = _spelled(part(given))
        if _is_trace(record):
            found = [_spelled(each) for each in several(record.get("observations")) if isinstance(each, dict)]
        elif {"type", "startTime"} <= record.keys() or "traceId" in record:
            found = [record]
        else:
            made.append(FOREIGN)
            continue
        for each in found:
            kind = each.get("type")
            if isinstance(kind, str) and kind.upper() not in _CALLS:
                continue
            trace = each.get("traceId")
            around = _told(record) if each is not record else traces.get(trace, {}) if isinstance(trace, str) else {}
            try:
                made.append(call(each, around))
            except Unusable as error:
                made.append(str(error))
    return {"calls": made}


def call(given: Body, trace: Body) -> Body:
    """An observation as one flat call under canonical names, with what its trace tells. Raises `Unusable`."""
    metadata = part(_opened(trace.get("metadata"))) | part(_opened(given.get("metadata")))
    told = {**trace, **{name: each for name, each in given.items() if first(each) is not None}, "metadata": metadata}
    asked, parameters = _opened(given.get("input")), part(_opened(given.get("modelParameters")))
    made = _said(asked, part(asked)) | _set(parameters, part(asked), given) | _answered(given) | _usage(told) | _caller(told, metadata) | {
        "call_id": told.get("id"),
        "ts": instant(told.get("startTime")),
        "model": first(told.get("model"), told.get("providedModelName")),
        "cost": _fitting("cost", part(_opened(told.get("costDetails"))).get("total"), told.get("totalCost"), told.get("calculatedTotalCost")),
        "session": _fitting("session", told.get("sessionId")),
    }  # fmt: skip
    made |= chat.beside(given)
    if first(made["account"]) is None:
        raise Unusable(ACCOUNT)
    return made


def _opened(given: Any) -> Any:
    """What a text holds as JSON; any other text is itself."""
    if not isinstance(given, str) or not given.lstrip().startswith(("[", "{")):
        return given
    try:
        return orjson.loads(given)
    except orjson.JSONDecodeError:
        return given


def _fitting(name: str, *given: Any) -> Any:
    """The first value that a column can hold, numbers also where they are texts: Langfuse keeps parameters as texts at times."""
    for each in given:
        for tried in (each, _opened(f"[{each}]") if isinstance(each, str) else None):
            try:
                tried = tried[0] if isinstance(tried, list) and len(tried) == 1 and isinstance(each, str) else tried
                if first(tried) is not None:
                    return value(name, tried)
            except Unusable:
                continue
    return None


def _said(asked: Any, body: Body) -> Body:
    """The request's texts; an input that is no conversation (any JSON may stand there) is unknown."""
    try:
        return messages.conversation(first(body.get("system"), body.get("instructions")), asked, "input")
    except Unusable:
        return {}


def _set(parameters: Body, body: Body, given: Body) -> Body:
    """Request parameters; tools stand among them, in the input, or apart."""
    offered = _opened(first(parameters.get("tools"), body.get("tools"), given.get("toolDefinitions")))
    if isinstance(offered, dict):  # by name
        offered = [{"name": name} for name in offered]
    found = messages.parameters({**parameters, "tools": [_opened(each) for each in several(offered)]})
    return {name: _fitting(name, each) for name, each in found.items()}


def _answered(given: Body) -> Body:
    made = messages.reply(_opened(given.get("output")))
    failed = given.get("level") == "ERROR"
    return made | {"finish": first(_fitting("finish", made["finish"]), "error" if failed else None)}


def _usage(told: Body) -> Body:
    """Tokens. `input` and `output` may leave out what is counted under names of their own (`input_cached_tokens`): sums are the whole."""
    details = part(_opened(told.get("usageDetails"))) or part(_opened(told.get("usage")))
    known = {name: each for name, each in details.items() if type(each) in (int, float) and not name.endswith("Cost")}
    asked = [each for name, each in known.items() if name.startswith("input") or name.startswith("cache_")]
    made = [each for name, each in known.items() if name.startswith("output")]
    cached = (known.get(name) for name in ("input_cached_tokens", "input_cache_read", "cache_read_input_tokens", "input_cached"))
    reasoning = (known.get(name) for name in ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens"))
    return {
        "input_tokens": first(chat.total("input_tokens", *asked), told.get("promptTokens"), known.get("prompt_tokens")) or None,
        "output_tokens": first(chat.total("output_tokens", *made), told.get("completionTokens"), known.get("completion_tokens")),
        "cached_tokens": _fitting("cached_tokens", *cached),
        "reasoning_tokens": _fitting("reasoning_tokens", *reasoning),
    }


def _caller(told: Body, metadata: Body) -> Body:
    """Who called: metadata may name what Langfuse has no word for."""
    user = _fitting("account", told.get("userId"))
    account = _fitting("account", metadata.get("account"), metadata.get("account_id"), user, told.get("projectId"))
    return {
        "account": account,
        "end_user": user if user != account else _fitting("end_user", metadata.get("end_user"), metadata.get("end_user_id")),
        "org": _fitting("org", metadata.get("org"), metadata.get("org_id"), metadata.get("user_api_key_org_id")),
        "key": _fitting("key", metadata.get("key"), metadata.get("api_key_id"), metadata.get("user_api_key_hash")),
        "ip": _fitting("ip", metadata.get("ip"), metadata.get("client_ip"), metadata.get("requester_ip_address")),
        "user_agent": _fitting("user_agent", metadata.get("user_agent")),
    }


def _lines(*records: Body) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in records)


def _observation(**fields: Any) -> Body:
    """An observation as the API gives it."""
    return {
        "id": "o-1",
        "traceId": "t-1",
        "startTime": "2025-06-15T15:06:40.250Z",
        "endTime": "2025-06-15T15:06:41.000Z",
        "projectId": "p-1",
        "parentObservationId": None,
        "type": "GENERATION",
        "name": "answer",
        "level": "DEFAULT",
        "userId": "a1",
        "sessionId": "s-1",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        ],
        "output": {"role": "assistant", "content": "Done"},
        "metadata": {},
        "model": "m-1",
        "modelParameters": {"temperature": "0.2", "max_tokens": "5", "tools": '[{"type":"function","function":{"name":"look"}}]'},
        "usageDetails": {"input": 8, "input_cached_tokens": 4, "output": 2, "output_reasoning_tokens": 1, "total": 15},
        "costDetails": {"input": 0.125, "output": 0.125, "total": 0.25},
    } | fields


_BLOB = {
    "id": "o-2",
    "trace_id": "t-1",
    "project_id": "p-1",
    "type": "GENERATION",
    "start_time": "2025-06-15 15:06:40.250000",
    "parent_observation_id": None,
    "input": '{"messages": [{"role": "user", "content": "Go on"}], "tools": [{"name": "look"}]}',
    "output": "Gone",
    "provided_model_name": "m-1",
    "model_parameters": '{"max_tokens": 9}',
    "usage_details": {"input": 4, "output": 2, "total": 6},
    "total_cost": 0.5,
    "user_id": "",
    "session_id": None,
    "metadata": {},
}
_CALL = {
    "call_id": "o-1",
    "ts": 1750000000250000,
    "account": "a1",
    "session": "s-1",
    "model": "m-1",
    "system": "Be brief.",
    "prompt": "Hi",
    "turns": 2,
    "images": 1,
    "response": "Done",
    "temperature": 0.2,
    "max_tokens": 5,
    "tools": 1,
    "tool_names": ["look"],
    "input_tokens": 12,
    "cached_tokens": 4,
    "output_tokens": 3,
    "reasoning_tokens": 1,
    "cost": 0.25,
}
_TEXTS = ("system", "prompt", "turns", "images", "response")
_BLOB_CALL = {
    "call_id": "o-2",
    "ts": 1750000000250000,
    "model": "m-1",
    "prompt": "Go on",
    "turns": 1,
    "images": 0,
    "response": "Gone",
    "max_tokens": 9,
    "tools": 1,
    "tool_names": ["look"],
    "input_tokens": 4,
    "output_tokens": 2,
    "cost": 0.5,
}

FORMAT = Format(
    name="Langfuse export",
    page="Observations and traces as JSON Lines or as an array, on one line or many: the API's pages, the export of a table, and the files of the blob "
    "storage integration (`observations_v2/`, or the older `observations/` and `traces/` put together in one file). Observations of the types "
    "GENERATION and EMBEDDING are calls; other observations are passed over, and traces give user, session and metadata to their "
    "observations in the same file, wherever they stand in it. The account is `metadata.account`, else `userId`, else `projectId`: where "
    "Langfuse traces your own application only, the project is the one account there is. With `metadata.account` the user is the end user. "
    "Organisation, key, address and client come from metadata (`org`, `key` or `api_key_id`, `ip`, `user_agent`, and the names that LiteLLM "
    "uses); canonical names beside the observation's come first. Input and output are read as messages of the usual APIs or as text; other "
    "JSON leaves them unknown. Counts of tokens under several names (`input`, `input_cached_tokens`) are added up. Not told: endpoint and HTTP "
    "status. A sampling rate set in the SDK is not in the export: put it beside each observation as `sampled`.",
    suffix=".jsonl",
    order=19,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads(
            "an observation of the API, a span beside it, one without content",
            lambda: _lines(_observation(), _observation(id="o-0", type="SPAN"), _observation(id="o-3", input=None, output=None)),
            (_CALL, {**{name: each for name, each in _CALL.items() if name not in _TEXTS}, "call_id": "o-3"}),
        ),
        Reads(
            "files of the blob storage in an array over many lines: a trace that follows its observation",
            lambda: orjson.dumps(
                [_BLOB, {"id": "t-1", "timestamp": "2025-06-15 15:06:40.0", "user_id": "a1", "session_id": "s-1"}], option=orjson.OPT_INDENT_2
            ),
            ({**_BLOB_CALL, "account": "a1", "session": "s-1"},),
        ),
        Reads(
            "a page of traces on one line, with their observations; metadata names the account, else the project is it",
            lambda: _lines(
                {
                    "data": [
                        {
                            "id": "t-2",
                            "timestamp": "2025-06-15T15:06:40Z",
                            "userId": "e-1",
                            "metadata": {"account": "a2", "org": "o-1", "key": "k-1", "ip": "192.0.2.1"},
                            "observations": [_observation(traceId="t-2", userId=None, level="ERROR", output=None)],
                        },
                        {"id": "t-3", "timestamp": "2025-06-15T15:06:40Z", "observations": [_BLOB | {"trace_id": "t-3"}]},
                    ],
                    "meta": {"page": 1},
                }
            ),
            (
                {name: each for name, each in _CALL.items() if name != "response"}
                | {"account": "a2", "end_user": "e-1", "org": "o-1", "key": "k-1", "ip": "192.0.2.1", "finish": "error"},
                {**_BLOB_CALL, "account": "p-1"},
            ),
        ),
        Rejects(
            "no account, a strange time, a count that is none, no model, something else; JSON that breaks off",
            lambda: (
                _lines(
                    _observation(userId=None, projectId=None),
                    _observation(startTime="soon"),
                    _observation(usageDetails={"input": -1}),
                    _observation(model=None),
                    {"id": "sc-1", "name": "score", "value": 1},
                )
                + b'{"id": "o-1",\n'
                + _lines(_observation())
            ),
            (
                (1, ACCOUNT),
                (2, "ts is neither an ISO 8601 text nor a number"),
                (3, "input_tokens is negative"),
                (4, "model is missing or empty"),
                (5, FOREIGN),
                (6, "the JSON breaks off"),
            ),
            left=1,
        ),
        Rejects(
            "an array whose second observation lacks a quote, over lines and on one line",
            lambda: b"[\n" + b",\n".join(_broken()) + b"\n]\n[" + b",".join(_broken()) + b"]\n",
            ((3, "the line is not valid JSON"), (6, "the line is not valid JSON")),
            left=4,
        ),
    ),
)


def _broken() -> list[bytes]:
    good, other = (orjson.dumps(_observation(id=each)) for each in ("o-1", "o-3"))
    return [good, good.replace(b'"answer"', b'"answer', 1), other]
