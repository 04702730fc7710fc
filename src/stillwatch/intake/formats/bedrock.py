"""Amazon Bedrock model invocation logs: one record a line, as delivered to S3 (or the messages of the CloudWatch log group).

Fields after Bedrock's user guide (model invocation logging), its runtime API (Converse) and the inference parameters of its models
(Anthropic, Amazon Titan and Nova, Meta Llama, and what others share with them). A body above 100 KB lies in a file of its own and
is only named here: the call is read, its content is unknown. Five shapes of bodies and their cases make this file longer than others.
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

ACCOUNT = "no account: the record has neither identity.arn nor accountId; put account beside them"

_NAMES = {"modelId", "operation", "input", "output", "requestId", "accountId", "identity", "schemaType"}
"Of these a record has the first two and at least three of the others."

_ONCE = ("requestId", "timestamp", "accountId", "modelId")

_STATUS = {
    "AccessDenied": 403, "InternalServer": 500, "ModelError": 424, "ModelNotReady": 429, "ModelStreamError": 424, "ModelTimeout": 408,
    "ResourceNotFound": 404, "ServiceQuotaExceeded": 400, "ServiceUnavailable": 503, "Throttling": 429, "Validation": 400,
}  # fmt: skip
"HTTP status of the runtime API's errors."

_ROLE = re.compile(r"(arn:[^:]*:sts::[^:]*:assumed-role/[^/]+)/.+")


def recognises(opening: Opening) -> bool:
    """Some object has the names of a model invocation record."""
    return opening.container == "json" and any({"modelId", "operation"} <= record.keys() and len(_NAMES & record.keys()) >= 5 for record in opening.records)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls."""
    for run in jsonlines.objects(source, _ONCE, call, reject):
        yield jsonlines.batch(source, run, CANONICAL, reject)


def call(line: Body) -> Body:
    """A record as one flat call under canonical names. Raises `Unusable`."""
    given, got = thing(line.get("input"), "input"), thing(line.get("output"), "output")
    operation, error = line.get("operation"), line.get("errorCode")
    made = _asked(part(given.get("inputBodyJson"))) | _answered(got.get("outputBodyJson"))
    counted = total("inputTokenCount", *(given.get(name) for name in ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")))
    made["input_tokens"] = first(counted, made.get("input_tokens"))
    made["cached_tokens"] = first(given.get("cacheReadInputTokenCount"), made.get("cached_tokens"))
    made["output_tokens"] = first(got.get("outputTokenCount"), made.get("output_tokens"))
    made["call_id"] = line.get("requestId")
    made["ts"] = chat.instant(line.get("timestamp"))
    made["model"] = _last(line.get("modelId"))
    made["endpoint"] = operation
    made["stream"] = operation.endswith("Stream") if isinstance(operation, str) else None
    made["path"] = "cloud"
    made["status"] = _STATUS.get(error.removesuffix("Exception")) if isinstance(error, str) else None
    made["finish"] = first(made.get("finish"), error)
    made |= _caller(line, made.get("end_user")) | chat.beside(line)
    if first(made["account"]) is None:
        raise Unusable(ACCOUNT)
    return made


def _last(model: Any) -> Any:
    """Of a model's ARN its last part: the model, the inference profile or the endpoint."""
    return model.rpartition("/")[2] if isinstance(model, str) and model.startswith("arn:") else model


def _caller(line: Body, end_user: Any) -> Body:
    """The principal of `identity.arn`: an assumed role is one account under all its session names, each of which is a key."""
    arn, owner = part(line.get("identity")).get("arn"), line.get("accountId")
    role = _ROLE.fullmatch(arn) if isinstance(arn, str) else None
    told = {re.sub(r"[^a-z]", "", name.lower()): value for name, value in part(line.get("requestMetadata")).items()}
    return {
        "account": first(role[1] if role else arn, owner),
        "org": owner,
        "key": arn if role else None,
        "end_user": first(end_user, *(told.get(name) for name in ("enduser", "enduserid", "userid", "user"))),
        "session": first(*(told.get(name) for name in ("session", "sessionid", "conversationid"))),
    }


def _asked(body: Body) -> Body:
    if "anthropic_version" in body or "max_tokens_to_sample" in body:
        return chat.asked(body)
    config = first(body.get("inferenceConfig"), body.get("textGenerationConfig"))
    config = thing(config, "inferenceConfig") or body
    more = part(body.get("additionalModelRequestFields"))
    tools = [each for each in several(part(body.get("toolConfig")).get("tools")) if "cachePoint" not in part(each)]
    if tools:
        named = [part(first(part(each).get("toolSpec"), part(each).get("systemTool"))).get("name") for each in tools]
    else:  # OpenAI's shape, which some models take
        named = [first(part(part(each).get("function")).get("name"), part(each).get("name")) for each in several(body.get("tools"))]
    made = chat.conversation(body.get("system"), body.get("messages"))
    prompt = first(*(body.get(name) for name in ("inputText", "prompt", "message")))
    if isinstance(prompt, str) and "messages" not in body:
        made["prompt"] = prompt
    lengths = ("maxTokens", "max_new_tokens", "maxTokenCount", "max_gen_len", "max_tokens", "max_completion_tokens")
    effort = first(part(more.get("output_config")).get("effort"), part(body.get("outputConfig")).get("effort"), body.get("reasoning_effort"))
    thinking = first(part(more.get("thinking")).get("type"), part(more.get("reasoning_config")).get("type"))
    return made | (chat.offered(named) if body else {}) | {
        "max_tokens": first(*(config.get(name) for name in lengths)),
        "temperature": config.get("temperature"),
        "reasoning_effort": first(effort, thinking),
        "end_user": part(more.get("metadata")).get("user_id"),
    }  # fmt: skip


def _answered(given: Any) -> Body:
    """The answer of any body's shape; a list holds the chunks of a stream."""
    chunks = [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, dict)]
    if any("type" in each or "stop_reason" in each and "content" in each for each in chunks):
        return chat.answered(given)
    if isinstance(given, list) and any("contentBlockDelta" in each or "messageStop" in each for each in chunks):
        chunks = [_joined(chunks)]
    made = [_piece(each) for each in chunks]
    texts = [each["response"] for each in made if isinstance(each["response"], str)]
    found = {name: first(*(each[name] for each in reversed(made))) for name in made[0]} if made else {}
    return found | {"response": "".join(texts) or None}


def _piece(body: Body) -> Body:
    """Converse and Nova; or one answer, or one chunk of it, of the models that give a plain text."""
    message = thing(thing(body.get("output"), "output").get("message"), "output.message")
    results = [part(each) for each in several(first(body.get("results"), body.get("outputs"), body.get("choices")))]
    one = results[0] if results else {}
    usage = part(first(body.get("usage"), part(body.get("metadata")).get("usage")))
    issued = chat.sealed(message.get("content"))
    plain = [part(one.get("message")).get("content"), part(one.get("delta")).get("content"), one.get("outputText"), one.get("text")]
    plain += [body.get(name) for name in ("generation", "outputText", "completion", "text")]
    ends = [body.get(name) for name in ("stopReason", "stop_reason", "completionReason", "finish_reason")]
    ends += [one.get(name) for name in ("completionReason", "stop_reason", "finish_reason")]
    # The runtime API counts the cache's tokens apart.
    kept = (usage.get("inputTokens"), usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens"))
    asked = first(body.get("prompt_token_count"), body.get("inputTextTokenCount"), usage.get("prompt_tokens"))
    spent = first(body.get("generation_token_count"), body.get("totalOutputTextTokenCount"), one.get("tokenCount"), usage.get("completion_tokens"))
    return {
        "response": first(chat.text(message.get("content")), *plain),
        "input_tokens": first(total("inputTokens", *kept), asked),
        "cached_tokens": usage.get("cacheReadInputTokens"),
        "output_tokens": first(usage.get("outputTokens"), spent),
        "finish": first(*ends),
        "reasoning_out": issued[-1] if issued else None,
    }


def _joined(chunks: list[Body]) -> Body:
    """The chunks of Converse's stream (Nova's too) as the whole answer."""
    texts: list[str] = []
    signed: list[Body] = []
    for each in chunks:
        delta = part(part(each.get("contentBlockDelta")).get("delta"))
        texts += [delta["text"]] if isinstance(delta.get("text"), str) else []
        reasoning = part(delta.get("reasoningContent"))
        signed.append({"reasoningContent": {"reasoningText": reasoning, "redactedContent": reasoning.get("redactedContent")}})
    ends = [part(each.get("messageStop")).get("stopReason") for each in chunks]
    usages = [part(each.get("metadata")).get("usage") for each in chunks]
    content = [*signed, {"text": "".join(texts)}]
    return {"output": {"message": {"content": content}}, "stopReason": first(*ends), "usage": first(*usages)}


def _record(asked: Any, answered: Any, counts: tuple[int, int] = (4, 3), **fields: Any) -> bytes:
    given = {"inputContentType": "application/json", "inputBodyJson": asked, "inputTokenCount": counts[0]}
    got = {"outputContentType": "application/json", "outputBodyJson": answered, "outputTokenCount": counts[1]}
    return (
        orjson.dumps(
            {
                "schemaType": "ModelInvocationLog",
                "schemaVersion": "1.0",
                "timestamp": "2025-06-15T15:06:40Z",
                "accountId": "111122223333",
                "identity": {"arn": "arn:aws:iam::111122223333:user/ann"},
                "region": "us-east-1",
                "requestId": "r-1",
                "operation": "InvokeModel",
                "modelId": "m-1",
                "input": given,
                "output": got,
                **fields,
            }
        )
        + b"\n"
    )


_CALL = {
    "call_id": "r-1",
    "ts": 1750000000000000,
    "account": "arn:aws:iam::111122223333:user/ann",
    "org": "111122223333",
    "path": "cloud",
    "model": "m-1",
    "endpoint": "InvokeModel",
    "stream": False,
    "input_tokens": 4,
    "output_tokens": 3,
}
_CLAUDE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 50,
    "system": "Be brief.",
    "messages": [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "in"}, {"type": "text", "text": "Yes?"}]},
        {"role": "user", "content": "Go on"},
    ],
}
_EVENTS = [
    {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 4, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "out"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Gone"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
]
_CONVERSE = {
    "system": [{"text": "Be kind."}],
    "messages": [
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "in"}}}]},
        {"role": "user", "content": [{"text": "Go on"}, {"image": {"format": "png", "source": {"s3Location": {"uri": "u"}}}}]},
    ],
    "inferenceConfig": {"maxTokens": 9, "temperature": 0.5},
    "toolConfig": {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {}}}}, {"cachePoint": {"type": "default"}}]},
    "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
}
_CONVERSED = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [{"reasoningContent": {"reasoningText": {"text": "So.", "signature": "out"}}}, {"text": "Gone"}],
        }
    },
    "stopReason": "end_turn",
    "usage": {"inputTokens": 4, "outputTokens": 3, "totalTokens": 7},
}
_CONVERSED_CALL = {
    **_CALL,
    "endpoint": "ConverseStream",
    "stream": True,
    "system": "Be kind.",
    "prompt": "Go on",
    "turns": 2,
    "images": 1,
    "tools": 1,
    "tool_names": ["look"],
    "max_tokens": 9,
    "temperature": 0.5,
    "reasoning_effort": "enabled",
    "response": "Gone",
    "finish": "end_turn",
    "reasoning_in": [chat.digest("in")],
    "reasoning_out": chat.digest("out"),
}
_NOVA_CHUNKS = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"reasoningContent": {"signature": "out"}}, "contentBlockIndex": 0}},
    {"contentBlockDelta": {"delta": {"text": "Go"}, "contentBlockIndex": 1}},
    {"contentBlockDelta": {"delta": {"text": "ne"}, "contentBlockIndex": 1}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {"inputTokens": 4, "outputTokens": 3}}},
]
_TITAN = {"inputText": "Go on", "textGenerationConfig": {"maxTokenCount": 9, "temperature": 0}}
_TITAN_ANSWER = {"inputTextTokenCount": 4, "results": [{"tokenCount": 3, "outputText": "Gone", "completionReason": "FINISH"}]}
_LLAMA = {"prompt": "Go on", "max_gen_len": 9}
_LLAMA_CHUNKS = [
    {"generation": "Go", "prompt_token_count": 4, "generation_token_count": 2, "stop_reason": None},
    {"generation": "ne", "generation_token_count": 3, "stop_reason": "stop"},
]
_ROLE_ARN = "arn:aws:sts::111122223333:assumed-role/app"
_PLAIN = {"prompt": "Go on", "response": "Gone", "max_tokens": 9, "tools": 0}

FORMAT = Format(
    name="Amazon Bedrock invocation logs",
    page="One ModelInvocationLog record a line, as Bedrock delivers it to S3 (`aws logs` exports must first be unpacked to one message a "
    "line); InvokeModel, Converse and their streams, bodies of Anthropic, Titan, Nova, Llama and models that share their fields. The account "
    "is the principal of `identity.arn` (of an assumed role the role alone; with its session name it is the `key`), else `accountId`, which is also the "
    "organisation; an `account` beside them comes first, as do other canonical names. End user and session come from the body or from "
    "`requestMetadata` (`userId`, `sessionId` and the like). Tokens read from or written to the cache count as input. A body above 100 KB "
    "lies in a file of its own and is only named in the record: the call counts, its texts are unknown. `reasoning_out` is the last "
    "signature issued (or the data of redacted thinking): of an answer with several, only that one is kept. The model of an ARN is its last "
    "part. Not told: address and client.",
    suffix=".json",
    order=12,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads(
            "Converse, a role's session, tokens of the cache, caller's metadata",
            lambda: _record(
                _CONVERSE,
                _CONVERSED,
                operation="ConverseStream",
                modelId="arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.m-1",
                identity={"arn": _ROLE_ARN + "/ann@example.com"},
                input={"inputBodyJson": _CONVERSE, "inputTokenCount": 4, "cacheReadInputTokenCount": 5, "cacheWriteInputTokenCount": 1},
                requestMetadata={"user-id": "u-1", "sessionId": "s-1"},
            ),
            (
                _CONVERSED_CALL
                | {"account": _ROLE_ARN, "key": _ROLE_ARN + "/ann@example.com", "model": "us.m-1", "end_user": "u-1", "session": "s-1"}
                | {"input_tokens": 10, "cached_tokens": 5},
            ),
        ),
        Reads(
            "an Anthropic body answered as a stream of events; a failed call",
            lambda: (
                _record(_CLAUDE, _EVENTS, operation="InvokeModelWithResponseStream")
                + _record(_LLAMA, None, requestId="r-2", errorCode="ThrottlingException", output={})
            ),
            (
                {
                    **_CALL,
                    "endpoint": "InvokeModelWithResponseStream",
                    "stream": True,
                    "system": "Be brief.",
                    "prompt": "Go on",
                    "turns": 2,
                    "images": 0,
                    "tools": 0,
                    "max_tokens": 50,
                    "response": "Gone",
                    "finish": "end_turn",
                    "reasoning_in": [chat.digest("in")],
                    "reasoning_out": chat.digest("out"),
                },
                {**_CALL, **_PLAIN, "call_id": "r-2", "response": None, "output_tokens": None, "status": 429, "finish": "ThrottlingException"},
            ),
        ),
        Reads(
            "Titan, Llama's chunks, Nova's chunks",
            lambda: (
                _record(_TITAN, _TITAN_ANSWER)
                + _record(_LLAMA, _LLAMA_CHUNKS, requestId="r-2")
                + _record(_CONVERSE, _NOVA_CHUNKS, requestId="r-3", operation="ConverseStream")
            ),
            (
                {**_CALL, **_PLAIN, "temperature": 0.0, "finish": "FINISH"},
                {**_CALL, **_PLAIN, "call_id": "r-2", "finish": "stop"},
                {**_CONVERSED_CALL, "call_id": "r-3"},
            ),
        ),
        Reads(
            "bodies that lie elsewhere: content unknown; no identity, and what the log's keeper added",
            lambda: _record(
                None,
                None,
                identity=None,
                ip="192.0.2.1",
                input={"inputBodyS3Path": "s3://b/in.json.gz", "inputTokenCount": 40000},
                output={"outputBodyS3Path": "s3://b/out.json.gz", "outputTokenCount": 3},
            ),
            ({**_CALL, "account": "111122223333", "ip": "192.0.2.1", "input_tokens": 40000},),
        ),
        Rejects(
            "no account, no time, messages that are none, counts that are none, an input that is no object",
            lambda: (
                _record(_LLAMA, None, identity={}, accountId=None)
                + _record(_LLAMA, None, timestamp=None)
                + _record({"messages": {}}, None)
                + _record(_LLAMA, None, output={"outputTokenCount": "3"})
                + _record(_LLAMA, None, input={"inputTokenCount": "3"})
                + _record(_LLAMA, None, input=[])
                + _record(_LLAMA, None)
            ),
            (
                (1, ACCOUNT),
                (2, "ts is missing or empty"),
                (3, "messages is not a list of objects"),
                (4, "output_tokens is not a whole number"),
                (5, "inputTokenCount is not a whole number"),
                (6, "input is not an object"),
            ),
            left=1,
        ),
    ),
)
