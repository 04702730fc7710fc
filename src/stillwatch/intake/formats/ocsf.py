"""Events of the Open Cybersecurity Schema Framework with its `ai_operation` profile, one a line: calls in a security lake's own words.

Names after the schema, version 1.9: classes API Activity (6003) and Detection Finding (2004), profile `ai_operation` (`ai_model`, `ai_agent`,
`message_context`), objects `actor`, `user`, `api`, `network_endpoint`, `http_request`, `evidences`, `finding_info`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from stillwatch.intake import chat, jsonlines
from stillwatch.intake.chat import Body, first, instant, part, several
from stillwatch.intake.columns import Unusable, value
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.mapping import CANONICAL, Mapping
from stillwatch.intake.stream import Source

ACCOUNT = "no account: set actor.user.account.uid or actor.user.uid (else actor.user.name or actor.app_uid), or put account beside them"
FOREIGN = "no AI operation: the event has neither ai_model nor ai_agent nor message_context"
CLASS = "class_uid is neither 6003 (API Activity) nor 2004 (Detection Finding)"

_ONCE = ("class_uid", "metadata", "time", "actor")

_PROFILE = {"ai_model", "ai_agent", "message_context"}

_PARAMETERS = (
    "max_tokens", "temperature", "n", "logprobs", "top_logprobs", "logit_bias", "reasoning_effort", "stream", "tools", "tool_names", "images",
    "turns", "system", "reasoning_tokens", "cached_tokens", "finish", "cost", "sampled", "path",
)  # fmt: skip
"Canonical columns that the schema has no word for: read from `unmapped`, where a value fits its column."


def recognises(opening: Opening) -> bool:
    """Some object has the names of an event and one of the profile's."""
    return opening.container == "json" and any(_ours(record) for record in opening.records)


def _ours(record: Body) -> bool:
    return {"class_uid", "metadata"} <= record.keys() and not _PROFILE.isdisjoint(_whole(record))


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls."""
    for run in jsonlines.objects(source, _ONCE, call, reject):
        yield jsonlines.batch(source, run, CANONICAL, reject)


def _whole(event: Body) -> Body:
    """A finding tells of the call in its first evidence: what the event itself does not say is read there."""
    evidence = next((each for each in several(event.get("evidences")) if isinstance(each, dict)), {})
    return {**evidence, **{name: each for name, each in event.items() if each is not None}}


def call(event: Body) -> Body:
    """An event as one flat call under canonical names. Raises `Unusable`."""
    if event.get("class_uid") not in (6003, 2004):
        raise Unusable(CLASS)
    whole = _whole(event)
    if _PROFILE.isdisjoint(whole):
        raise Unusable(FOREIGN)
    context, api, agent = (part(whole.get(name)) for name in ("message_context", "api", "ai_agent"))
    model = first(*(part(each).get(name) for each in (whole.get("ai_model"), agent.get("ai_model")) for name in ("name", "uid")))
    request, response = part(whole.get("http_request")), part(api.get("response"))
    beside = {name: each for name, each in chat.beside(event).items() if not isinstance(each, dict | list)}
    made = _unmapped(part(event.get("unmapped"))) | _caller(part(whole.get("actor")), api, event.get("account")) | _client(whole, request) | {
        "call_id": _identity(event, api, request),
        "ts": instant(first(event.get("time"), event.get("time_dt"))),
        "model": model,
        "endpoint": first(api.get("operation"), part(request.get("url")).get("path")),
        "session": context.get("uid"),
        "prompt": context.get("prompt_text"),
        "response": context.get("response_text"),
        "input_tokens": context.get("prompt_tokens"),
        "output_tokens": context.get("completion_tokens"),
        "status": first(part(whole.get("http_response")).get("code"), response.get("code")),
    } | beside  # fmt: skip
    made["finish"] = first(made.get("finish"), response.get("error"))
    if first(made["account"]) is None:
        raise Unusable(ACCOUNT)
    return made


def _identity(event: Body, api: Body, request: Body) -> str | None:
    """The event's id; of a finding that was raised over one event the id of that event, so that the call counts once."""
    related = several(part(event.get("finding_info")).get("related_events"))
    about = part(related[0]).get("uid") if len(related) == 1 else None
    return _id(about, part(event.get("metadata")).get("uid"), part(api.get("request")).get("uid"), request.get("uid"))


def _id(*given: Any) -> str | None:
    """The first identifier there is; whole numbers may serve as such."""
    return next((str(each) for each in given if type(each) in (int, str) and each != ""), None)


def _caller(actor: Body, api: Body, beside: Any) -> Body:
    user = part(actor.get("user"))
    owner, who, org = part(user.get("account")).get("uid"), user.get("uid"), part(user.get("org"))
    credentials = [part(each).get("uid") for each in several(user.get("programmatic_credentials"))]
    mail = user.get("email_addr")
    account = _id(beside, owner, who, user.get("name"), actor.get("app_uid"))
    person = _id(who, user.get("name"))
    return {
        "account": account,
        "org": _id(org.get("uid"), org.get("name")),
        "key": _id(user.get("credential_uid"), *credentials, part(api.get("token")).get("uid"), part(actor.get("session")).get("credential_uid")),
        "end_user": person if person != account else None,
        "email_domain": mail.rpartition("@")[2].lower() if isinstance(mail, str) and "@" in mail else None,
    }


def _client(whole: Body, request: Body) -> Body:
    source = part(whole.get("src_endpoint"))
    forwarded = several(request.get("x_forwarded_for"))
    prints = [part(each) for each in several(whole.get("ja4_fingerprint_list"))]
    ja4 = next((each.get("value") for each in prints if each.get("type_id") == 1), None)
    return {
        "ip": first(source.get("ip"), *forwarded[:1]),
        "asn": part(source.get("autonomous_system")).get("number"),
        "country": part(source.get("location")).get("country"),
        "user_agent": request.get("user_agent"),
        "tls": first(ja4, part(part(whole.get("tls")).get("ja3_hash")).get("value")),
    }


def _unmapped(given: Body) -> Body:
    """What a source says in its own words may mean anything: only what fits is believed."""
    made: Body = {}
    for name in _PARAMETERS:
        try:
            made[name] = value(name, given.get(name))
        except Unusable:
            continue
    return made


def _event(**fields: Any) -> bytes:
    made = {
        "class_uid": 6003,
        "class_name": "API Activity",
        "category_uid": 6,
        "activity_id": 1,
        "type_uid": 600301,
        "severity_id": 1,
        "time": 1750000000000,
        "metadata": {"version": "1.9.0", "uid": "e-1", "profiles": ["ai_operation"], "product": {"vendor_name": "v"}},
        "actor": {"user": {"uid": "u-1", "account": {"uid": "a1"}}},
        "api": {"operation": "InvokeModel", "response": {"code": 200}},
        "src_endpoint": {"ip": "192.0.2.1"},
        "ai_model": {"ai_provider": "p", "name": "m-1", "version": "1"},
    }
    return orjson.dumps({name: each for name, each in (made | fields).items() if each != ""}) + b"\n"


_CALL = {
    "call_id": "e-1",
    "ts": 1750000000000000,
    "account": "a1",
    "end_user": "u-1",
    "model": "m-1",
    "endpoint": "InvokeModel",
    "status": 200,
    "ip": "192.0.2.1",
}

FORMAT = Format(
    name="OCSF AI operations",
    page="One event of the Open Cybersecurity Schema Framework (1.9) a line, of class API Activity (6003) or Detection Finding (2004), with the "
    "profile `ai_operation`; other events in the file are rejected. The account is the first of `actor.user.account.uid`, `actor.user.uid`, "
    "`actor.user.name` and `actor.app_uid`; an `account` beside them comes first, as do other canonical names. Where the account is that of "
    "several users, `actor.user.uid` is the end user. The model is `ai_model`, else the agent's. Tokens, texts and the session come from "
    "`message_context`; an event without it, or without texts in it, counts all the same. A finding tells of the call in its first evidence; "
    "one that names a single related event bears that event's id, so that the call counts once. Each event is one call: a source that writes "
    "an event for every message of a call must give them one `metadata.uid`. The schema has no words for a request's parameters: "
    "canonical names are read from `unmapped` where their values fit. The address is "
    "`src_endpoint.ip`, else the first of `http_request.x_forwarded_for`.",
    suffix=".json",
    order=11,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads(
            "everything that the schema tells of a call, and parameters in its unmapped part",
            lambda: _event(
                actor={
                    "user": {
                        "uid": "u-1",
                        "email_addr": "ann@Example.com",
                        "account": {"uid": "a1"},
                        "org": {"uid": "o-1", "name": "Org"},
                        "programmatic_credentials": [{"uid": "k-1", "type": "API Key"}],
                    }
                },
                src_endpoint={"ip": "192.0.2.1", "autonomous_system": {"number": 64500}, "location": {"country": "DE"}},
                http_request={"user_agent": "sdk/1", "x_forwarded_for": ["192.0.2.9"]},
                http_response={"code": 200},
                ja4_fingerprint_list=[{"type_id": 2, "value": "server"}, {"type_id": 1, "value": "t13d"}],
                message_context={
                    "uid": "s-1",
                    "ai_role_id": 2,
                    "prompt_tokens": 4,
                    "completion_tokens": 3,
                    "total_tokens": 7,
                    "prompt_text": "Go on",
                    "response_text": "Gone",
                },
                unmapped={"temperature": 0.5, "max_tokens": 9, "stream": "yes", "tools": [{"name": "look"}], "colour": "x"},
            ),
            (
                _CALL
                | {"org": "o-1", "key": "k-1", "email_domain": "example.com", "asn": 64500, "country": "DE", "user_agent": "sdk/1", "tls": "t13d"}
                | {"session": "s-1", "prompt": "Go on", "response": "Gone", "input_tokens": 4, "output_tokens": 3, "temperature": 0.5, "max_tokens": 9},
            ),
        ),
        Reads(
            "no texts, no tokens; a user without an account, an agent's model, a time in words, an address behind a proxy",
            lambda: (
                _event()
                + _event(
                    metadata={"uid": "e-2"},
                    time="",
                    time_dt="2025-06-15T15:06:40Z",
                    actor={"user": {"uid": "u-1"}},
                    ai_model=None,
                    ai_agent={"uid": "g", "ai_model": {"name": "m-2"}},
                    src_endpoint={},
                    http_request={"x_forwarded_for": ["192.0.2.2"], "url": {"path": "/v1"}},
                    api={"operation": None, "response": {"code": 429, "error": "Throttled"}},
                )
            ),
            (
                _CALL,
                {"call_id": "e-2", "ts": 1750000000000000, "account": "u-1", "model": "m-2", "endpoint": "/v1", "ip": "192.0.2.2"}
                | {"status": 429, "finish": "Throttled"},
            ),
        ),
        Reads(
            "a finding over one event, told by its evidence; what the log's keeper put beside",
            lambda: _event(
                class_uid=2004,
                metadata={"uid": "f-1"},
                actor="",
                api="",
                src_endpoint="",
                account="a7",
                finding_info={"uid": "f", "title": "t", "related_events": [{"uid": "e-1"}]},
                evidences=[{"actor": {"user": {"uid": "u-1"}}, "api": {"operation": "Chat"}, "src_endpoint": {"ip": "192.0.2.3"}}],
            ),
            ({"call_id": "e-1", "ts": 1750000000000000, "account": "a7", "end_user": "u-1", "model": "m-1"} | {"endpoint": "Chat", "ip": "192.0.2.3"},),
        ),
        Rejects(
            "no account, another class, no profile, no time, no id, no model, a count that is none",
            lambda: (
                _event(actor={"user": {"account": {"name": "A"}}})
                + _event(class_uid=1007)
                + _event(ai_model="")
                + _event(time=None)
                + _event(metadata={"version": "1.9.0"})
                + _event(ai_model={"ai_provider": "p"})
                + _event(message_context={"prompt_tokens": "4"})
                + _event()
            ),
            (
                (1, ACCOUNT),
                (2, CLASS),
                (3, FOREIGN),
                (4, "ts is missing or empty"),
                (5, "call_id is missing or empty"),
                (6, "model is missing or empty"),
                (7, "input_tokens is not a whole number"),
            ),
            left=1,
        ),
    ),
)
