"""LiteLLM's standard logging payload, one a line or in an array: what its callbacks write to S3, GCS, SQS, a table or any HTTP endpoint.

Fields after LiteLLM's `StandardLoggingPayload` and its parts (`metadata`, `model_parameters`, `hidden_params`, `error_information`). The bodies
under `messages` and `response` are those of whichever API was called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from stillwatch.intake import chat, documents, jsonlines, messages
from stillwatch.intake.chat import Body, first, instant, part
from stillwatch.intake.columns import Unusable, value
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source

ACCOUNT = (
    "no account: metadata names no user, team, project or key; call through the proxy with virtual keys, set metadata.user_api_key_user_id, "
    "or put account beside it"
)
TOOL = "a tool's call through the gateway, not a model's"

HIDDEN = "redacted-by-litellm"
"What stands in the place of a text that was not to be logged."

_DEEP = 16
"How deep texts lie in a body, at most."

_OWN = {"saved_cache_cost", "model_map_information", "hidden_params", "response_cost_failure_debug_info", "model_parameters", "completionStartTime"}


def recognises(opening: Opening) -> bool:
    """Some object, or the beginning of an array, has the names of a payload."""
    if opening.container not in ("json", "array"):
        return False
    seen = not opening.records or opening.head.lstrip().startswith(b"[")
    return any(map(_ours, opening.records)) or (seen and _ours(documents.names(opening.head)))


def _ours(names: Any) -> bool:
    return {"call_type", "startTime", "metadata"} <= set(names) and not _OWN.isdisjoint(names)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls."""
    for run in documents.objects(source, call, reject):
        yield jsonlines.batch(source, run, CANONICAL, reject)


def call(line: Body) -> Body:
    """A payload as one flat call under canonical names. Raises `Unusable`."""
    kind, response = line.get("call_type"), _shown(line.get("response"))
    if isinstance(kind, str) and "mcp" in kind:
        raise Unusable(TOOL)
    metadata, asked = part(line.get("metadata")), part(_shown(line.get("model_parameters")))
    made = _asked(line, asked) | messages.reply(response) | _usage(line, part(metadata.get("usage_object")), response)
    made |= _ended(line, made["finish"]) | _caller(line, metadata, asked) | {
        "call_id": first(line.get("id"), line.get("litellm_call_id")),
        "ts": instant(line.get("startTime")),
        "model": first(line.get("model_group"), line.get("model")),
        "endpoint": _fitting("endpoint", metadata.get("user_api_key_request_route"), kind),
        "path": "gateway",
        "session": _fitting("session", line.get("session_id")),
        "upstream_id": _fitting("upstream_id", part(response).get("id")) if line.get("cache_hit") is not True else None,
        "ip": _fitting("ip", line.get("requester_ip_address"), metadata.get("requester_ip_address")),
        "user_agent": _fitting("user_agent", line.get("user_agent"), metadata.get("user_agent")),
        "cost": _cost(line),
    } | chat.beside(line)  # fmt: skip
    if first(made["account"]) is None:
        raise Unusable(ACCOUNT)
    return made


def _fitting(name: str, *given: Any) -> Any:
    """The first value that a column can hold: of what a call can be read without, any other is unknown."""
    for each in given:
        try:
            if first(each) is not None:
                return value(name, each)
        except Unusable:
            continue
    return None


def _shown(given: Any, deep: int = _DEEP) -> Any:
    """A body without the texts that were withheld: a constant in their place would make strangers alike."""
    if isinstance(given, dict) and deep:
        return {name: _shown(each, deep - 1) for name, each in given.items()}
    if isinstance(given, list) and deep:
        return [_shown(each, deep - 1) for each in given]
    return None if given == HIDDEN else given


def _asked(line: Body, asked: Body) -> Body:
    """The request; where its messages were withheld, one stands for all of them."""
    given = line.get("messages")
    told = _shown(given)
    made = messages.conversation(asked.get("instructions"), told) if told == given else {}
    set_by = messages.parameters(asked)
    made |= {name: _fitting(name, each) for name, each in set_by.items()}
    if isinstance(line.get("model_parameters"), dict):  # it holds what was set, and nothing else
        made |= {"logit_bias": bool(asked.get("logit_bias")), "tools": set_by.get("tools", 0)}
    return made | {"stream": _fitting("stream", line.get("stream"), asked.get("stream"))}


def _caller(line: Body, metadata: Body, asked: Body) -> Body:
    """Who called. The proxy knows users within teams within organisations; any of them may be all that a deployment uses."""
    user, team, project, key = (metadata.get(f"user_api_key_{each}") for each in ("user_id", "team_id", "project_id", "hash"))
    account = _fitting("account", user, team, project, key)
    org = _fitting("org", metadata.get("user_api_key_org_id"), team)
    end_users = (line.get("end_user"), metadata.get("user_api_key_end_user_id"), asked.get("safety_identifier"), asked.get("user"))
    mail = metadata.get("user_api_key_user_email")
    return {
        "account": account,
        "org": org if org != account else None,
        "key": _fitting("key", key),
        "end_user": _fitting("end_user", *end_users, part(asked.get("metadata")).get("user_id")),
        "email_domain": mail.rpartition("@")[2].lower() if isinstance(mail, str) and "@" in mail else None,
    }


def _ended(line: Body, finish: Any) -> Body:
    """HTTP status and how the answer ended. Of an answer that came the payload says "success", which HTTP calls 200."""
    error, failed = part(line.get("error_information")), line.get("status") == "failure"
    code = error.get("error_code")
    status = int(code) if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3 else _fitting("status", code)
    return {
        "status": first(status, 200 if line.get("status") == "success" else None),
        "finish": first(_fitting("finish", finish), _fitting("finish", error.get("error_class")) if failed else None),
    }


def _usage(line: Body, logged: Body, response: Any) -> Body:
    """Counts; a payload writes 0 for both where none are known."""
    asked, made = line.get("prompt_tokens"), line.get("completion_tokens")
    if not asked and not made:
        return {}
    told = messages.counts(logged or part(response).get("usage"))
    details = {name: _fitting(name, told[name]) for name in ("cached_tokens", "reasoning_tokens")}
    return {"input_tokens": asked, "output_tokens": made} | details


def _cost(line: Body) -> Any:
    """What the call cost; where the price of a model is not known, the payload says 0 and why."""
    unpriced = line.get("response_cost_failure_debug_info") or line.get("zero_cost_diagnostic")
    return _fitting("cost", line.get("response_cost")) if not unpriced and line.get("status") != "failure" else None


def _payload(**fields: Any) -> Body:
    metadata = {
        "user_api_key_hash": "kh",
        "user_api_key_team_id": "t-1",
        "user_api_key_org_id": None,
        "user_api_key_user_id": "a1",
        "user_api_key_user_email": "x@example.com",
        "user_api_key_request_route": "/v1/chat/completions",
        "usage_object": {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 1}},
    }
    payload = {
        "id": "chatcmpl-1",
        "litellm_call_id": "u-u-i-d",
        "trace_id": "tr-1",
        "session_id": "",
        "call_type": "acompletion",
        "cache_hit": False,
        "stream": None,
        "status": "success",
        "saved_cache_cost": 0.0,
        "startTime": 1750000000.5,
        "endTime": 1750000001.5,
        "model": "openai/m-1",
        "model_group": "m-1",
        "metadata": metadata | fields.pop("metadata", {}),
        "response_cost": 0.25,
        "response_cost_failure_debug_info": None,
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "end_user": None,
        "requester_ip_address": "192.0.2.1",
        "user_agent": "sdk/1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        ],
        "response": {"id": "chatcmpl-1", "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Done"}}]},
        "model_parameters": {"temperature": 0.2, "max_tokens": 5, "tools": [{"type": "function", "function": {"name": "look"}}], "user": "e-1"},
        "hidden_params": {"model_id": None},
        "error_information": {"error_code": "", "error_class": ""},
    }
    return payload | fields


def _line(**fields: Any) -> bytes:
    return orjson.dumps(_payload(**fields)) + b"\n"


_WHO = {"account": "a1", "org": "t-1", "key": "kh", "email_domain": "example.com", "ip": "192.0.2.1", "user_agent": "sdk/1", "path": "gateway"}
_CALL = _WHO | {
    "call_id": "chatcmpl-1",
    "upstream_id": "chatcmpl-1",
    "ts": 1750000000500000,
    "model": "m-1",
    "endpoint": "/v1/chat/completions",
    "end_user": "e-1",
    "system": "Be brief.",
    "prompt": "Hi",
    "turns": 2,
    "images": 1,
    "response": "Done",
    "max_tokens": 5,
    "temperature": 0.2,
    "tools": 1,
    "tool_names": ["look"],
    "logit_bias": False,
    "input_tokens": 12,
    "output_tokens": 3,
    "cached_tokens": 4,
    "reasoning_tokens": 1,
    "cost": 0.25,
    "status": 200,
    "finish": "stop",
}
_TEXTS = ("system", "prompt", "turns", "images", "response")

FORMAT = Format(
    name="LiteLLM standard logging payload",
    page="The payload that LiteLLM's callbacks write (S3, GCS, SQS, generic API and others), one a line, in an array, or one a file. The account is "
    "`metadata.user_api_key_user_id`, else `user_api_key_team_id`, else `user_api_key_project_id`, else `user_api_key_hash`; an `account` beside "
    "them comes first, as do other canonical names. The organisation is `user_api_key_org_id`, else the team; the key is `user_api_key_hash`; the "
    "end user is `end_user`, else the request's `safety_identifier`, `user` or `metadata.user_id`. The model is the one asked for (`model_group`), "
    "else `model`. Without the proxy LiteLLM knows no user: pass `metadata={\"user_api_key_user_id\": ...}`. Where message logging is turned off, texts "
    "are unknown, as are the numbers of messages and images; counts of 0 tokens on both sides and costs without a price are unknown; `success` "
    "counts as status 200. The session is `session_id`, which LiteLLM fills with `request_correlation_in_logs` only: "
    "its trace id may be new with every call. Calls of MCP tools are rejected. Not told: the client's headers, and calls that the proxy refused before it knew the "
    "model.",
    suffix=".jsonl",
    order=15,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads("a completion through the proxy", _line, (_CALL,)),
        Reads(
            "message logging turned off; only a key; served from the cache; a price that is not known",
            lambda: _line(
                id="chatcmpl-1_cache_hit17",
                cache_hit=True,
                messages=[{"role": "user", "content": "redacted-by-litellm"}],
                response={"id": "chatcmpl-1", "choices": [{"finish_reason": "stop", "message": {"content": "redacted-by-litellm"}}]},
                metadata={"user_api_key_user_id": None, "user_api_key_team_id": None, "user_api_key_user_email": None},
                response_cost=0.0,
                response_cost_failure_debug_info={"error_str": "This model isn't mapped yet."},
            ),
            (
                {each: was for each, was in _CALL.items() if each not in (*_TEXTS, "org", "email_domain", "cost", "upstream_id")}
                | {"call_id": "chatcmpl-1_cache_hit17", "account": "kh"},
            ),
        ),
        Reads(
            "an array on one line: a failure, and the responses API with encrypted reasoning",
            lambda: orjson.dumps(
                [
                    _payload(
                        id="2",
                        status="failure",
                        response={},
                        prompt_tokens=0,
                        completion_tokens=0,
                        error_information={"error_code": "429", "error_class": "RateLimitError"},
                        model_parameters={},
                    ),
                    _payload(
                        id="3",
                        call_type="aresponses",
                        messages=[{"role": "user", "content": [{"type": "input_text", "text": "Go on"}]}, {"type": "reasoning", "encrypted_content": "in"}],
                        response={
                            "id": "resp_1",
                            "status": "completed",
                            "output": [
                                {"type": "reasoning", "summary": [], "encrypted_content": "out"},
                                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Gone"}]},
                            ],
                        },
                        model_parameters={"instructions": "Be kind.", "max_output_tokens": 9, "reasoning": {"effort": "high"}},
                        session_id="s-1",
                        end_user="e-2",
                    ),
                ]
            ),
            (
                _WHO
                | {
                    "call_id": "2", "ts": 1750000000500000, "model": "m-1", "endpoint": "/v1/chat/completions", "system": "Be brief.", "prompt": "Hi",
                    "turns": 2, "images": 1, "tools": 0, "logit_bias": False, "status": 429, "finish": "RateLimitError",
                },
                {each: was for each, was in _CALL.items() if each not in ("temperature", "tool_names")}
                | {
                    "call_id": "3", "upstream_id": "resp_1", "session": "s-1", "end_user": "e-2", "system": "Be kind.", "prompt": "Go on", "images": 0, "turns": 1,
                    "max_tokens": 9, "reasoning_effort": "high", "tools": 0, "response": "Gone", "finish": "completed",
                    "reasoning_in": [chat.digest("in")], "reasoning_out": chat.digest("out"),
                },
            ),
        ),
        Rejects(
            "no account, a strange time, a count that is none, a tool's call, no model; a line that is no JSON",
            lambda: (
                _line(metadata=dict.fromkeys(("user_api_key_user_id", "user_api_key_team_id", "user_api_key_hash")))
                + _line(startTime="soon")
                + _line(prompt_tokens="12")
                + _line(call_type="call_mcp_tool")
                + _line(model="", model_group="")
                + b'{"id": "chatcmpl-1",\n'
                + _line()
            ),
            (
                (1, ACCOUNT),
                (2, "ts is neither an ISO 8601 text nor a number"),
                (3, "input_tokens is not a whole number"),
                (4, TOOL),
                (5, "model is missing or empty"),
                (6, "the JSON breaks off"),
            ),
            left=1,
        ),
    ),
)  # fmt: skip
