"""Cloudflare AI Gateway: records of its log API and of Logpush's dataset `ai_gateway_events`, one a line or in the API's envelope.

Fields after Cloudflare's API reference (AI Gateway logs), the types of its Workers, and its guide to Logpush, whose script decrypts bodies
and metadata. The dataset writes names in another way (`StatusCode` for `status_code`): both are read by their letters alone. A gateway logs
bodies of many providers' APIs, and also requests that the provider refused: a body that cannot be read leaves the content unknown.
Two ways of writing records, several APIs' bodies and their cases make this file longer than others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.intake import chat, jsonlines
from stillwatch.intake.chat import Body, first, instant, part, several
from stillwatch.intake.columns import ROWS, Unusable, value
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.formats import anthropic, bedrock, openai, vertex
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source
from stillwatch.records import Rejected

ACCOUNT = "no account: give requests the custom metadata account or user_id (header cf-aig-metadata), decrypt the metadata, or put account beside it"
TIME = "no time: the record has no created_at; Logpush leaves it out, so add created_at when decrypting"
IDENTITY = "no id: the record has no id, nor has its response; Logpush leaves it out, so add id when decrypting"

_ONCE = ("created_at", "metadata", "Metadata", "account")

_DISTINCT = {"tokensin", "tokensout", "customcost", "requesthead", "ratelimited"}
_COMMON = {"cached", "success", "step", "path", "endpoint", "gateway", "requesttype", "modeltype", "statuscode", "metadata", "createdat", "requestbody"}

_ACCOUNT = ("account", "accountid", "customer", "customerid", "tenant", "tenantid", "userid", "user", "uid", "username", "email")
"Names of custom metadata that are tried for the account, in this order, by their letters alone."
_ORG = ("org", "orgid", "organization", "organizationid", "organisation", "organisationid", "company", "companyid", "team", "teamid")
_KEY = ("apikeyid", "keyid", "apikey", "key")
_PERSON = ("enduser", "enduserid", "userid", "user", "uid", "username")
_SESSION = ("session", "sessionid", "conversation", "conversationid", "thread", "threadid")

_ASKED = (
    "system", "prompt", "turns", "images", "max_tokens", "temperature", "n", "logprobs", "top_logprobs", "logit_bias", "reasoning_effort",
    "stream", "tools", "tool_names", "end_user", "reasoning_in",
)  # fmt: skip
_ANSWERED = ("response", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "finish", "reasoning_out")


def recognises(opening: Opening) -> bool:
    """Some object, or one in its envelope, has the names of a gateway's log."""
    return opening.container == "json" and any(_ours(each) for record in opening.records for each in _unwrapped(record)[:9])


def _ours(record: Any) -> bool:
    names = _letters(part(record)).keys()
    return {"provider", "model"} <= names and not _DISTINCT.isdisjoint(names) and len((_DISTINCT | _COMMON) & names) >= 3


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls; a record of an envelope that cannot be used is rejected under the envelope's line."""
    for numbers, lines in jsonlines.objects(source, _ONCE, _calls, reject):
        kept: list[tuple[int, Body]] = []
        for number, line in zip(numbers.tolist(), lines, strict=True):
            kept += [(number, each) for each in line["calls"] if isinstance(each, dict)]
            for reason in (each for each in line["calls"] if isinstance(each, str)):
                reject(Rejected(source.name, number, reason))
        for run in (kept[at : at + ROWS] for at in range(0, len(kept), ROWS)):
            yield jsonlines.batch(source, (np.array([at for at, _ in run], np.int64), [each for _, each in run]), CANONICAL, reject)


def _calls(line: Body) -> Body:
    made: list[Body | str] = []
    for record in _unwrapped(line):
        try:
            made.append(call(record))
        except Unusable as error:
            made.append(str(error))
    return {"calls": made}


def _unwrapped(line: Body) -> list[Any]:
    """The log API answers with an envelope; of other lines the object itself."""
    result = line.get("result")
    if "provider" in line or not isinstance(result, dict | list):
        return [line]
    return result if isinstance(result, list) else [result]


def _letters(given: Body) -> Body:
    """Values by their names' letters alone; of two names that are then one, the first with a value counts."""
    made: Body = {}
    for name, each in given.items():
        short = re.sub(r"[^a-z]", "", name.lower())
        if made.get(short) is None:
            made[short] = each
    return made


def call(record: Any) -> Body:
    """A record as one flat call under canonical names. Raises `Unusable`."""
    if not isinstance(record, dict):
        raise Unusable("a record of the envelope is not an object")
    held, told = _letters(record), _metadata(record)
    asked = _body(first(*(held.get(name) for name in ("requestbody", "request", "requesthead"))))
    answer = _body(first(*(held.get(name) for name in ("responsebody", "response", "responsehead"))))
    made = _content(held.get("provider"), asked, answer)
    upstream, created = made.pop("id", None), made.pop("created", None)
    beside = {name: each for name, each in chat.beside(record).items() if name != "path"}  # a log's own path is the API's
    made |= {
        "call_id": _id(held.get("id"), held.get("logid"), upstream),
        "upstream_id": upstream,
        "ts": instant(first(*(held.get(name) for name in ("createdat", "datetime", "timestamp")), told.get("createdat"), told.get("timestamp"), created)),
        "model": first(held.get("model"), part(asked).get("model"), part(answer).get("model")),
        "endpoint": first(held.get("path"), held.get("endpoint")),
        "path": "gateway",
        "user_agent": held.get("useragent"),
        "cost": held.get("cost"),
        "status": held.get("statuscode"),
        "input_tokens": first(held.get("tokensin"), made.get("input_tokens")),
        "output_tokens": first(held.get("tokensout"), made.get("output_tokens")),
    } | _caller(held, told, record.get("account"), made.get("end_user")) | beside  # fmt: skip
    for name, reason in (("account", ACCOUNT), ("ts", TIME), ("call_id", IDENTITY)):
        if first(made[name]) is None:
            raise Unusable(reason)
    return made


def _id(*given: Any) -> str | None:
    """The first identifier there is; whole numbers may serve as such."""
    return next((str(each) for each in given if type(each) in (int, str) and each != ""), None)


def _sealed(given: Any) -> bool:
    """Whether Logpush has encrypted a field."""
    return isinstance(given, dict) and {"key", "iv", "data"} <= given.keys()


def _body(given: Any) -> Any:
    """A body as JSON; the events of a stream as a list. None where it is encrypted, cut off or no JSON."""
    if _sealed(given):
        return None
    if isinstance(given, str):
        text = given.strip()
        if text.startswith(("data:", "event:")):
            events = [_parsed(line[5:]) for line in text.splitlines() if line.startswith("data:")]
            return [each for each in events if isinstance(each, dict)]
        given = _parsed(text)
    if isinstance(given, dict) and isinstance(given.get("streamed_data"), list):
        given = given["streamed_data"]
    return given if isinstance(given, dict | list) else None


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _metadata(record: Body) -> Body:
    """Custom metadata by its names' letters alone: an object, JSON in a text, or a list of keys and values."""
    made = _body(first(record.get("metadata"), record.get("Metadata")))
    if isinstance(made, list):
        made = {chat.bare(part(each).get("key")): part(each).get("value") for each in made}
    return _letters(part(made))


def _caller(held: Body, told: Body, beside: Any, end_user: Any) -> Body:
    account = _id(beside, *(told.get(name) for name in _ACCOUNT))
    key = _id(*(told.get(name) for name in _KEY), held.get("apikeyid"), held.get("apikey"), held.get("authentication"))
    person = _id(*(told.get(name) for name in _PERSON), end_user)
    return {
        "account": account if account is not None else key,
        "org": _id(*(told.get(name) for name in _ORG)),
        "key": key,
        "end_user": person if person != account else _id(end_user),
        "session": _id(*(told.get(name) for name in _SESSION)),
    }


def _content(provider: Any, asked: Any, answer: Any) -> Body:
    """Texts, parameters and counts of the bodies, read as the provider's API and then as OpenAI's; what fits no column is unknown."""
    best: Body = {}
    for made in _read(provider if isinstance(provider, str) else "", asked, answer):
        best = best or made
        if first(made.get("prompt"), made.get("response")) is not None:
            best = made
            break
    names = (*(_ASKED if asked is not None else ()), *(_ANSWERED if answer is not None else ()))
    fit: Body = {}
    for name in names:
        try:
            fit[name] = value(name, best.get(name))
        except Unusable:
            fit[name] = None  # the provider will have refused it, but the call was made
    whole = part(answer) if isinstance(answer, dict) else next((part(each) for each in several(answer)), {})
    seen = (whole.get("id"), part(whole.get("message")).get("id"), whole.get("responseId"))
    return fit | {"id": _id(*seen), "created": first(whole.get("created"), whole.get("created_at"))}


def _read(provider: str, asked: Any, answer: Any) -> Iterator[Body]:
    """The bodies as each API that may be meant, where they are of its shape."""
    ours: Body = {"account": "-", "call_id": "-"}
    readers: dict[str, Callable[[], Body]] = {
        "anthropic": lambda: anthropic.call({**ours, "request": part(asked), "response": answer}),
        "google": lambda: vertex.call({**ours, "full_request": asked, "full_response": answer}),
        "bedrock": lambda: bedrock.call({**ours, "input": {"inputBodyJson": asked}, "output": {"outputBodyJson": answer}}),
        "": lambda: openai.call({**ours, "request": asked if isinstance(asked, dict) else {"messages": []}, "response": _joined(answer)}),
    }
    for name, reader in readers.items():
        if name in provider.lower():
            try:
                yield reader()
            except Unusable:
                continue


def _joined(answer: Any) -> Body:
    """An answer of OpenAI's APIs, or of Workers AI, whole; the chunks of a stream put together."""
    if isinstance(answer, dict):
        said = first(part(answer.get("result")).get("response"), answer.get("response"))
        usage = first(part(answer.get("result")).get("usage"), answer.get("usage"))
        return {"choices": [{"message": {"content": said}}], "usage": usage} if isinstance(said, str) else answer
    made: Body = {}
    texts: list[str] = []
    for chunk in map(part, several(answer)):
        made |= {name: each for name, each in chunk.items() if name in ("usage", "id", "created", "model") and each is not None}
        if chunk.get("type") in ("response.completed", "response.incomplete"):
            return part(chunk.get("response"))
        for choice in map(part, several(chunk.get("choices"))[:1]):
            said = first(part(choice.get("delta")).get("content"), choice.get("text"))
            texts += [said] if isinstance(said, str) else []
            made["finish"] = first(choice.get("finish_reason"), made.get("finish"))
        texts += [chunk["response"]] if isinstance(chunk.get("response"), str) else []
    message = {"message": {"content": "".join(texts)}, "finish_reason": made.pop("finish", None)}
    return made | {"choices": [message]}


def _record(**fields: Any) -> Body:
    made = {
        "id": "01J",
        "created_at": "2025-06-15T15:06:40Z",
        "provider": "openai",
        "model": "m-1",
        "model_type": "text-generation",
        "path": "chat/completions",
        "duration": 12,
        "cached": False,
        "success": True,
        "status_code": 200,
        "step": 0,
        "tokens_in": 4,
        "tokens_out": 3,
        "cost": 0.5,
        "custom_cost": False,
        "metadata": '{"user_id":"a1"}',
    }
    return made | fields


def _pushed(**fields: Any) -> Body:
    sealed = {"type": "encrypted", "key": "AA==", "iv": "AA==", "data": "AA=="}
    made = {
        "Cached": False,
        "Endpoint": "v1/messages",
        "Gateway": "g",
        "Metadata": {"account": 7, "User-ID": "u-1", "team": "o-1", "sessionId": "s-1"},
        "Model": "m-2",
        "Provider": "anthropic",
        "RateLimited": False,
        "RequestBody": sealed,
        "ResponseBody": sealed,
        "StatusCode": 200,
    }
    return made | fields


def _lines(*records: Any) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in records)


_CALL = {
    "call_id": "01J",
    "ts": 1750000000000000,
    "account": "a1",
    "model": "m-1",
    "path": "gateway",
    "endpoint": "chat/completions",
    "cost": 0.5,
    "status": 200,
    "input_tokens": 4,
    "output_tokens": 3,
}
_ASK = {"model": "m-1", "messages": [{"role": "user", "content": "Go on"}], "temperature": "hot", "stream": True}
_TOLD = {"prompt": "Go on", "turns": 1, "images": 0, "logit_bias": False, "tools": 0}
_CHUNKS = (
    'data: {"id":"c-1","created":1750000000,"choices":[{"delta":{"content":"Go"}}]}\n\n'
    'data: {"id":"c-1","choices":[{"delta":{"content":"ne"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9}}\n\ndata: [DONE]\n'
)
_CLAUDE = {"max_tokens": 9, "system": "Be kind.", "messages": [{"role": "user", "content": "Go on"}]}
_CLAUDE_ANSWER = {
    "id": "msg_1",
    "type": "message",
    "content": [{"type": "text", "text": "Gone"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 4, "output_tokens": 3},
}
_PUSHED = {
    "account": "7",
    "end_user": "u-1",
    "org": "o-1",
    "session": "s-1",
    "model": "m-2",
    "path": "gateway",
    "endpoint": "v1/messages",
    "status": 200,
}

FORMAT = Format(
    name="Cloudflare AI Gateway logs",
    page="Records of AI Gateway's log API, one a line or in the API's envelope on one line (`jq -c '.result[]'` makes lines of a longer one), and "
    "records of Logpush's dataset `ai_gateway_events`. The account is custom metadata, of which the first of these names counts, however "
    "written: `account`, `customer`, `tenant` (each also with `_id`), `user_id`, `user`, `uid`, `username`, `email`; without them the API "
    "key that metadata (`api_key_id`, `key_id`, `api_key`, `key`) or the record (`authentication`, where it is no mere yes or no) names. An "
    "`account` beside them comes first, as do other canonical names; `path` is the API's and becomes the "
    "endpoint. Organisation, end user and session come from metadata too (`org_id` or `team`, `end_user` or `user_id`, `session_id` or "
    "`conversation_id`). Logpush encrypts metadata and bodies and leaves out "
    "id and time: run Cloudflare's script to decrypt them and add `id` and `created_at` (they may also come from the decrypted answer, or "
    "the time from metadata); a body that stays encrypted, was cut off or is of an unknown API leaves the content unknown. Bodies are read as "
    "those of OpenAI, Anthropic, Google, Bedrock and Workers AI, under `request` and `response`, `request_head` and `response_head`, or "
    "`RequestBody` and `ResponseBody`. Not told: address.",
    suffix=".json",
    order=16,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads(
            "the log API's envelope, no bodies; a key where metadata names no user",
            lambda: _lines(
                {
                    "result": [_record(), _record(id="01K", metadata={"test": True, "api_key_id": "k-1"}, status_code=429, user_agent="sdk/1")],
                    "result_info": {"count": 2},
                    "success": True,
                }
            ),
            (_CALL, {**_CALL, "call_id": "01K", "account": "k-1", "key": "k-1", "status": 429, "user_agent": "sdk/1"}),
        ),
        Reads(
            "bodies in heads: a stream's events, a parameter that the provider would refuse; then one that was cut off",
            lambda: _lines(
                _record(request_head=orjson.dumps(_ASK).decode(), request_head_complete=True, response_head=_CHUNKS, tokens_in=None),
                _record(id="01K", request_head='{"messages":[{"role":"us', request_head_complete=False, response_head=""),
                _record(id="01L", provider="workers-ai", request={"prompt": "Go on"}, response={"result": {"response": "Gone"}}),
            ),
            (
                _CALL | _TOLD | {"upstream_id": "c-1", "stream": True, "response": "Gone", "finish": "stop", "input_tokens": 9},
                {**_CALL, "call_id": "01K"},
                _CALL | _TOLD | {"call_id": "01L", "response": "Gone"},
            ),
        ),
        Reads(
            "Logpush, encrypted, with the id and the time that were added; then decrypted, with the answer's own id",
            lambda: _lines(
                _pushed(id="l-1", created_at=1750000000),
                _pushed(created_at=1750000000, RequestBody=orjson.dumps(_CLAUDE).decode(), ResponseBody=orjson.dumps(_CLAUDE_ANSWER).decode()),
            ),
            (
                {**_PUSHED, "call_id": "l-1", "ts": 1750000000000000},
                _PUSHED
                | {"call_id": "msg_1", "upstream_id": "msg_1", "ts": 1750000000000000, "system": "Be kind.", "prompt": "Go on", "turns": 1, "images": 0}
                | {"tools": 0, "max_tokens": 9, "response": "Gone", "finish": "end_turn", "input_tokens": 4, "output_tokens": 3},
            ),
        ),
        Reads(
            "Gemini's bodies as objects, what the log's keeper put beside",
            lambda: _lines(
                _record(
                    provider="google-ai-studio",
                    account="a7",
                    ip="192.0.2.1",
                    request={"contents": [{"parts": [{"text": "Go on"}]}]},
                    response={"candidates": [{"content": {"parts": [{"text": "Gone"}]}, "finishReason": "STOP"}], "responseId": "g-1"},
                )
            ),
            (
                _CALL
                | {"account": "a7", "end_user": "a1", "ip": "192.0.2.1", "upstream_id": "g-1", "prompt": "Go on", "turns": 1, "images": 0, "tools": 0}
                | {"response": "Gone", "finish": "STOP"},
            ),
        ),
        Rejects(
            "no account, encrypted metadata, no id and no time, a strange time, no model, a count that is none, a record that is none",
            lambda: _lines(
                _record(metadata=None),
                _pushed(id="l-1", created_at=1750000000, Metadata=_pushed()["RequestBody"]),
                _pushed(created_at=1750000000),
                _pushed(id="l-1"),
                _record(created_at="soon"),
                _record(model=""),
                {"result": [_record(tokens_in="4"), _record(metadata="{}"), 5, _record()]},
                _record(),
            ),
            (
                (1, ACCOUNT),
                (2, ACCOUNT),
                (3, IDENTITY),
                (4, TIME),
                (5, "ts is neither an ISO 8601 text nor a number"),
                (6, "model is missing or empty"),
                (7, "input_tokens is not a whole number"),
                (7, ACCOUNT),
                (7, "a record of the envelope is not an object"),
            ),
            left=2,
        ),
    ),
)
