"""Vertex AI's request-response logs: rows of the BigQuery table, exported as JSON, one a line.

Columns after Vertex AI's guide (log requests and responses); bodies after the Gemini API (`generateContent`) in either spelling of its
names (camelCase or snake_case), and after Anthropic's Messages API for the partner models that are called through `rawPredict`.
JSON columns may come as objects or as texts that hold JSON: exports do both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from stillwatch.intake import chat, jsonlines
from stillwatch.intake.chat import Body, first, part, several, thing, total
from stillwatch.intake.columns import Unusable
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source

ACCOUNT = "no account: the endpoint names no project; put account beside it, or a label account in the request"

_ONCE = ("request_id", "logging_time", "endpoint")

_PROJECT = re.compile(r"(?:^|/)projects/([^/]+)/")


def recognises(opening: Opening) -> bool:
    """Some object has the names of the table's columns."""
    bodies = {"full_request", "full_response", "request_payload", "response_payload"}
    return opening.container == "json" and any("logging_time" in record and bodies & record.keys() for record in opening.records)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls."""
    for run in jsonlines.objects(source, _ONCE, call, reject):
        yield jsonlines.batch(source, run, CANONICAL, reject)


def call(line: Body) -> Body:
    """A row as one flat call under canonical names. Raises `Unusable`."""
    request, response = part(_body(line, "request")), _body(line, "response")
    chunks = [part(each) for each in (response if isinstance(response, list) else [response])]
    # Gemini's bodies and Anthropic's share no name but `model` and `tools`.
    raw = "messages" in request or any("stop_reason" in each or "content_block" in each or "message" in each for each in chunks)
    made = chat.asked(request) | chat.answered(response) if raw else _asked(request) | _answered(chunks)
    identity, method = line.get("request_id"), line.get("api_method")
    labels = part(request.get("labels"))
    made["call_id"] = first(str(identity) if type(identity) is int else identity, *(_has(each, "responseId") for each in chunks))
    if type(identity) is float:
        raise Unusable("request_id has lost digits as a floating-point number; export it as text")
    made["ts"] = chat.instant(line.get("logging_time"))
    made["model"] = _model(line, chunks)
    made["endpoint"] = method
    made["path"] = "cloud"
    made["stream"] = "stream" in method.lower() if isinstance(method, str) else made.get("stream")
    made["account"] = first(_project(line.get("endpoint")), _project(line.get("model")), labels.get("account"))
    made["end_user"] = first(made.get("end_user"), *(labels.get(name) for name in ("end_user", "user_id", "user")))
    made["session"] = first(*(labels.get(name) for name in ("session", "session_id", "conversation_id")))
    made |= chat.beside(line)
    if first(made["account"]) is None:
        raise Unusable(ACCOUNT)
    return made


def _body(line: Body, name: str) -> Any:
    """The whole body if the row has it, else the payload's texts: one is an object, several are a stream's chunks."""
    whole = _unfolded(line.get(f"full_{name}"))
    if isinstance(whole, dict | list) and whole:
        return whole
    pieces = [each for each in map(_unfolded, several(line.get(f"{name}_payload"))) if isinstance(each, dict)]
    return pieces[0] if len(pieces) == 1 else pieces or None


def _unfolded(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return orjson.loads(given)
    except orjson.JSONDecodeError:
        return None  # cut off, or no JSON: the call counts, its content is unknown


def _has(body: Body, name: str) -> Any:
    """A field of Google's APIs under its camelCase name or under its snake_case one."""
    return body[name] if name in body else body.get(re.sub(r"[A-Z]", lambda each: "_" + each[0].lower(), name))


def _project(name: Any) -> str | None:
    found = _PROJECT.search(name) if isinstance(name, str) else None
    return found[1] if found else None


def _model(line: Body, chunks: list[Body]) -> Any:
    """The model asked for, of a resource's name the last part; else the version that answered, else the deployed model's id."""
    name = first(line.get("model"), *(_has(each, "modelVersion") for each in chunks), line.get("deployed_model_id"))
    return name.rpartition("/")[2] if isinstance(name, str) else name


def _asked(request: Body) -> Body:
    config = thing(_has(request, "generationConfig"), "generationConfig")
    system, contents = _has(request, "systemInstruction"), request.get("contents")
    contents = [contents] if isinstance(contents, str | dict) else contents
    if isinstance(contents, list):
        contents = [{"parts": each} if isinstance(each, str) else each for each in contents]
    told = part(system).get("parts") if isinstance(system, dict) else system
    thinking = part(_has(config, "thinkingConfig"))
    return chat.conversation(told, contents, "contents", "parts") | (_offered(request) if request else {}) | {
        "max_tokens": _has(config, "maxOutputTokens"),
        "temperature": config.get("temperature"),
        "n": _has(config, "candidateCount"),
        "logprobs": _has(config, "responseLogprobs"),
        "top_logprobs": config.get("logprobs"),
        "reasoning_effort": _has(thinking, "thinkingLevel"),
    }  # fmt: skip


def _offered(request: Body) -> Body:
    """Functions by their names, tools of the platform (search, code execution, ...) by their kind."""
    names: list[Any] = []
    for tool in several(request.get("tools")):
        functions = several(_has(part(tool), "functionDeclarations"))
        names += [part(each).get("name") for each in functions]
        names += [kind for kind in part(tool) if kind not in ("functionDeclarations", "function_declarations")]
    return chat.offered(names)


def _answered(chunks: list[Body]) -> Body:
    """A response, or the chunks of a streamed one: the texts joined, the last counts. Of several candidates each one's text counts."""
    texts: dict[Any, list[str]] = {}
    issued: list[str] = []
    ends: list[Any] = []
    usage: Body = {}
    for chunk in chunks:
        usage |= thing(_has(chunk, "usageMetadata"), "usageMetadata")
        ends.append(_has(part(_has(chunk, "promptFeedback")), "blockReason"))
        for candidate in several(chunk.get("candidates")):
            parts = several(part(part(candidate).get("content")).get("parts"))
            index = part(candidate).get("index")
            texts.setdefault(index if type(index) is int else 0, []).extend(_said(parts))
            issued += chat.sealed(parts)
            ends.append(_has(part(candidate), "finishReason"))
    known = {name: _has(usage, f"{name}TokenCount") for name in ("prompt", "toolUsePrompt", "candidates", "thoughts", "cachedContent")}
    return {
        "response": "\n".join(filter(None, ("".join(each) for each in texts.values()))) or None,
        "input_tokens": total("promptTokenCount", known["prompt"], known["toolUsePrompt"]),
        "output_tokens": total("candidatesTokenCount", known["candidates"], known["thoughts"]),
        "reasoning_tokens": known["thoughts"],
        "cached_tokens": known["cachedContent"],
        "finish": first(*reversed(ends)),
        "reasoning_out": issued[-1] if issued else None,
    }


def _said(parts: list[Any]) -> list[str]:
    return [words for each in parts if isinstance(each, dict) and (words := chat.text([each]))]


def _row(request: Any, response: Any, **fields: Any) -> bytes:
    columns = {
        "endpoint": "https://us-central1-aiplatform.googleapis.com/v1/projects/p-1/locations/us-central1/publishers/google/models/gemini-1",
        "deployed_model_id": "",
        "logging_time": "2025-06-15 15:06:40.5 UTC",
        "request_id": 98765432101234567,
        "request_payload": [],
        "response_payload": [],
        "model": "gemini-1",
        "model_version": "001",
        "api_method": "generateContent",
        "full_request": request,
        "full_response": response,
        "metadata": {},
    }
    return orjson.dumps(columns | fields) + b"\n"


_ASK = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "First"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "in"}]},
        {"role": "user", "parts": [{"text": "Second"}, {"fileData": {"mimeType": "image/png", "fileUri": "gs://b/x"}}]},
    ],
    "generationConfig": {
        "maxOutputTokens": 99,
        "temperature": 0.5,
        "candidateCount": 1,
        "responseLogprobs": True,
        "logprobs": 2,
        "thinkingConfig": {"thinkingLevel": "HIGH"},
    },
    "tools": [{"functionDeclarations": [{"name": "look"}]}, {"googleSearch": {}}],
    "labels": {"user_id": "u-1"},
}
_ANSWER = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "Done", "thoughtSignature": "out"}]},
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {"promptTokenCount": 8, "cachedContentTokenCount": 2, "candidatesTokenCount": 3, "thoughtsTokenCount": 4},
    "responseId": "g-1",
    "modelVersion": "gemini-1-001",
}
_WHERE = {"call_id": "98765432101234567", "ts": 1750000000500000, "account": "p-1", "path": "cloud", "model": "gemini-1"}
_CALL = _WHERE | {
    "endpoint": "generateContent",
    "stream": False,
    "system": "Be brief.",
    "prompt": "Second",
    "turns": 3,
    "images": 1,
    "response": "Done",
    "max_tokens": 99,
    "temperature": 0.5,
    "n": 1,
    "logprobs": True,
    "top_logprobs": 2,
    "reasoning_effort": "HIGH",
    "tools": 2,
    "tool_names": ["look", "googleSearch"],
    "end_user": "u-1",
    "input_tokens": 8,
    "cached_tokens": 2,
    "output_tokens": 7,
    "reasoning_tokens": 4,
    "finish": "STOP",
    "reasoning_in": [chat.digest("in")],
    "reasoning_out": chat.digest("out"),
}
_CHUNKS = [
    {"candidates": [{"content": {"parts": [{"text": "Do"}]}}], "usage_metadata": {"prompt_token_count": 8}},
    {"candidates": [{"content": {"parts": [{"text": "ne"}, {"thought_signature": "out"}]}, "finish_reason": "MAX_TOKENS"}]},
    {"usage_metadata": {"prompt_token_count": 8, "candidates_token_count": 2}, "response_id": "g-2"},
]
_CLAUDE = {
    "anthropic_version": "vertex-2023-10-16",
    "max_tokens": 9,
    "stream": False,
    "messages": [{"role": "user", "content": "Go on"}],
    "metadata": {"user_id": "u-2"},
}
_CLAUDE_ANSWER = {
    "id": "msg_1",
    "content": [{"type": "thinking", "thinking": "", "signature": "out"}, {"type": "text", "text": "Gone"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 4, "output_tokens": 2},
}

FORMAT = Format(
    name="Vertex AI request-response logs",
    page="One row of the BigQuery table a line, as exported to JSON Lines (of a Parquet export, its rows written as JSON): Gemini's "
    "`generateContent` and `streamGenerateContent`, and Anthropic's bodies under `rawPredict`; JSON columns as objects or as text. Where "
    "`full_request` and `full_response` are missing, the payload columns are read, if they hold JSON. The account is the project in "
    "`endpoint` or `model`, else the request's label `account`; an `account` beside them comes first, as do other canonical names. Where "
    "one project serves many customers, put the customer there as `account`. End user and session come from the labels `user_id` and `session_id` and the like. "
    "Tokens of thoughts count as output. `reasoning_out` is the last thought signature issued: of an answer with several, only that one is "
    "kept. A sampling rate below 1 is not in the table: put it beside each row as `sampled`. Not told: address, client, key, HTTP status.",
    suffix=".jsonl",
    order=14,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads("Gemini, with thought signatures replayed and issued, tools and an image", lambda: _row(_ASK, _ANSWER), (_CALL,)),
        Reads(
            "JSON as text, a stream's chunks in snake_case names, the account of a label, an id that is missing",
            lambda: _row(
                orjson.dumps({"contents": [{"parts": [{"text": "Go on"}]}], "labels": {"account": "a1"}}).decode(),
                None,
                response_payload=[orjson.dumps(each).decode() for each in _CHUNKS],
                endpoint="endpoints/1",
                model="publishers/google/models/gemini-1",
                request_id=None,
                api_method="streamGenerateContent",
            ),
            (
                {
                    **_WHERE,
                    "call_id": "g-2",
                    "account": "a1",
                    "endpoint": "streamGenerateContent",
                    "stream": True,
                    "prompt": "Go on",
                    "turns": 1,
                    "images": 0,
                    "tools": 0,
                    "response": "Done",
                    "input_tokens": 8,
                    "output_tokens": 2,
                    "finish": "MAX_TOKENS",
                    "reasoning_out": chat.digest("out"),
                },
            ),
        ),
        Reads(
            "an Anthropic body under rawPredict; a row without bodies: content unknown",
            lambda: (
                _row(_CLAUDE, _CLAUDE_ANSWER, api_method="rawPredict", model="claude-1")
                + _row(None, None, request_id="2", account="a2", sampled=0.1, request_payload=["Hello"], response_payload=None)
            ),
            (
                {
                    **_WHERE,
                    "model": "claude-1",
                    "endpoint": "rawPredict",
                    "stream": False,
                    "prompt": "Go on",
                    "turns": 1,
                    "images": 0,
                    "tools": 0,
                    "max_tokens": 9,
                    "end_user": "u-2",
                    "response": "Gone",
                    "input_tokens": 4,
                    "output_tokens": 2,
                    "finish": "end_turn",
                    "reasoning_out": chat.digest("out"),
                },
                {**_WHERE, "call_id": "2", "account": "a2", "sampled": 0.1, "endpoint": "generateContent", "stream": False},
            ),
        ),
        Rejects(
            "no account, a strange time, contents and counts that are none, no id",
            lambda: (
                _row(_ASK, _ANSWER, endpoint="endpoints/1")
                + _row(_ASK, _ANSWER, logging_time="soon")
                + _row(_ASK, _ANSWER, logging_time=1)
                + _row({"contents": 5}, _ANSWER)
                + _row(_ASK, {"usageMetadata": {"promptTokenCount": "8"}})
                + _row(_ASK, {}, request_id=None)
                + _row(_ASK, _ANSWER, request_id=9.8e16)
                + _row(_ASK, _ANSWER)
            ),
            (
                (1, ACCOUNT),
                (2, "ts is neither an ISO 8601 text nor a number"),
                (3, "ts lies outside 2015 to 2100 in any unit"),
                (4, "contents is not a list of objects"),
                (5, "promptTokenCount is not a whole number"),
                (6, "call_id is missing or empty"),
                (7, "request_id has lost digits as a floating-point number; export it as text"),
            ),
            left=1,
        ),
    ),
)
