"""Logs as their real writers write them: LiteLLM's payloads, OpenTelemetry's encoder and Langfuse's client make the files, nothing is sent anywhere."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stillwatch.intake.read import read
from stillwatch.records import Rejected

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # prices from the package, not from the net

WHY = 'the real writers are not installed: pip install "stillwatch[writers]"'
litellm = pytest.importorskip("litellm", reason=WHY)
langfuse = pytest.importorskip("langfuse", reason=WHY)
encoder = pytest.importorskip("opentelemetry.exporter.otlp.proto.common.trace_encoder", reason=WHY)

from google.protobuf.json_format import MessageToDict  # noqa: E402
from litellm.integrations.custom_logger import CustomLogger  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

NOWHERE = "http://127.0.0.1:9"
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
]


def calls(path: Path, data: bytes) -> tuple[list[dict[str, Any]], list[Rejected]]:
    path.write_bytes(data)
    rejected: list[Rejected] = []
    rows = [row for batch in read([str(path)], None, rejected.append) for row in batch.to_pylist()]
    return [{name: each for name, each in row.items() if each is not None} for row in rows], rejected


class Kept(CustomLogger):
    """LiteLLM's payloads as any of its callbacks is given them."""

    def __init__(self) -> None:
        super().__init__()
        self.payloads: list[dict[str, Any]] = []

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.payloads.append(kwargs["standard_logging_object"])

    log_failure_event = log_success_event

    def next(self) -> dict[str, Any]:
        for _ in range(200):
            if self.payloads:
                return json.loads(json.dumps(self.payloads.pop(), default=str))
            time.sleep(0.05)
        raise AssertionError("LiteLLM logged nothing")


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = Kept()
    monkeypatch.setattr(litellm, "callbacks", [kept])
    monkeypatch.setattr(litellm, "success_callback", [])
    monkeypatch.setattr(litellm, "failure_callback", [])
    return kept


WHO = {"user_api_key_user_id": "a1", "user_api_key_hash": "kh", "user_api_key_team_id": "t-1", "user_api_key_user_email": "x@example.com"}


def test_litellm_completion(logger: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "request_correlation_in_logs", True)  # else there is no session_id
    litellm.completion(
        model="gpt-4o", messages=ASKED, mock_response="Done", max_tokens=5, temperature=0.2, tools=TOOLS, user="e-1", top_logprobs=3, logprobs=True,
        metadata={**WHO, "requester_ip_address": "192.0.2.1", "user_agent": "sdk/1"}, litellm_session_id="s-1",
    )  # fmt: skip
    payload = logger.next()
    (call,), rejected = calls(tmp_path / "log.jsonl", json.dumps(payload).encode())
    assert rejected == []
    assert call["ts"] == round(payload["startTime"] * 1e6)
    assert call["call_id"] == call["upstream_id"] == payload["id"]
    assert {name: call.get(name) for name in ("account", "org", "key", "end_user", "session", "email_domain", "ip", "user_agent", "path")} == {
        "account": "a1", "org": "t-1", "key": "kh", "end_user": "e-1", "session": "s-1", "email_domain": "example.com", "ip": "192.0.2.1",
        "user_agent": "sdk/1", "path": "gateway",
    }  # fmt: skip
    assert [call[name] for name in ("model", "system", "prompt", "turns", "images", "response")] == ["gpt-4o", "Be brief.", "Hi", 2, 1, "Done"]
    assert [call[name] for name in ("max_tokens", "temperature", "tools", "tool_names", "logprobs", "top_logprobs")] == [5, 0.2, 1, ["look"], True, 3]
    assert [call[name] for name in ("input_tokens", "output_tokens", "status", "finish")] == [10, 20, 200, "stop"]
    assert call["cost"] == pytest.approx(10 * 2.5e-6 + 20 * 1e-5)


def test_litellm_without_texts(logger: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "turn_off_message_logging", True)
    litellm.completion(model="gpt-4o", messages=ASKED, mock_response="Done", metadata=WHO)
    data = json.dumps(logger.next()).encode()
    assert b"redacted-by-litellm" in data and b"Be brief." not in data
    (call,), rejected = calls(tmp_path / "log.jsonl", data)
    assert rejected == [] and call["input_tokens"] == 10
    assert not {"system", "prompt", "response", "turns", "images", "reasoning_out"} & call.keys()


def test_litellm_failure_stream_and_a_call_without_an_account_in_an_array(logger: Kept, tmp_path: Path) -> None:
    with pytest.raises(litellm.RateLimitError):
        litellm.completion(model="gpt-4o", messages=ASKED, mock_response=litellm.RateLimitError("slow", "openai", "gpt-4o"), num_retries=0, metadata=WHO)
    made = [logger.next()]
    for _ in litellm.completion(model="gpt-4o", messages=ASKED, mock_response="Done now", stream=True, metadata=WHO):
        pass
    made.append(logger.next())
    litellm.completion(model="gpt-4o", messages=ASKED, mock_response="Done")
    made.append(logger.next())
    found, rejected = calls(tmp_path / "log.json", json.dumps(made, indent=2).encode())
    assert [each.reason[:10] for each in rejected] == ["no account"]
    failed, streamed = found
    assert (failed["status"], failed["finish"], failed.get("input_tokens"), failed.get("cost")) == (429, "RateLimitError", None, None)
    assert (streamed["stream"], streamed["response"]) == (True, "Done now")


def test_litellm_responses_text_and_embedding(logger: Kept, tmp_path: Path) -> None:
    asks: list[Callable[[], Any]] = [
        lambda: litellm.responses(model="gpt-4o", input="Hi", mock_response="Done", litellm_metadata=WHO),
        lambda: litellm.text_completion(model="gpt-3.5-turbo-instruct", prompt="Hi", mock_response="Done", metadata=WHO),
        lambda: litellm.embedding(model="text-embedding-3-small", input=["Hi"], mock_response=[0.1], metadata=WHO),
    ]
    made = []
    for ask in asks:
        ask()
        made.append(json.dumps(logger.next()).encode())
    found, rejected = calls(tmp_path / "log.jsonl", b"\n".join(made))
    assert rejected == []
    assert [(each["account"], each["prompt"], each.get("response")) for each in found] == [("a1", "Hi", "Done"), ("a1", "Hi", "Done"), ("a1", "Hi", None)]


@pytest.fixture
def tracing() -> Iterator[tuple[Any, Callable[[], Any]]]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "stillwatch.plan": "pro"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    yield provider.get_tracer("tests"), lambda: encoder.encode_spans(kept.get_finished_spans())
    provider.shutdown()


def otlp_json(request: Any) -> dict[str, Any]:
    """The export as OTLP has its JSON: protobuf's own mapping, but ids in hex."""
    made = MessageToDict(request, use_integers_for_enums=True)
    for resource in made["resourceSpans"]:
        for span in (each for scope in resource["scopeSpans"] for each in scope["spans"]):
            for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                span[name] = base64.b64decode(span[name]).hex()
    return made


def encodings(request: Any) -> dict[str, bytes]:
    """The same export in every way that the formats promise to read."""
    whole, told = request.SerializeToString(), otlp_json(request)
    assert len(whole) > 127  # so that the length below takes two bytes
    delimited = bytes([len(whole) & 0x7F | 0x80, len(whole) >> 7]) + whole
    return {
        "a line": json.dumps(told).encode() + b"\n",
        "over lines": json.dumps(told, indent=2).encode(),
        "bare": whole,
        "collector": len(whole).to_bytes(4, "big") + whole,
        "delimited": delimited,
    }


MESSAGES = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}])
ANSWER = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Done"}], "finish_reason": "stop"}])
SAID = {"system": "Be brief.", "prompt": "Hi", "response": "Done"}
COUNTED = {"input_tokens": 4, "output_tokens": 2, "finish": "stop"}
CONVENTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "newest": (
        {
            "gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1", "gen_ai.request.temperature": 0.5,
            "gen_ai.usage.input_tokens": 4, "gen_ai.usage.output_tokens": 2, "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.conversation.id": "s-1", "gen_ai.input.messages": MESSAGES, "gen_ai.output.messages": ANSWER,
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]), "user.id": "a1", "client.address": "192.0.2.1",
        },
        SAID | COUNTED | {"temperature": 0.5, "session": "s-1", "account": "a1", "ip": "192.0.2.1"},
    ),
    "oldest": (
        {
            "gen_ai.system": "openai", "gen_ai.request.model": "m-1", "gen_ai.usage.prompt_tokens": 4, "gen_ai.usage.completion_tokens": 2,
            "gen_ai.response.finish_reasons": ["stop"], "enduser.id": "a1",
        },
        COUNTED | {"account": "a1"},
    ),
    "OpenLLMetry": (
        {
            "gen_ai.system": "OpenAI", "llm.request.type": "chat", "gen_ai.request.model": "m-1", "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.", "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "Hi", "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Done", "gen_ai.completion.0.finish_reason": "stop", "llm.usage.total_tokens": 6, "enduser.id": "a1",
            "gen_ai.usage.prompt_tokens": 4, "gen_ai.usage.completion_tokens": 2, "llm.is_streaming": True, "llm.request.functions.0.name": "look",
        },
        SAID | COUNTED | {"account": "a1", "stream": True, "tools": 1, "tool_names": ["look"], "turns": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize("spoken", CONVENTIONS)
@pytest.mark.parametrize("way", ["a line", "over lines", "bare", "collector", "delimited"])
def test_opentelemetry(way: str, spoken: str, tracing: Any, tmp_path: Path) -> None:
    tracer, exported = tracing
    attributes, expected = CONVENTIONS[spoken]
    with tracer.start_as_current_span("GET /chat", attributes={"http.request.method": "GET"}), tracer.start_as_current_span("chat m-1", attributes=attributes):
        pass
    (call,), rejected = calls(tmp_path / "log", encodings(exported())[way])
    assert rejected == []
    assert {name: call.get(name) for name in expected} == expected
    assert (call["model"], call["plan"], len(call["call_id"])) == ("m-1", "pro", 49)
    assert abs(call["ts"] / 1e6 - time.time()) < 60


def test_opentelemetry_events_hold_the_texts(tracing: Any, tmp_path: Path) -> None:
    tracer, exported = tracing
    with tracer.start_as_current_span("chat m-1", attributes={"gen_ai.system": "openai", "gen_ai.request.model": "m-1", "user.id": "a1"}) as span:
        span.add_event("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps([{"role": "user", "content": "Hi"}])})
        span.add_event("gen_ai.content.completion", {"gen_ai.completion": json.dumps([{"role": "assistant", "content": "Done"}])})
    for data in encodings(exported()).values():
        (call,), rejected = calls(tmp_path / "log", data)
        assert (call["prompt"], call["response"], rejected) == ("Hi", "Done", [])


def test_every_encoding_says_the_same(tracing: Any, tmp_path: Path) -> None:
    tracer, exported = tracing
    for attributes, _ in CONVENTIONS.values():
        with tracer.start_as_current_span("chat", attributes={**attributes, "stillwatch.sampled": 0.5}):
            pass
    first, *others = [calls(tmp_path / "log", data) for data in encodings(exported()).values()]
    assert len(first[0]) == 3 and {each["sampled"] for each in first[0]} == {0.5}
    assert all(each == first for each in others)


def test_langfuse_observations_of_the_api(tmp_path: Path) -> None:
    from langfuse.api import ObservationV2

    made = ObservationV2(
        id="o-1", trace_id="t-1", start_time="2025-06-15T15:06:40.250Z", project_id="p-1", type="GENERATION", user_id="a1", session_id="s-1",
        model="m-1", model_parameters={"temperature": 0.5, "max_tokens": 9}, input=ASKED, output="Done",
        usage_details={"input": 4, "output": 2, "total": 6}, cost_details={"total": 0.5}, total_cost=0.5,
    )  # fmt: skip
    told = json.loads(made.json())
    for data in (json.dumps(told), json.dumps([told, told | {"id": "o-2", "type": "SPAN"}]), json.dumps([told], indent=2), json.dumps({"data": [told]})):
        (call,), rejected = calls(tmp_path / "log.json", data.encode())
        assert rejected == []
        assert call == SAID | {
            "call_id": "o-1", "ts": 1750000000250000, "account": "a1", "session": "s-1", "model": "m-1", "temperature": 0.5, "max_tokens": 9,
            "turns": 2, "images": 1, "input_tokens": 4, "output_tokens": 2, "cost": 0.5,
        }  # fmt: skip


def test_langfuse_client_as_opentelemetry(tmp_path: Path) -> None:
    kept = InMemorySpanExporter()
    client = langfuse.Langfuse(public_key="pk-lf-test", secret_key="sk-lf-test", host=NOWHERE, span_exporter=kept)
    job, who = client.start_as_current_observation(name="job", as_type="span"), langfuse.propagate_attributes(user_id="a1", session_id="s-1")
    asking = {"name": "ask", "as_type": "generation", "model": "m-1", "model_parameters": {"max_tokens": 9}, "input": ASKED}
    with job, who, client.start_as_current_observation(**asking) as asked:
        asked.update(output={"role": "assistant", "content": "Done"}, usage_details={"input": 4, "output": 2}, cost_details={"total": 0.5})
    client.flush()
    for data in encodings(encoder.encode_spans(kept.get_finished_spans())).values():
        (call,), rejected = calls(tmp_path / "log", data)
        assert rejected == []
        told = {"account": "a1", "session": "s-1", "model": "m-1", "max_tokens": 9, "input_tokens": 4, "output_tokens": 2, "cost": 0.5, "images": 1}
        assert {name: call.get(name) for name in (*SAID, *told)} == SAID | told
