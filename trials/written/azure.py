"""Azure's diagnostic logs: Azure OpenAI's own, without texts and tokens, and API Management's gateway logs for language models, with both.

Fields after Azure Monitor's common schema, the tables ApiManagementGatewayLlmLog and ApiManagementGatewayLogs, and API Management's guide. Azure masks
the caller's address in Azure OpenAI's log. Neither log tells a request's parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from written import bodies
from written.declare import Call, Writer

_TICKS = 621_355_968_000_000_000
"""100 ns since the year 1, at 1970."""

_OPERATION = "ChatCompletions_Create"


def write(calls: Sequence[Call]) -> bytes:
    """Azure OpenAI's category RequestResponse, one record a line."""
    return b"".join(orjson.dumps(_plain(call)) + b"\n" for call in calls)


def write_gateway(calls: Sequence[Call]) -> bytes:
    """API Management's two logs in one file: three records a call, in the order in which they come in, a call's not together."""
    made: list[dict[str, Any]] = []
    for at in range(0, len(calls), 3):
        records = [_gateway(call) for call in calls[at : at + 3]]
        made += [record for several in zip(*records, strict=True) for record in several]
    return b"".join(orjson.dumps(each) + b"\n" for each in made)


def _plain(call: Call) -> dict[str, Any]:
    return {
        "time": bodies.iso(call["ts"] + 900_000, 7),
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.COGNITIVESERVICES/ACCOUNTS/A",
        "category": "RequestResponse",
        "operationName": _OPERATION,
        "correlationId": call["call_id"],
        "callerIpAddress": call["ip"].rpartition(".")[0] + ".***",
        "durationMs": 900,
        "resultSignature": str(call["status"]),
        "event": "ShoeboxCallResult",
        "properties": {
            "apiName": "Azure OpenAI API version 2024-10-21",
            "requestTime": call["ts"] * 10 + _TICKS,
            "requestLength": len(call["prompt"]),
            "responseTime": (call["ts"] + 900_000) * 10 + _TICKS,
            "responseLength": len(call["response"] or ""),
            "objectId": call["account"],
            "streamType": "Streaming" if call["stream"] else "Non-Streaming",
            "modelDeploymentName": call["model"],
            "modelName": call["model"],
            "modelVersion": "1",
        },
    }


def _gateway(call: Call) -> tuple[dict[str, Any], ...]:
    """The record of the gateway's log, and the language model's with its tokens and the request, and with the answer."""
    about = {
        "time": bodies.iso(call["ts"], 7),
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.APIMANAGEMENT/SERVICE/A",
        "correlationId": call["call_id"],
    }
    caller = {
        "apimSubscriptionId": call["account"],
        "apiId": "openai",
        "operationId": _OPERATION,
        "method": "POST",
        "responseCode": call["status"],
        "requestHeaders": {"User-Agent": call["user_agent"]},
    }
    counted = bodies.known(
        {
            "sequenceNumber": 0,
            "deploymentName": call["model"],
            "modelName": call["model"],
            "isStreamCompletion": bool(call["stream"]),
            "requestMessages": orjson.dumps(bodies.chat_request({**call, "sealed_in": []})["messages"]).decode(),
            "requestId": None if bodies.failed(call) else f"chatcmpl-{call['call_id']}",
            "promptTokens": None if bodies.failed(call) else call["input_tokens"],
            "completionTokens": bodies.whole(call),
        }
    )
    said = {"sequenceNumber": 1, "responseMessages": orjson.dumps([{"role": "assistant", "content": call["response"]}]).decode()}
    llm = {"category": "GatewayLlmLogs", "operationName": "Microsoft.ApiManagement/GatewayLlmLogs"}
    return (
        {**about, **llm, "properties": counted},
        {**about, "category": "GatewayLogs", "operationName": "Microsoft.ApiManagement/GatewayLogs", "callerIpAddress": call["ip"], "properties": caller},
        {**about, **llm, "properties": {"sequenceNumber": 1} if bodies.failed(call) else said},
    )


_OWN = {"endpoint": lambda call: _OPERATION, "stream": lambda call: bool(call["stream"])}
_FORMAT = "Azure OpenAI and API Management diagnostic logs"

WRITERS = (
    Writer(
        "azure-openai", _FORMAT, ".json", write, ("call_id", "ts", "account", "model", "status"), _OWN | {"path": lambda call: "cloud"}, texts=False
    ),
    Writer(
        "azure-apim",
        _FORMAT,
        ".json",
        write_gateway,
        ("call_id", "ts", "account", "model", "ip", "user_agent", "system", "prompt", "response", "status"),
        _OWN
        | {
            "path": lambda call: "gateway",
            "key": lambda call: call["account"],
            "upstream_id": lambda call: None if bodies.failed(call) else f"chatcmpl-{call['call_id']}",
            "turns": bodies.with_system,
            "images": bodies.pictures,
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
        },
    ),
)  # fmt: skip
