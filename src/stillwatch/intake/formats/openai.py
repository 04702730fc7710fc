"""OpenAI-compatible request and response bodies, one pair a line, with what the provider knows beside them.

Fields after OpenAI's API reference (chat completions, completions, responses, batch). Around the two bodies a line
carries the canonical names (`call_id`, `ts`, `account`, `ip`, ...); the account is never guessed from the bodies, for
a body names only the caller's own end user. Three APIs and their cases make this file longer than others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.intake import chat, jsonlines, messages
from stillwatch.intake.chat import Body, first, part, several
from stillwatch.intake.columns import Unusable
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source
from stillwatch.intake.times import moment

_ASKS = ("messages", "input", "prompt")


def recognises(opening: Opening) -> bool:
    """Some line has a request body: an object with messages, input or prompt under `request` or `body`."""
    return opening.container == "json" and any(_request(record) is not None for record in opening.records)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls."""
    for run in jsonlines.objects(source, REQUIRED, call, reject):
        yield jsonlines.batch(source, run, CANONICAL, reject)


def call(line: Body) -> Body:
    """A line as one flat call under canonical names. Raises `Unusable`."""
    request = _request(line)
    if request is None:
        raise Unusable("no request body with messages, input or prompt")
    outer = chat.thing(line.get("response"), "response")
    response = chat.thing(outer.get("body"), "response.body") if "body" in outer else outer
    made = {**_asked(request), **_answered(response)}
    made["call_id"] = first(line.get("call_id"), response.get("id"), line.get("id"), line.get("custom_id"))
    made["ts"] = _time(line, response)
    made["model"] = first(request.get("model"), response.get("model"))
    made["endpoint"] = first(line.get("url"), _endpoint(request))
    made["status"] = outer.get("status_code")
    for name in SCHEMA.names:
        if name in line and line[name] is not None and name not in ("prompt", "response"):
            made[name] = line[name]
    return made


def _request(line: Body) -> Body | None:
    for name in ("request", "body"):
        body = line.get(name)
        if isinstance(body, dict) and isinstance(body.get("body"), dict):
            body = body["body"]
        if isinstance(body, dict) and any(ask in body for ask in _ASKS):
            return body
    return None


def _time(line: Body, response: Body) -> Any:
    stamp = line.get("timestamp")
    if stamp is not None:
        return first(moment(stamp, "iso" if isinstance(stamp, str) else "s"), "?")
    seconds = first(line.get("created"), response.get("created"), response.get("created_at"))
    return None if seconds is None else first(moment(seconds, "s"), "?")


def _endpoint(request: Body) -> str:
    if "messages" in request:
        return "/v1/chat/completions"
    return "/v1/responses" if "input" in request else "/v1/completions"


def _asked(request: Body) -> Body:
    metadata, conversation = part(request.get("metadata")), request.get("conversation")
    told = messages.parameters(request)
    return messages.conversation(request.get("instructions"), _turns(request)) | {"tools": 0} | told | {
        "logit_bias": bool(request.get("logit_bias")),
        "end_user": first(request.get("safety_identifier"), request.get("user"), metadata.get("user_id")),
        "session": conversation.get("id") if isinstance(conversation, dict) else conversation,
    }  # fmt: skip


def _turns(request: Body) -> list[Body] | None:
    """The messages, texts among them; None for tokens instead of text: the call counts, its content is unknown."""
    given = next(request[ask] for ask in _ASKS if ask in request)
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise Unusable("the request's messages are not a list")
    if given and all(isinstance(each, str) for each in given):
        return [{"role": "user", "content": "\n".join(given)}]
    if "prompt" in request and all(isinstance(each, (int, list)) for each in given):
        return None
    if not all(isinstance(each, dict) for each in given):
        raise Unusable("the request's messages are not objects")
    return given


def _answered(response: Body) -> Body:
    usage = chat.thing(response.get("usage"), "usage")
    for each in several(response.get("choices")):
        chat.thing(part(each).get("message"), "message")
    return messages.reply(response) | messages.counts(usage)


def _line(**fields: Any) -> bytes:
    return orjson.dumps(fields) + b"\n"


_CHAT = {
    "model": "m-1",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Yes?"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Second"}, {"type": "image_url", "image_url": {"url": "u"}}],
        },
    ],
    "max_completion_tokens": 50,
    "temperature": 0.2,
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "user": "u-1",
    "logprobs": True,
    "top_logprobs": 5,
}
_CHAT_ANSWER = {
    "id": "chatcmpl-1",
    "created": 1750000000,
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Done"}}],
    "usage": {
        "prompt_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens": 3,
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
_CHAT_CALL = {
    "call_id": "chatcmpl-1",
    "ts": 1750000000000000,
    "account": "a1",
    "model": "m-1",
    "endpoint": "/v1/chat/completions",
    "system": "Be brief.",
    "prompt": "Second",
    "turns": 4,
    "images": 1,
    "response": "Done",
    "max_tokens": 50,
    "temperature": 0.2,
    "tools": 1,
    "tool_names": ["f"],
    "end_user": "u-1",
    "logprobs": True,
    "top_logprobs": 5,
    "logit_bias": False,
    "input_tokens": 12,
    "output_tokens": 3,
    "reasoning_tokens": 1,
    "cached_tokens": 8,
    "finish": "stop",
}

_RESPONSES = {
    "model": "m-2",
    "instructions": "Be kind.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Go on"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "in"},
    ],
    "max_output_tokens": 9,
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    "reasoning": {"effort": "high"},
    "safety_identifier": "s-1",
    "conversation": {"id": "conv_1"},
}
_RESPONSES_ANSWER = {
    "id": "resp_1",
    "created_at": 1750000001,
    "status": "completed",
    "output": [
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "out"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Gone"}]},
    ],
    "usage": {"input_tokens": 5, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}},
}
_RESPONSES_CALL = {
    "call_id": "resp_1",
    "ts": 1750000001000000,
    "account": "a2",
    "model": "m-2",
    "endpoint": "/v1/responses",
    "system": "Be kind.",
    "prompt": "Go on",
    "turns": 1,
    "images": 0,
    "logprobs": True,
    "response": "Gone",
    "max_tokens": 9,
    "tools": 0,
    "reasoning_effort": "high",
    "end_user": "s-1",
    "session": "conv_1",
    "logit_bias": False,
    "input_tokens": 5,
    "output_tokens": 2,
    "reasoning_tokens": 0,
    "finish": "completed",
    "ip": "192.0.2.1",
    "reasoning_in": [chat.digest("in")],
    "reasoning_out": chat.digest("out"),
}

FORMAT = Format(
    name="OpenAI-compatible JSON Lines",
    page="One object a line with the bodies of a request and its response under `request` and `response` (chat "
    "completions, completions or the responses API), or in the shape of the Batch API (`custom_id`, `body`, "
    "`response.body`). Beside them the canonical names: `account` is required, `call_id` falls back on the response's "
    "id and `ts` on its time. `user` and `safety_identifier` are the end user.",
    suffix=".jsonl",
    order=20,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads(
            "chat completions",
            lambda: _line(account="a1", request=_CHAT, response=_CHAT_ANSWER),
            (_CHAT_CALL,),
        ),
        Reads(
            "the responses API, with encrypted reasoning replayed and issued, and an envelope's address",
            lambda: _line(account="a2", ip="192.0.2.1", request=_RESPONSES, response=_RESPONSES_ANSWER),
            (_RESPONSES_CALL,),
        ),
        Reads(
            "the shape of the Batch API; a time in ISO 8601 beside the bodies comes first",
            lambda: _line(
                id="batch_req_1",
                custom_id="r-1",
                account="a1",
                timestamp="2025-06-15T15:06:40Z",
                method="POST",
                url="/v1/chat/completions",
                body=_CHAT,
                error=None,
                response={"status_code": 200, "request_id": "q", "body": {**_CHAT_ANSWER, "created": 1}},
            ),
            ({**_CHAT_CALL, "status": 200},),
        ),
        Reads(
            "the older completions, asked in tokens: content unknown",
            lambda: _line(
                account="a1",
                request={"model": "m-0", "prompt": [1, 2], "logprobs": 3},
                response={
                    "id": "cmpl-1",
                    "created": 1750000000,
                    "choices": [{"text": "Yes", "finish_reason": "length"}],
                },
            ),
            (
                {
                    "call_id": "cmpl-1",
                    "ts": 1750000000000000,
                    "account": "a1",
                    "model": "m-0",
                    "endpoint": "/v1/completions",
                    "logprobs": True,
                    "top_logprobs": 3,
                    "logit_bias": False,
                    "tools": 0,
                    "response": "Yes",
                    "finish": "length",
                },
            ),
        ),
        Rejects(
            "no account, no request, a response that is no object, messages that are none",
            lambda: (
                _line(request=_CHAT, response=_CHAT_ANSWER)
                + _line(account="a1", response=_CHAT_ANSWER)
                + _line(account="a1", request=_CHAT, response="Done")
                + _line(account="a1", request={"messages": 5}, response=_CHAT_ANSWER)
                + _line(account="a1", request=_CHAT, response={**_CHAT_ANSWER, "usage": {"prompt_tokens": "12"}})
                + _line(account="a1", request=_CHAT, response=_CHAT_ANSWER)
            ),
            (
                (1, "account is missing or empty"),
                (2, "no request body with messages, input or prompt"),
                (3, "response is not an object"),
                (4, "the request's messages are not a list"),
                (5, "input_tokens is not a whole number"),
            ),
            left=1,
        ),
    ),
)
