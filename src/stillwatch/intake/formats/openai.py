"""OpenAI-compatible request and response bodies, one pair a line, with what the provider knows beside them.

Fields after OpenAI's API reference (chat completions, completions, responses, batch). Around the two bodies a line
carries the canonical names (`call_id`, `ts`, `account`, `ip`, ...); the account is never guessed from the bodies, for
a body names only the caller's own end user. Three APIs and their cases make this file longer than others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.intake import jsonlines
from stillwatch.intake.columns import Unusable
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source
from stillwatch.intake.times import moment

Body = dict[str, Any]

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
    outer = _object(line.get("response"), "response")
    response = _object(outer.get("body"), "response.body") if "body" in outer else outer
    made = {**_asked(request), **_answered(response)}
    made["call_id"] = _first(line.get("call_id"), response.get("id"), line.get("id"), line.get("custom_id"))
    made["ts"] = _time(line, response)
    made["model"] = _first(request.get("model"), response.get("model"))
    made["endpoint"] = _first(line.get("url"), _endpoint(request))
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


def _object(given: Any, name: str) -> Body:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Unusable(f"{name} is not an object")
    return given


def _first(*given: Any) -> Any:
    return next((each for each in given if each not in (None, "")), None)


def _time(line: Body, response: Body) -> Any:
    stamp = line.get("timestamp")
    if stamp is not None:
        return _first(moment(stamp, "iso" if isinstance(stamp, str) else "s"), "?")
    seconds = _first(line.get("created"), response.get("created"), response.get("created_at"))
    return None if seconds is None else _first(moment(seconds, "s"), "?")


def _endpoint(request: Body) -> str:
    if "messages" in request:
        return "/v1/chat/completions"
    return "/v1/responses" if "input" in request else "/v1/completions"


def _asked(request: Body) -> Body:
    turns = _turns(request)
    said = [(turn.get("role"), _text(turn.get("content"))) for turn in turns]
    users = [text for role, text in said if role == "user" and text]
    systems = [text for role, text in said if role in ("system", "developer") and text]
    reasoning = request.get("reasoning")
    metadata = request.get("metadata")
    conversation = request.get("conversation")
    logprobs = request.get("logprobs")
    return {
        "system": "\n".join(filter(None, (_text(request.get("instructions")), *systems))) or None,
        "prompt": users[-1] if users else None,
        "turns": sum(role is not None for role, _ in said) or None,
        "max_tokens": _first(*(request.get(f"max_{name}") for name in ("completion_tokens", "output_tokens", "tokens"))),
        "temperature": request.get("temperature"),
        "n": request.get("n"),
        # The older completions API gives a number of alternatives here.
        "logprobs": True if type(logprobs) is int else logprobs,
        "top_logprobs": logprobs if type(logprobs) is int else request.get("top_logprobs"),
        "logit_bias": bool(request.get("logit_bias")),
        "reasoning_effort": _first(request.get("reasoning_effort"), reasoning.get("effort") if isinstance(reasoning, dict) else None),
        "stream": request.get("stream"),
        "tools": len(_list(request.get("tools"))) + len(_list(request.get("functions"))),
        "end_user": _first(
            request.get("safety_identifier"),
            request.get("user"),
            metadata.get("user_id") if isinstance(metadata, dict) else None,
        ),
        "session": conversation.get("id") if isinstance(conversation, dict) else conversation,
        "reasoning_in": sorted({each for turn in turns for each in _sealed(turn)}) or None,
    }


def _turns(request: Body) -> list[Body]:
    given = next(request[ask] for ask in _ASKS if ask in request)
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise Unusable("the request's messages are not a list")
    if given and all(isinstance(each, str) for each in given):
        return [{"role": "user", "content": "\n".join(given)}]
    if "prompt" in request and all(isinstance(each, (int, list)) for each in given):
        return []  # tokens instead of text: the call counts, its content is unknown
    if not all(isinstance(each, dict) for each in given):
        raise Unusable("the request's messages are not objects")
    return given


def _text(content: Any) -> str | None:
    """The text of a message's content: plain, or the text parts of a list."""
    if isinstance(content, str):
        return content or None
    parts = [part.get("text") for part in _list(content) if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str) and part) or None


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _answered(response: Body) -> Body:
    usage = _object(response.get("usage"), "usage")
    details = _first(usage.get("completion_tokens_details"), usage.get("output_tokens_details"))
    choices = [each for each in _list(response.get("choices")) if isinstance(each, dict)]
    messages = [_object(each.get("message"), "message") for each in choices]
    outputs = [each for each in _list(response.get("output")) if isinstance(each, dict)]
    texts = [_text(message.get("content")) for message in messages]
    texts += [_text(each.get("text")) for each in choices]
    texts += [_text(each.get("content")) for each in outputs if each.get("type") == "message"]
    sealed = [each for part in (*messages, *outputs) for each in _sealed(part)]
    unfinished = response.get("incomplete_details")
    return {
        "response": "\n".join(filter(None, texts)) or None,
        "input_tokens": _first(usage.get("prompt_tokens"), usage.get("input_tokens")),
        "output_tokens": _first(usage.get("completion_tokens"), usage.get("output_tokens")),
        "reasoning_tokens": details.get("reasoning_tokens") if isinstance(details, dict) else None,
        "finish": _first(
            choices[0].get("finish_reason") if choices else None,
            unfinished.get("reason") if isinstance(unfinished, dict) else None,
            response.get("status") if isinstance(response.get("status"), str) else None,
        ),
        "reasoning_out": sealed[-1] if sealed else None,
    }


def _sealed(part: Body) -> list[str]:
    """Digests of the encrypted reasoning that a message or an item carries."""
    found = [part.get("encrypted_content")] if part.get("type") == "reasoning" else []
    # Gateways carry it beside the message, as a list of details.
    found += [each.get("data") for each in _list(part.get("reasoning_details")) if isinstance(each, dict)]
    return [hashlib.sha256(each.encode()).hexdigest() for each in found if isinstance(each, str) and each]


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
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 1}},
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
    "response": "Done",
    "max_tokens": 50,
    "temperature": 0.2,
    "tools": 1,
    "end_user": "u-1",
    "logprobs": True,
    "top_logprobs": 5,
    "logit_bias": False,
    "input_tokens": 12,
    "output_tokens": 3,
    "reasoning_tokens": 1,
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
    "reasoning_in": [hashlib.sha256(b"in").hexdigest()],
    "reasoning_out": hashlib.sha256(b"out").hexdigest(),
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
