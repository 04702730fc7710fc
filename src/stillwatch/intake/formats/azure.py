"""Azure's diagnostic logs of model calls: Azure OpenAI's RequestResponse, and API Management's gateway logs for language models.

Fields after Azure Monitor's common schema for resource logs and its tables ApiManagementGatewayLlmLog and ApiManagementGatewayLogs, and after
API Management's guide to logging language models. Records come as JSON Lines (storage accounts), in an envelope {"records": [...]} (Event
Hubs), or as rows of a workspace's tables; spelling and case of names differ between them, so names are compared without case.

API Management writes a call as several records, one for its tokens and one or more for its messages, which share a correlation id; who
called stands in the gateway's other log under the same id. They are put together here, within `OPEN` calls of one another.
Three logs and the cases of each make this file longer than others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.intake import chat, jsonlines
from stillwatch.intake.chat import Body, first, instant, part, several
from stillwatch.intake.columns import BYTES, ROWS, Unusable
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source
from stillwatch.intake.times import outside
from stillwatch.records import Rejected

OPEN = 4096
"Calls of API Management that wait for further records, at most; the oldest goes on first."

ACCOUNT = (
    "no account: neither properties.objectId nor an identity nor an API Management subscription; let callers sign in with Entra instead of the "
    "resource's keys, join apimSubscriptionId of the gateway's log by correlationId, or put account beside it"
)
AUDIT = "an audit record: it tells who managed the resource, not a model call"
LONELY = "a gateway record without the language model's: enable GatewayLlmLogs, and give both logs in one file"

_ONCE = ("time", "category", "properties", "account")

_COMMON = {"time", "timegenerated", "resourceid", "_resourceid", "operationname", "category", "correlationid"}
_MODEL = {"apiname", "modeldeploymentname", "modelname", "streamtype", "requestlength", "objectid"}
_LLM = {"requestmessages", "responsemessages", "prompttokens", "completiontokens", "deploymentname", "isstreamcompletion"}
_GATEWAY = {"apimsubscriptionid", "apiid", "backendresponsecode", "isrequestsuccess"}

_CLAIMS = "http://schemas.microsoft.com/identity/claims/"

_TICKS = 621_355_968_000_000_000
".NET's ticks (100 ns since the year 1) at 1970."


@dataclass(slots=True)
class _Open:
    """A call of API Management as far as its records are read."""

    line: int
    "Of its first record."
    records: list[Body] = field(default_factory=list)
    size: int = 0


def recognises(opening: Opening) -> bool:
    """Some object, or one in its envelope, has names of resource logs and of a model's or the gateway's properties."""
    return opening.container == "json" and any(_ours(each) for record in opening.records for each in _unwrapped(record)[:9])


def _ours(record: Any) -> bool:
    names = _flat(part(record)).keys()
    return len(_COMMON & names) >= 3 and not (_MODEL | _LLM | _GATEWAY).isdisjoint(names)


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls; a record of an envelope that cannot be used is rejected under the envelope's line."""
    waiting: dict[str, _Open] = {}

    def made(ready: list[tuple[int, list[Body]]]) -> Iterator[pa.RecordBatch]:
        kept: list[tuple[int, Body]] = []
        for number, records in ready:
            try:
                kept.append((number, call(records)))
            except Unusable as error:
                reject(Rejected(source.name, number, str(error)))
        for run in (kept[at : at + ROWS] for at in range(0, len(kept), ROWS)):
            yield jsonlines.batch(source, (np.array([at for at, _ in run], np.int64), [each for _, each in run]), CANONICAL, reject)

    for numbers, lines in jsonlines.objects(source, _ONCE, _shaped, reject):
        ready: list[tuple[int, list[Body]]] = []
        for number, line in zip(numbers.tolist(), lines, strict=True):
            for record in line["records"]:
                if isinstance(record, str):
                    reject(Rejected(source.name, number, record))
                elif not _kept(waiting, number, record):
                    ready.append((number, [record]))
        yield from made([*ready, *_released(waiting, OPEN, BYTES)])
    yield from made(_released(waiting, 0, 0))


def _kept(waiting: dict[str, _Open], number: int, record: Body) -> bool:
    """Whether a record was put aside, for others of its call may follow."""
    name = record.get("correlationid")
    if not isinstance(name, str) or not name or not _gateways(record):
        return False
    call_of = waiting.setdefault(name, _Open(number))
    call_of.records.append(record)
    call_of.size += _weight(record)
    return True


def _gateways(record: Body) -> bool:
    """Whether a record is API Management's: by its names, or, where it has nothing to tell, by its category."""
    return not (_LLM | _GATEWAY).isdisjoint(record) or record.get("category") in ("GatewayLlmLogs", "GatewayLogs")


def _weight(record: Body) -> int:
    """About the bytes that a record holds; walked without recursion, for it may be nested as deeply as JSON may be."""
    size = 0
    left: list[Any] = [record]
    while left:
        each = left.pop()
        size += len(each) if isinstance(each, str) else 64
        left += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
    return size


def _released(waiting: dict[str, _Open], most: int, size: int) -> list[tuple[int, list[Body]]]:
    """The oldest calls that wait, until no more than `most` are left and they hold no more than `size` bytes."""
    held = sum(each.size for each in waiting.values())
    ready: list[tuple[int, list[Body]]] = []
    while waiting and (len(waiting) > most or held > size):
        oldest = waiting.pop(next(iter(waiting)))
        held -= oldest.size
        ready.append((oldest.line, oldest.records))
    return ready


def _unwrapped(line: Body) -> list[Any]:
    """The records of Event Hubs' envelope; of other lines the object itself."""
    records = line.get("records")
    return records if isinstance(records, list) else [line]


def _shaped(line: Body) -> Body:
    return {"records": [_flat(each) if isinstance(each, dict) else "a record of the envelope is not an object" for each in _unwrapped(line)]}


def _flat(record: Body) -> Body:
    """A record with its properties beside its own fields, names in lower case and without the suffix by which old tables tell a type."""
    given = {_name(name): each for name, each in record.items()}
    inner = _parsed(given.get("properties"))
    if isinstance(inner, dict):
        del given["properties"]
        return {_name(name): each for name, each in inner.items()} | {name: each for name, each in given.items() if each is not None}
    return given


def _name(name: str) -> str:
    low = name.lower()
    return low[:-2] if low.endswith(("_s", "_d", "_b", "_g", "_t")) else low


def _parsed(given: Any) -> Any:
    """JSON that may stand in a text; None where it is broken."""
    if not isinstance(given, str):
        return given
    try:
        return orjson.loads(given)
    except orjson.JSONDecodeError:
        return None


def call(records: list[Body]) -> Body:
    """The records of one call as one flat call under canonical names. Raises `Unusable`."""
    told = sorted(records, key=_place)
    held = {name: each for record in reversed(told) for name, each in record.items() if each is not None and each != ""}
    _refuse_others(held)
    who = _identity(held.get("identity"))
    headers = {name.lower(): each for name, each in part(_parsed(first(held.get("requestheaders"), held.get("backendrequestheaders")))).items()}
    gateway = not (_LLM | _GATEWAY).isdisjoint(held)
    address = held.get("calleripaddress")
    made = _texts(told) | {
        "call_id": first(held.get("correlationid"), held.get("requestid")),
        "upstream_id": held.get("requestid") if gateway else None,
        "ts": _time(held),
        "account": _id(held.get("objectid"), who.get("account"), held.get("apimsubscriptionid"), held.get("userid")),
        "org": who.get("org"),
        "key": _id(held.get("apimsubscriptionid")),
        "model": first(held.get("modelname"), held.get("modeldeploymentname"), held.get("deploymentname")),
        "endpoint": first(held.get("operationid"), held.get("operationname")),
        "path": "gateway" if gateway else "cloud",
        "ip": None if isinstance(address, str) and "*" in address else address,  # half an address is nobody's
        "user_agent": headers.get("user-agent"),
        "stream": _streamed(held),
        "status": _status(first(held.get("resultsignature"), held.get("responsecode"), held.get("backendresponsecode"))),
        "input_tokens": _most(told, "prompttokens"),
        "output_tokens": _most(told, "completiontokens"),
    } | {name: each for name, each in chat.beside(held).items() if not isinstance(each, dict | list)}  # fmt: skip
    if first(made["account"]) is None:
        raise Unusable(ACCOUNT)
    return made


def _place(record: Body) -> tuple[bool, float]:
    """Records of the language model by their number, then those of the gateway's other log."""
    number = record.get("sequencenumber")
    return _LLM.isdisjoint(record), number if isinstance(number, int | float) else 0


def _refuse_others(held: Body) -> None:
    category = held.get("category")
    if isinstance(category, str) and category.lower() == "audit":
        raise Unusable(AUDIT)
    if held.get("properties") is not None:
        raise Unusable("properties is not an object")
    if not _GATEWAY.isdisjoint(held) and (_LLM | _MODEL).isdisjoint(held):
        raise Unusable(LONELY)


def _id(*given: Any) -> str | None:
    """The first identifier there is; whole numbers may serve as such."""
    return next((str(each) for each in given if type(each) in (int, str) and each != ""), None)


def _identity(given: Any) -> Body:
    """Principal and tenant of the common schema's identity, or of a text that names the principal."""
    parsed = _parsed(given)
    if isinstance(given, str) and not isinstance(parsed, dict):
        return {"account": given}
    claims = part(first(part(parsed).get("claims"), part(parsed).get("claim"))) or part(parsed)
    names = ("oid", _CLAIMS + "objectidentifier", "appid", "principalId")
    return {"account": _id(*(claims.get(name) for name in names)), "org": _id(claims.get("tid"), claims.get(_CLAIMS + "tenantid"))}


def _time(held: Body) -> int | None:
    """When the request came, in ticks, where that is told; else the record's time."""
    ticks = held.get("requesttime")
    if isinstance(ticks, int | float):
        micros = (int(ticks) - _TICKS) // 10
        if outside("ts", micros) is None:
            return micros
    return instant(first(held.get("time"), held.get("timegenerated")))


def _streamed(held: Body) -> bool | None:
    kind, flag = held.get("streamtype"), held.get("isstreamcompletion")
    if isinstance(kind, str):
        return {"streaming": True, "non-streaming": False}.get(kind.lower())
    return flag if isinstance(flag, bool) else {"true": True, "false": False}.get(chat.bare(flag).lower())


def _status(given: Any) -> Any:
    return int(given) if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) == 3 else None if isinstance(given, str) else given


def _most(records: list[Body], name: str) -> Any:
    """One record of a call counts its tokens; others have none, or 0."""
    known = [each[name] for each in records if each.get(name) is not None]
    return max(known) if known and all(type(each) is int for each in known) else first(*known)


def _texts(records: list[Body]) -> Body:
    asked, answered = _messages(records, "requestmessages"), _messages(records, "responsemessages")
    made: Body = {}
    if asked:
        blocks = [part(block) for turn in asked for block in several(turn.get("content"))]
        made = chat.conversation(None, asked)
        made["images"] += sum(block.get("type") in ("image_url", "input_image") for block in blocks)
    said = [chat.text(turn.get("content")) for turn in answered]
    return made | {"response": "\n".join(filter(None, said)) or None}


def _messages(records: list[Body], name: str) -> list[Body]:
    """The messages of all records of a call; empty where there are none, or where they are cut off."""
    pieces = [each[name] for each in records if each.get(name)]
    parsed = [_parsed(piece) for piece in pieces]
    if any(not isinstance(each, dict | list) for each in parsed):
        # A long text may be cut anywhere: then only the whole is JSON.
        parsed = [_parsed("".join(pieces))] if all(isinstance(each, str) for each in pieces) else []
    turns: list[Any] = []
    for piece in parsed:
        more = piece if isinstance(piece, list) else [piece]
        if turns and more and _goes_on(turns[-1], more[0]):
            turns[-1] = {**turns[-1], "content": turns[-1]["content"] + more[0]["content"]}
            more = more[1:]
        turns += more
    return turns if all(isinstance(turn, dict) for turn in turns) else []


def _goes_on(last: Any, following: Any) -> bool:
    """A record that begins with the role on which the one before it ended goes on with that message."""
    one, other = part(last), part(following)
    return one.get("role") == other.get("role") and isinstance(one.get("content"), str) and isinstance(other.get("content"), str)


def _line(*records: Any) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in records)


_RESOURCE = "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.COGNITIVESERVICES/ACCOUNTS/A"
_PROPERTIES = {
    "apiName": "Azure OpenAI API version 2024-10-21",
    "requestTime": 638855968000000000,
    "requestLength": 128,
    "responseTime": 638855968010000000,
    "responseLength": 1411,
    "objectId": "a1",
    "streamType": "Non-Streaming",
    "modelDeploymentName": "chat",
    "modelName": "m-1",
    "modelVersion": "1",
}


def _record(properties: Any = None, **fields: Any) -> Body:
    made = {
        "time": "2025-06-15T15:06:43.4350000Z",
        "resourceId": _RESOURCE,
        "category": "RequestResponse",
        "operationName": "ChatCompletions_Create",
        "correlationId": "c-1",
        "callerIpAddress": "192.0.2.***",
        "durationMs": 102,
        "resultSignature": "200",
        "event": "ShoeboxCallResult",
        "properties": _PROPERTIES if properties is None else properties,
    }
    return made | fields


def _llm(number: int, **properties: Any) -> Body:
    return {
        "time": "2025-06-15T15:06:40.0000000Z",
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.APIMANAGEMENT/SERVICE/A",
        "category": "GatewayLlmLogs",
        "operationName": "Microsoft.ApiManagement/GatewayLlmLogs",
        "correlationId": "c-2",
        "properties": {"sequenceNumber": number, "requestId": "chatcmpl-1", **properties},
    }


_COUNTED = {"deploymentName": "chat", "modelName": "m-1", "isStreamCompletion": True, "promptTokens": 12, "completionTokens": 3, "totalTokens": 15}
_CALLER = _llm(0) | {
    "category": "GatewayLogs",
    "operationName": "Microsoft.ApiManagement/GatewayLogs",
    "callerIpAddress": "192.0.2.1",
    "properties": {"apimSubscriptionId": "k-1", "operationId": "ChatCompletions_Create", "responseCode": 200, "apiId": "openai"},
}
_CALL = {
    "call_id": "c-1",
    "ts": 1750000000000000,
    "account": "a1",
    "model": "m-1",
    "endpoint": "ChatCompletions_Create",
    "path": "cloud",
    "stream": False,
    "status": 200,
}
_GATEWAY_CALL = {
    "call_id": "c-2",
    "upstream_id": "chatcmpl-1",
    "ts": 1750000000000000,
    "account": "k-1",
    "key": "k-1",
    "model": "m-1",
    "endpoint": "ChatCompletions_Create",
    "path": "gateway",
    "ip": "192.0.2.1",
    "stream": True,
    "status": 200,
    "input_tokens": 12,
    "output_tokens": 3,
}
_IMAGE = [{"type": "text", "text": "Second"}, {"type": "image_url", "image_url": {"url": "u"}}]
_TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "First"}, {"role": "assistant", "content": "Ye"}]

FORMAT = Format(
    name="Azure OpenAI and API Management diagnostic logs",
    page="Azure Monitor's resource logs, as JSON Lines (a storage account's PT1H.json), in the envelope `{\"records\": [...]}` of Event Hubs on "
    "one line, or as rows of a workspace's tables. Of Azure OpenAI the category RequestResponse: its records hold no texts and no tokens. "
    "Of API Management the categories GatewayLlmLogs, with tokens and, where enabled, texts, and GatewayLogs, which tell who called: records of one "
    "call are joined by `correlationId`, if both logs lie in one file (or are joined before, `apimSubscriptionId` beside the rest). Audit "
    "records are rejected, for they tell of no call. The account is `properties.objectId`; else the principal of `identity` (`oid`, "
    "`appid`), whose tenant is the organisation; else the API Management subscription, which is also the key; else its `userId`. Callers who "
    "use the resource's keys have an empty `objectId`: put `account` beside the record; it comes first, as do other canonical names. The model "
    "is `modelName`, else the deployment. The time is `requestTime`, else `time`. An address that Azure has masked is unknown. "
    "Not told: parameters of the request.",
    suffix=".json",
    order=13,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads(
            "Azure OpenAI's records, properties as text and in an envelope; a principal's identity; no identity, but what the log's keeper added",
            lambda: _line(
                _record(orjson.dumps(_PROPERTIES).decode()),
                {
                    "records": [
                        _record(
                            {**_PROPERTIES, "objectId": "", "streamType": "Streaming", "modelName": ""},
                            correlationId="c-3",
                            identity={"claim": {"oid": "a2", "tid": "o-1"}},
                            resultSignature="429",
                        ),
                        _record({**_PROPERTIES, "objectId": "", "requestTime": None}, correlationId="c-4", account="a7", callerIpAddress="192.0.2.1"),
                    ]
                },
            ),
            (
                _CALL,
                _CALL | {"call_id": "c-3", "account": "a2", "org": "o-1", "model": "chat", "stream": True, "status": 429},
                _CALL | {"call_id": "c-4", "account": "a7", "ts": 1750000003435000, "ip": "192.0.2.1"},
            ),
        ),
        Reads(
            "API Management's records of one call, out of order, its messages cut in two; the gateway's other log tells who called",
            lambda: _line(
                _CALLER,
                _llm(2, requestMessages=[{"role": "assistant", "content": "s?"}, {"role": "user", "content": _IMAGE}], promptTokens=0),
                _llm(1, requestMessages=_TURNS),
                _llm(0, **_COUNTED),
                _llm(3, responseMessages=orjson.dumps([{"role": "assistant", "content": "Done"}]).decode()),
            ),
            (_GATEWAY_CALL | {"system": "Be brief.", "prompt": "Second", "turns": 4, "images": 1, "response": "Done"},),
        ),
        Reads(
            "rows of a workspace's table, joined with the gateway's log; a text cut anywhere, another of which a piece is lost",
            lambda: _line(
                *(
                    {
                        "TimeGenerated": "2025-06-15T15:06:40Z",
                        "CorrelationId": name,
                        "OperationName": "Microsoft.ApiManagement/GatewayLlmLogs",
                        "_ResourceId": "r",
                        "SequenceNumber": number,
                        "DeploymentName": "chat",
                        "ModelName": "m-1",
                        "RequestMessages": text,
                        "ApimSubscriptionId": "k-1",
                        "CallerIpAddress": "192.0.2.1",
                    }
                    for name, number, text in (("c-2", 0, '[{"role":"user","con'), ("c-2", 1, 'tent":"Go on"}]'), ("c-5", 0, '[{"role":"user"'))
                )
            ),
            tuple(
                {
                    **dict.fromkeys(_GATEWAY_CALL),
                    **{each: _GATEWAY_CALL[each] for each in ("ts", "account", "key", "model", "path", "ip")},
                    "endpoint": "Microsoft.ApiManagement/GatewayLlmLogs",
                    "call_id": name,
                    **told,
                }
                for name, told in (("c-2", {"prompt": "Go on", "turns": 1, "images": 0}), ("c-5", {}))
            ),
        ),
        Rejects(
            "keys instead of principals, an audit record, no model, properties that are none, no time, records without their others",
            lambda: _line(
                _record({**_PROPERTIES, "objectId": ""}),
                _record({"objectId": "a1"}, category="Audit", operationName="ListKey"),
                _record({"objectId": "a1"}, operationName="Create_Thread"),
                _record("{"),
                _record({**_PROPERTIES, "requestTime": 5}, time="soon"),
                _record(correlationId=""),
                {"records": [_record(correlationId="c-9"), 5, _record([])]},
                _llm(0, **_COUNTED),
                _CALLER | {"correlationId": "c-8"},
                _record(),
            ),
            (
                (1, ACCOUNT),
                (2, AUDIT),
                (3, "model is missing or empty"),
                (4, "properties is not an object"),
                (5, "ts is neither an ISO 8601 text nor a number"),
                (6, "call_id is missing or empty"),
                (7, "a record of the envelope is not an object"),
                (7, "properties is not an object"),
                (8, ACCOUNT),
                (9, LONELY),
            ),
            left=2,
        ),
    ),
)
