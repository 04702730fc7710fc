"""Requests and responses of Anthropic's Messages API, one pair a line, with what the provider knows beside them.

Fields after the API's reference and its Python client (messages, streaming events, message batches). Neither body names
the account: it stands beside them, or in the response's headers. The bodies themselves are read in `intake.chat`, for clouds carry them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from stillwatch.intake import chat, jsonlines
from stillwatch.intake.chat import Body, first, instant, part, several
from stillwatch.intake.columns import Unusable
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source

ACCOUNT = "no account: put account, workspace_id, organization_id or api_key_id beside request"

_ONCE = ("call_id", "ts", "account", "request", "response")

_CONTEXT = ("context", "auth")
"Objects in which the account's names may stand instead of beside the bodies."


def recognises(opening: Opening) -> bool:
    """More lines with names that only the Messages API has than with names that only OpenAI's APIs have."""
    if opening.container != "json":
        return False
    bodies = [_bodies(record) for record in opening.records]
    foreign = [_foreign(*each) for each in bodies]
    ours = sum(not other and _ours(record, *each) for record, each, other in zip(opening.records, bodies, foreign, strict=True))
    return ours > sum(foreign)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls."""
    for run in jsonlines.objects(source, _ONCE, call, reject):
        yield jsonlines.batch(source, run, CANONICAL, reject)


def call(line: Body) -> Body:
    """A line as one flat call under canonical names. Raises `Unusable`."""
    request, answer = _request(line), _response(line)
    if _foreign(request, answer if isinstance(answer, list) else [answer]):
        raise Unusable("the bodies are those of another API (choices, output or object); keep such lines in a file of their own")
    if not request and not answer:
        raise Unusable("neither a request nor a response body")
    response = chat.joined(answer) if isinstance(answer, list) else answer
    made = {**chat.asked(request), **chat.answered(response)}
    headers = _lowered(line.get("response_headers"))
    outer = part(line.get("response"))
    made["call_id"] = first(response.get("id"), line.get("request_id"), headers.get("request-id"), line.get("id"), line.get("custom_id"))
    made["ts"] = instant(first(line.get("timestamp"), line.get("created_at"), line.get("time")))
    made["model"] = first(request.get("model"), response.get("model"), line.get("model"))
    made["endpoint"] = first(line.get("endpoint"), line.get("url"), "/v1/messages")
    made["status"] = first(line.get("status"), line.get("status_code"), outer.get("status_code"))
    made["end_user"] = first(made["end_user"], request.get("user_profile_id"), _lowered(line.get("headers")).get("anthropic-user-profile-id"))
    made["stream"] = True if made["stream"] is None and isinstance(answer, list) else made["stream"]
    made |= _caller(line, headers) | _client(line) | chat.beside(line)
    if first(made["account"]) is None:
        raise Unusable(ACCOUNT)
    return made


def _request(line: Body) -> Body:
    given = next((line[name] for name in ("request", "params", "body") if line.get(name) is not None), None)
    body = chat.thing(given, "request")
    return chat.thing(body["body"], "request.body") if "body" in body else part(body.get("params")) or body


def _response(line: Body) -> Body | list[Any]:
    given = first(line.get("response"), part(line.get("message")) or part(line.get("result")) or None)
    for inside in ("body", "message"):
        if isinstance(given, dict) and isinstance(given.get(inside), dict | list):
            given = given[inside]
    return given if isinstance(given, list) else chat.thing(given, "response")


def _bodies(line: Body) -> tuple[Body, list[Any]]:
    """A line's request, and its response or the events of it: empty where they are something else."""
    try:
        request, response = _request(line), _response(line)
    except Unusable:
        return {}, []
    return request, response if isinstance(response, list) else [response]


def _ours(line: Body, request: Body, answers: list[Any]) -> bool:
    """Names that only the Messages API has: in the response, in the request, or of headers beside a request."""
    for each in map(part, answers):
        if "stop_reason" in each or "content_block" in each or {"content", "usage"} <= each.keys():
            return True
    if any(name in request for name in ("anthropic_version", "stop_sequences", "max_tokens_to_sample")):
        return True
    if {"system", "messages"} <= request.keys() or any("input_schema" in part(each) for each in several(request.get("tools"))):
        return True
    names = (*part(line.get("headers")), *part(line.get("response_headers")))
    return bool(request) and any(name.lower().startswith("anthropic-") for name in names)


def _foreign(request: Body, answers: list[Any]) -> bool:
    """Names that only OpenAI's APIs have."""
    return ("input" in request and "messages" not in request) or any(name in part(each) for each in answers for name in ("choices", "output", "object"))


def _caller(line: Body, headers: Body) -> Body:
    """Account, organisation and key: beside the bodies, in a context object, or in the response's headers."""
    known = {**{name: value for each in _CONTEXT for name, value in part(line.get(each)).items()}, **line}
    org = first(known.get("organization_id"), known.get("organization"), known.get("org_id"), headers.get("anthropic-organization-id"))
    key = first(known.get("api_key_id"), known.get("key_id"))
    workspace = first(known.get("workspace_id"), known.get("workspace"), _lowered(line.get("headers")).get("anthropic-workspace-id"))
    return {"account": first(known.get("account"), known.get("account_id"), workspace, org, key), "org": org, "key": key}


def _lowered(headers: Any) -> Body:
    return {name.lower(): value for name, value in part(headers).items()}


def _client(line: Body) -> Body:
    """Of the request's headers: the client's name, and a fingerprint of which headers there are (never what they say)."""
    headers = _lowered(line.get("headers"))
    if not headers:
        return {"headers": line["headers"]} if isinstance(line.get("headers"), str) else {}
    return {"headers": chat.digest("\n".join(sorted(headers))), "user_agent": headers.get("user-agent")}


def _line(**fields: Any) -> bytes:
    return orjson.dumps(fields) + b"\n"


_ASK = {
    "model": "claude-1",
    "max_tokens": 2048,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "metadata": {"user_id": "u-1"},
    "tools": [{"name": "look", "input_schema": {"type": "object"}}, {"type": "web_search_20250305", "name": "web_search"}],
    "messages": [
        {"role": "user", "content": "First"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "in-1"},
                {"type": "redacted_thinking", "data": "in-2"},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]},
                {"type": "text", "text": "Second"},
            ],
        },
    ],
}
_ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-1-001",
    "content": [
        {"type": "thinking", "thinking": "So.", "signature": "out-1"},
        {"type": "redacted_thinking", "data": "out-2"},
        {"type": "text", "text": "Done"},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 1,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4},
    },
}
_CALL = {
    "call_id": "msg_1",
    "ts": 1750000000000000,
    "account": "wrk-1",
    "org": "org-1",
    "key": "key-1",
    "model": "claude-1",
    "endpoint": "/v1/messages",
    "system": "Be brief.",
    "prompt": "Second",
    "turns": 3,
    "images": 1,
    "response": "Done",
    "max_tokens": 2048,
    "reasoning_effort": "enabled",
    "tools": 2,
    "tool_names": ["look", "web_search"],
    "end_user": "u-1",
    "input_tokens": 16,
    "cached_tokens": 5,
    "output_tokens": 7,
    "reasoning_tokens": 4,
    "finish": "end_turn",
    "reasoning_in": sorted(map(chat.digest, ("in-1", "in-2"))),
    "reasoning_out": chat.digest("out-2"),
}
_WHO = {"timestamp": "2025-06-15T15:06:40Z", "organization_id": "org-1", "workspace_id": "wrk-1", "api_key_id": "key-1"}
_EVENTS = [
    {"type": "message_start", "message": {"id": "msg_2", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "out-3"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Do"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "ne"}},
    {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]

FORMAT = Format(
    name="Anthropic Messages JSON Lines",
    page="One object a line with the bodies of a request and its response under `request` and `response` (the response whole or as the "
    "list of its stream's events), or in the shape of message batches (`custom_id`, `params`, `result.message`). The bodies name neither "
    "account nor time; beside them, or in an object `context` or `auth`, stand `timestamp` (ISO 8601 or a number) or `ts`, and the account: "
    "`account`, else `workspace_id`, else `organization_id` (also the response header `anthropic-organization-id`), else `api_key_id`. "
    "`organization_id` is the organisation, `api_key_id` the key, `metadata.user_id` (else the user profile) the end user; other canonical names are read as they "
    "are. Tokens read from or written to the cache count as input. `reasoning_in` are the signatures of thinking blocks (and the data of "
    "redacted ones) that the request replays; `reasoning_out` is the last one issued: of an answer with several, only that one is kept. "
    "A file in which OpenAI-shaped bodies are as many is read as such.",
    suffix=".jsonl",
    order=18,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads(
            "thinking replayed and issued, tools, an image in a tool's result, tokens of the cache",
            lambda: _line(**_WHO, request=_ASK, response=_ANSWER),
            (_CALL,),
        ),
        Reads(
            "the events of a stream, the account in the headers, and what was asked without its messages: content unknown",
            lambda: _line(
                timestamp=1750000000,
                headers={"User-Agent": "sdk/1", "anthropic-user-profile-id": "profile-1"},
                response_headers={"Anthropic-Organization-Id": "org-2", "request-id": "req_1"},
                status_code=200,
                ip="192.0.2.1",
                request={"model": "claude-1", "temperature": 1, "output_config": {"effort": "high"}},
                response=_EVENTS,
            ),
            (
                {
                    "call_id": "msg_2",
                    "ts": 1750000000000000,
                    "account": "org-2",
                    "org": "org-2",
                    "ip": "192.0.2.1",
                    "model": "claude-1",
                    "endpoint": "/v1/messages",
                    "headers": chat.digest("anthropic-user-profile-id\nuser-agent"),
                    "user_agent": "sdk/1",
                    "end_user": "profile-1",
                    "status": 200,
                    "temperature": 1.0,
                    "stream": True,
                    "tools": 0,
                    "reasoning_effort": "high",
                    "response": "Done",
                    "input_tokens": 3,
                    "output_tokens": 9,
                    "finish": "max_tokens",
                    "reasoning_out": chat.digest("out-3"),
                },
            ),
        ),
        Reads(
            "the shape of message batches, and a call that failed",
            lambda: (
                _line(**_WHO, custom_id="r-1", params=_ASK, result={"type": "succeeded", "message": _ANSWER})
                + _line(
                    ts=1750000000000000,
                    context={"api_key_id": "key-2"},
                    request_id="req_2",
                    status=529,
                    request={"model": "claude-1", "messages": [{"role": "user", "content": "Go"}]},
                    response={"type": "error", "error": {"type": "overloaded_error", "message": "..."}},
                )
            ),
            (
                _CALL,
                {
                    "call_id": "req_2",
                    "ts": 1750000000000000,
                    "account": "key-2",
                    "key": "key-2",
                    "model": "claude-1",
                    "endpoint": "/v1/messages",
                    "prompt": "Go",
                    "turns": 1,
                    "images": 0,
                    "tools": 0,
                    "status": 529,
                    "finish": "overloaded_error",
                },
            ),
        ),
        Rejects(
            "no account, no time, no body, bodies of another API, messages that are none, a count that is text",
            lambda: (
                _line(timestamp="2025-06-15T15:06:40Z", request=_ASK, response=_ANSWER)
                + _line(workspace_id="w", request=_ASK, response=_ANSWER)
                + _line(**_WHO)
                + _line(**_WHO, request={"messages": []}, response={"choices": []})
                + _line(**_WHO, request={**_ASK, "messages": "Go"}, response=_ANSWER)
                + _line(**_WHO, request=_ASK, response={**_ANSWER, "usage": {"input_tokens": "10"}})
                + _line(**_WHO | {"timestamp": "soon"}, request=_ASK, response=_ANSWER)
                + _line(**_WHO, request=_ASK, response=_ANSWER)
            ),
            (
                (1, ACCOUNT),
                (2, "ts is missing or empty"),
                (3, "neither a request nor a response body"),
                (4, "the bodies are those of another API (choices, output or object); keep such lines in a file of their own"),
                (5, "messages is not a list of objects"),
                (6, "input_tokens is not a whole number"),
                (7, "ts is neither an ISO 8601 text nor a number"),
            ),
            left=1,
        ),
    ),
)
