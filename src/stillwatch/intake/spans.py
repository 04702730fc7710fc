"""Spans of OpenTelemetry's GenAI conventions -> calls, whichever way the spans were written to a file.

Names after the semantic conventions for generative AI in all their generations (attributes and span events of 1.27 to 1.38), the names that
OpenLLMetry, LiteLLM and Langfuse set, and for sampling the probability that `tracestate` carries (`ot=th:`, before it `ot=p:`). What the caller is
known by often stands on the span of the HTTP request around the call, or on the resource: both are asked after the span itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from stillwatch.intake import chat, messages
from stillwatch.intake.chat import Body, first, part, several
from stillwatch.intake.columns import Unusable

ACCOUNT = "no account: neither the span, a span around it nor the resource has account, enduser.id, user.id or service.name; set one of them"

_NO_CALLS = {"create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "retrieval"}
"Operations that are no call of a model, though calls may lie inside them."
_CALLS = {"chat", "text_completion", "generate_content", "embeddings"}
_MODELS = ("gen_ai.request.model", "gen_ai.response.model", "llm.request.model", "llm.response.model")

_ACCOUNT = ("account", "account.id", "customer.id", "tenant.id")
_USER = ("enduser.id", "user.id")
_KEY = ("api_key.id", "metadata.user_api_key_hash")
_WHO: dict[str, tuple[str, ...]] = {
    "account": (*_ACCOUNT, *_USER, "metadata.user_api_key_user_id", "metadata.user_api_key_team_id", *_KEY),
    "org": ("organization.id", "org.id", "metadata.user_api_key_org_id", "metadata.user_api_key_team_id"),
    "key": _KEY,
    "session": ("gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id", "langfuse.session.id"),
    "ip": ("client.address", "http.client_ip", "metadata.requester_ip_address"),
    "user_agent": ("user_agent.original", "http.user_agent"),
}
"Names of the caller's attributes, in the order in which they are believed."

_PREFIX = "stillwatch."
"Before the names of canonical columns that whoever keeps the log adds."

_UP = 16
"How many spans around a call are asked."

_LANGFUSE = "langfuse.observation."

_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
_DETAILS = "gen_ai.client.inference.operation.details"

_NUMBERED = re.compile(
    r"(gen_ai\.prompt|gen_ai\.completion|llm\.prompts|llm\.completions|llm\.request\.functions)\.(\d{1,6})\.(role|content|name|finish_reason)"
)
"Messages and tools as OpenLLMetry flattens them."


@dataclass(frozen=True, slots=True)
class Span:
    """One span, as any encoding of OTLP gives it."""

    trace: str
    "Trace id in hex; empty where there is none."
    id: str
    "Span id in hex; empty where there is none."
    parent: str
    "Id of the span around it; empty for a root."
    start: Any
    "Nanoseconds since 1970, as a number or its text."
    state: str
    "W3C tracestate."
    attributes: Body
    "Values by name."
    events: tuple[tuple[str, Body], ...]
    "Names of the span's events, with their attributes."
    resource: Body
    "Attributes of what made the span."


def calls(spans: Sequence[Span]) -> Iterator[Body | str]:
    """The calls among spans that were exported together, as flat calls under canonical names, or why one cannot be used.

    Where two instruments wrote down the same call, one span inside the other and of the same model, the inner one counts.
    """
    spans = [_spoken(each) for each in spans]
    held = {(each.trace, each.id): each for each in spans if each.id}
    meant = [(each, _around(each, held)) for each in spans if _is_call(each)]
    twice = {(outer.trace, outer.id) for each, around in meant for outer in around if _is_call(outer) and _model(outer) == _model(each)}
    for each, around in meant:
        if (each.trace, each.id) in twice:
            continue
        try:
            yield call(each, around)
        except Unusable as error:
            yield str(error)


def _spoken(span: Span) -> Span:
    """A span under the conventions' names. Langfuse's client has its own for what it observes of a model; of other work they do not count."""
    told = {name.removeprefix(_LANGFUSE): each for name, each in span.attributes.items() if name.startswith(_LANGFUSE)}
    if told.get("type") not in ("generation", "embedding"):
        return span
    asked, usage, cost = (part(_parsed(told.get(name))) for name in ("model.parameters", "usage_details", "cost_details"))
    # Counts may leave out what is counted under names of their own.
    counts = {kind: [each for name, each in usage.items() if name.startswith(kind)] for kind in ("input", "cache_", "output")}
    named = {
        "gen_ai.request.model": told.get("model.name"),
        "gen_ai.request.max_tokens": first(asked.get("max_completion_tokens"), asked.get("max_tokens")),
        "gen_ai.request.temperature": asked.get("temperature"),
        "gen_ai.input.messages": told.get("input"),
        "gen_ai.output.messages": told.get("output"),
        "gen_ai.usage.input_tokens": _sum(*counts["input"], *counts["cache_"]),
        "gen_ai.usage.output_tokens": _sum(*counts["output"]),
        "gen_ai.usage.cache_read_input_tokens": first(usage.get("input_cached_tokens"), usage.get("cache_read_input_tokens")),
        "gen_ai.usage.reasoning_tokens": usage.get("output_reasoning_tokens"),
        "gen_ai.usage.cost": cost.get("total"),
    }
    return replace(span, attributes={name: each for name, each in named.items() if each is not None} | span.attributes)


def _sum(*given: Any) -> int | None:
    known = [each for each in given if type(each) is int]
    return sum(known) if known else None


def _around(span: Span, held: dict[tuple[str, str], Span]) -> list[Span]:
    found: list[Span] = []
    at = held.get((span.trace, span.parent))
    while at is not None and at is not span and len(found) < _UP:
        found.append(at)
        at = held.get((at.trace, at.parent))
    return found


def _is_call(span: Span) -> bool:
    operation = chat.bare(span.attributes.get("gen_ai.operation.name"))
    if operation in _CALLS:
        return True
    return operation not in _NO_CALLS and any(name in span.attributes for name in _MODELS)


def _model(span: Span) -> Any:
    return first(*(span.attributes.get(name) for name in _MODELS))


def call(span: Span, around: Sequence[Span]) -> Body:
    """A span as one flat call; `around` are the spans around it, the nearest first. Raises `Unusable`."""
    told = {**next((each for name, each in span.events if name == _DETAILS), {}), **span.attributes}
    asked, answer = _said(span, told)
    made = asked | _parameters(told) | answer | _counted(told)
    error = told.get("error.type")
    trace, response = f"{span.trace}:{span.id}" if span.trace and span.id else None, told.get("gen_ai.response.id")
    made |= {
        "call_id": first(response, trace),
        "upstream_id": response,
        "ts": _microseconds(span.start),
        "model": _model(span),
        "endpoint": first(told.get("gen_ai.operation.name"), told.get("llm.request.type")),
        "cost": first(told.get("gen_ai.usage.cost"), told.get("gen_ai.cost.total_cost"), told.get("operation.cost")),
        "status": _status(told.get("http.response.status_code"), told.get("http.status_code"), error),
        "finish": first(made["finish"], error),
        "sampled": share(span.state),
    }
    made |= _caller([told, *(each.attributes for each in around), span.resource])
    if first(made["account"]) is None:
        raise Unusable(ACCOUNT)
    return made


def _microseconds(start: Any) -> int | None:
    if isinstance(start, str) and start.isascii() and start.isdigit() and len(start) < 20:
        start = int(start)
    if start is None or start in (0, ""):
        return None
    if type(start) is not int:
        raise Unusable("startTimeUnixNano is not a whole number")
    return start // 1000


def _status(*given: Any) -> int | None:
    """The first that is an HTTP status; an error's type may be one."""
    texts = [str(each) for each in given if type(each) in (int, str)]
    return next((int(each) for each in texts if re.fullmatch("[1-5][0-9]{2}", each)), None)


def share(state: str) -> float | None:
    """The share of spans that were kept, by the threshold in a tracestate; None where it says nothing.

    >>> share("ot=th:c"), share("vendor=1,ot=p:3;r:9"), share("ot=rv:123456789abcde")
    (0.25, 0.125, None)
    """
    ours = next((each.strip()[3:] for each in state.split(",") if each.strip().startswith("ot=")), "")
    told = dict(each.split(":", 1) for each in ours.split(";") if ":" in each)
    if re.fullmatch("[0-9a-f]{1,14}", told.get("th", "")):
        return 1 - int(told["th"].ljust(14, "0"), 16) / 2**56
    if re.fullmatch("[0-9]{1,2}", told.get("p", "")) and int(told["p"]) < 63:
        return float(2.0 ** -int(told["p"]))
    return None


def _caller(scopes: Sequence[Body]) -> Body:
    """Who called, by the first of the names that the span, those around it or the resource have."""
    made: Body = {ours: _named(scopes, names) for ours, names in _WHO.items()}
    service = _named(scopes, ("service.name",))
    if made["account"] is None and isinstance(service, str) and not service.startswith("unknown_service"):  # what clients say that were told none
        made["account"] = service
    user = _named(scopes, _USER)
    theirs = _named(scopes, ("gen_ai.request.user", "gen_ai.openai.request.user", "llm.user", "traceloop.association.properties.user_id"))
    made["end_user"] = first(user if user != made["account"] else None, theirs)
    given = {name: _named(scopes, (_PREFIX + name,), plain=False) for name in chat.BESIDE}
    return made | {name: each for name, each in given.items() if each is not None}


def _named(scopes: Sequence[Body], names: Sequence[str], plain: bool = True) -> Any:
    found = first(*(scope.get(name) for name in names for scope in scopes))
    return str(found) if plain and type(found) is int else found


def _parameters(told: Body) -> Body:
    tools = several(_parsed(first(told.get("gen_ai.tool.definitions"), told.get("gen_ai.request.tools")))) or _flattened(told, "llm.request.functions")
    effort = first(*(told.get(f"{name}.reasoning_effort") for name in ("gen_ai.request", "gen_ai.openai.request", "llm.request")))
    return messages.parameters({"tools": tools}) | {
        "max_tokens": first(told.get("gen_ai.request.max_tokens"), told.get("llm.request.max_tokens")),
        "temperature": told.get("gen_ai.request.temperature"),
        "n": told.get("gen_ai.request.choice.count"),
        "reasoning_effort": effort,
        "stream": first(told.get("gen_ai.request.stream"), told.get("gen_ai.is_streaming"), told.get("llm.is_streaming")),
    }


def _counted(told: Body) -> Body:
    usage = "gen_ai.usage."
    return {
        "input_tokens": first(told.get(usage + "input_tokens"), told.get(usage + "prompt_tokens"), told.get("llm.usage.prompt_tokens")),
        "output_tokens": first(told.get(usage + "output_tokens"), told.get(usage + "completion_tokens"), told.get("llm.usage.completion_tokens")),
        "cached_tokens": first(told.get(usage + "cache_read.input_tokens"), told.get(usage + "cache_read_input_tokens")),
        "reasoning_tokens": first(told.get(usage + "reasoning.output_tokens"), told.get(usage + "reasoning_tokens")),
    }


def _said(span: Span, told: Body) -> tuple[Body, Body]:
    """Request and answer: of whole messages, of numbered attributes, of span events, or of the oldest attributes."""
    asked = first(_parsed(told.get("gen_ai.input.messages")), _flattened(told, "gen_ai.prompt") or _flattened(told, "llm.prompts") or None)
    answer = first(_parsed(told.get("gen_ai.output.messages")), _flattened(told, "gen_ai.completion") or _flattened(told, "llm.completions") or None)
    turns: list[Body] = []
    choices: list[Body] = []
    for name, event in span.events:
        inside = {**event, **part(_parsed(event.get("gen_ai.event.content")))}
        if kind := _EVENT.fullmatch(name):
            turns.append({"role": kind[1], **inside})
        elif name == "gen_ai.choice":
            message = first(_parsed(inside.get("message")), inside.get("content"))
            choices.append({**inside, "message": message} if isinstance(message, dict | str) else inside)
        elif name == "gen_ai.content.prompt":
            asked = first(asked, _parsed(event.get("gen_ai.prompt")))
        elif name == "gen_ai.content.completion":
            answer = first(answer, _parsed(event.get("gen_ai.completion")))
    asked = first(asked, turns or None, _parsed(told.get("gen_ai.prompt")))
    answer = first(answer, choices or None, _parsed(told.get("gen_ai.completion")))
    ends = told.get("gen_ai.response.finish_reasons")
    made = messages.reply(answer)
    made["finish"] = first(*(ends if isinstance(ends, list) else [ends]), made["finish"])
    return messages.conversation(_parsed(told.get("gen_ai.system_instructions")), asked), made


def _parsed(given: Any) -> Any:
    """JSON in a text; another text is itself, JSON that was cut off is unknown."""
    if not isinstance(given, str) or not given.lstrip().startswith(("[", "{")):
        return given
    try:
        return orjson.loads(given)
    except orjson.JSONDecodeError:
        return None


def _flattened(told: Body, name: str) -> list[Body]:
    """Objects whose fields are attributes of their own, in order; a content of blocks is JSON."""
    found: dict[int, Body] = {}
    for key, each in told.items():
        if (at := _NUMBERED.fullmatch(key)) and at[1] == name:
            blocks = _parsed(each) if at[3] == "content" and isinstance(each, str) and each.startswith("[{") else None
            found.setdefault(int(at[2]), {})[at[3]] = blocks if _blocks(blocks) else each
    return [found[at] for at in sorted(found)]


def _blocks(given: Any) -> bool:
    """Whether JSON is blocks of a content: a prompt may itself be JSON."""
    return bool(given) and all(isinstance(part(each).get("type"), str) for each in several(given))
