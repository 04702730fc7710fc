"""Request and response bodies of the APIs whose calls the systems write down, after the APIs' own references.

Earlier turns of a conversation are there in number; their texts are a stand-in, for a canonical log keeps the last user message only. Encrypted
reasoning that a request replays stands in the turn of the assistant before it, where clients put it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from written.declare import Call

EARLIER, ANSWERED = "An earlier question.", "An earlier answer."
PICTURE = "https://example.com/a.png"
LONGEST = 32_000
"Longest answer of clients that must name one, where the log knows of none."


def known(given: dict[str, Any]) -> dict[str, Any]:
    """Fields that have a value."""
    return {name: each for name, each in given.items() if each is not None}


def iso(ts: int, digits: int = 6, end: str = "Z", between: str = "T") -> str:
    """A moment in ISO 8601, cut to so many digits of a second."""
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ts)
    cut = f"{whole.microsecond:06d}".ljust(digits, "0")[:digits]
    return whole.strftime(f"%Y-%m-%d{between}%H:%M:%S") + (f".{cut}" if digits else "") + end


def failed(call: Call) -> bool:
    """Whether the call was refused or broke down."""
    return bool(call["status"] >= 400)


def responses(call: Call) -> bool:
    """Whether the call was made through OpenAI's responses API: several answers and logit bias only chat completions knows."""
    return call["endpoint"] == "/v1/responses" and call["n"] is None and not call["logit_bias"]


def messages_api(call: Call) -> bool:
    """Whether the call can have been made through Anthropic's Messages API: it has no log-probabilities, no bias, one answer."""
    return call["endpoint"] == "/v1/messages" and call["n"] in (None, 1) and not call["logit_bias"] and not call["logprobs"]


def whole(call: Call) -> int | None:
    """Tokens of the answer as every provider's API bills them: hidden reasoning among them."""
    return None if call["output_tokens"] is None else call["output_tokens"] + (call["reasoning_tokens"] or 0)


def with_system(call: Call) -> int:
    """Messages in a request whose system prompt is one of them."""
    return int(call["turns"]) + (call["system"] is not None)


def pictures(call: Call) -> int:
    """Images in a body: none is a number there."""
    return call["images"] or 0


def offered(call: Call) -> int:
    """Tools in a body: none is a number there."""
    return call["tools"] or 0


def _turns(call: Call, prompt: Any) -> list[dict[str, Any]]:
    """The messages of a request after its system prompt; `replayed` marks the one that carries replayed reasoning."""
    turns = [{"role": "assistant" if at % 2 else "user", "content": ANSWERED if at % 2 else EARLIER} for at in range(call["turns"] - 1)]
    return [*turns, {"role": "user", "content": prompt}]


# -- OpenAI's chat completions


def chat_request(call: Call, reasoning: str = "reasoning_details") -> dict[str, Any]:
    """`reasoning`: the name under which an assistant's message carries encrypted reasoning (gateways' `reasoning_details`, LiteLLM's `thinking_blocks`)."""
    prompt: Any = call["prompt"]
    if call["images"]:
        prompt = [{"type": "text", "text": prompt}, *[{"type": "image_url", "image_url": {"url": PICTURE}}] * call["images"]]
    turns = _turns(call, prompt)
    if call["sealed_in"]:
        turns[-2][reasoning] = sealed(call["sealed_in"], reasoning)
    system = [{"role": "system", "content": call["system"]}] if call["system"] is not None else []
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}} for name in call["tool_names"] or ()]
    return {"model": call["model"], "messages": [*system, *turns]} | known(
        {
            "max_completion_tokens": call["max_tokens"],
            **{name: call[name] for name in ("temperature", "n", "logprobs", "top_logprobs", "reasoning_effort", "stream")},
            "logit_bias": {"50256": -100} if call["logit_bias"] else None,
            "tools": tools or None,
            "user": call["end_user"],
        }
    )


def sealed(given: list[str], name: str) -> list[dict[str, Any]]:
    """Encrypted reasoning as the details or blocks of an assistant's message."""
    kind = "reasoning.encrypted" if name == "reasoning_details" else "redacted_thinking"
    return [{"type": kind, "data": each} for each in given]


def chat_response(call: Call, reasoning: str = "reasoning_details") -> dict[str, Any]:
    """One answer: of several a drill keeps one."""
    message: dict[str, Any] = {"role": "assistant", "content": call["response"]}
    if call["sealed_out"]:
        message[reasoning] = sealed([call["sealed_out"]], reasoning)
    return {
        "id": call["call_id"],
        "object": "chat.completion",
        "created": call["ts"] // 1_000_000,
        "model": call["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": call["finish"], "logprobs": None}],
        "usage": chat_usage(call),
    }


def chat_usage(call: Call) -> dict[str, Any]:
    """Counts of chat completions; details only where they are known."""
    usage = {"prompt_tokens": call["input_tokens"], "completion_tokens": whole(call), "total_tokens": call["input_tokens"] + (whole(call) or 0)}
    if call["cached_tokens"] is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": call["cached_tokens"], "audio_tokens": 0}
    if call["reasoning_tokens"] is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": call["reasoning_tokens"], "audio_tokens": 0}
    return usage


def chat_error(call: Call) -> dict[str, Any]:
    """What an OpenAI-compatible API says when it refuses."""
    kind = {429: "rate_limit_exceeded", 529: "overloaded"}.get(call["status"], "server_error")
    return {"error": {"message": "The request was not served.", "type": kind, "param": None, "code": kind}}


# -- OpenAI's responses


def responses_request(call: Call) -> dict[str, Any]:
    """Stateless use: earlier items and encrypted reasoning are sent again."""
    content = [{"type": "input_text", "text": call["prompt"]}, *[{"type": "input_image", "image_url": PICTURE}] * (call["images"] or 0)]
    items = _turns(call, content)
    items[-1:-1] = [{"type": "reasoning", "id": f"rs_{at}", "summary": [], "encrypted_content": each} for at, each in enumerate(call["sealed_in"])]
    tools = [{"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}} for name in call["tool_names"] or ()]
    include = ["reasoning.encrypted_content", *(["message.output_text.logprobs"] if call["logprobs"] else [])]
    return {"model": call["model"], "input": items, "store": False, "include": include} | known(
        {
            "instructions": call["system"],
            "max_output_tokens": call["max_tokens"],
            **{name: call[name] for name in ("temperature", "top_logprobs", "stream")},
            "reasoning": {"effort": call["reasoning_effort"]} if call["reasoning_effort"] else None,
            "tools": tools or None,
            "safety_identifier": call["end_user"],
        }
    )


def responses_response(call: Call) -> dict[str, Any]:
    """An answer with its reasoning item before it."""
    issued = [{"type": "reasoning", "id": "rs_out", "summary": [], "encrypted_content": call["sealed_out"]}] if call["sealed_out"] else []
    said = [{"type": "output_text", "text": call["response"], "annotations": []}]
    cut = call["finish"] == "length"
    usage = {"input_tokens": call["input_tokens"], "output_tokens": whole(call), "total_tokens": call["input_tokens"] + (whole(call) or 0)}
    if call["cached_tokens"] is not None:
        usage["input_tokens_details"] = {"cached_tokens": call["cached_tokens"]}
    if call["reasoning_tokens"] is not None:
        usage["output_tokens_details"] = {"reasoning_tokens": call["reasoning_tokens"]}
    return {
        "id": call["call_id"],
        "object": "response",
        "created_at": call["ts"] // 1_000_000,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": call["model"],
        "output": [*issued, {"type": "message", "id": "msg_out", "role": "assistant", "status": "completed", "content": said}],
        "usage": usage,
    }


RESPONSES_ENDS = {"stop": "completed", "length": "max_output_tokens"}


# -- Anthropic's messages


def messages_request(call: Call) -> dict[str, Any]:
    """The API asks for the longest answer in every request."""
    prompt: Any = call["prompt"]
    if call["images"]:
        prompt = [*[{"type": "image", "source": {"type": "url", "url": PICTURE}}] * call["images"], {"type": "text", "text": prompt}]
    turns = _turns(call, prompt)
    if call["sealed_in"]:
        blocks = [{"type": "thinking", "thinking": "", "signature": each} for each in call["sealed_in"]]
        turns[-2]["content"] = [*blocks, {"type": "text", "text": ANSWERED}]
    tools = [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in call["tool_names"] or ()]
    return {"model": call["model"], "max_tokens": call["max_tokens"] or LONGEST, "messages": turns} | known(
        {
            "system": call["system"],
            "temperature": call["temperature"],
            "stream": call["stream"],
            "output_config": {"effort": call["reasoning_effort"]} if call["reasoning_effort"] else None,
            "tools": tools or None,
            "metadata": {"user_id": call["end_user"]} if call["end_user"] else None,
        }
    )


def messages_response(call: Call) -> dict[str, Any]:
    """A message, thinking first; what was read from the cache is counted apart from the rest of the request."""
    issued = [{"type": "thinking", "thinking": "", "signature": call["sealed_out"]}] if call["sealed_out"] else []
    usage = {"input_tokens": call["input_tokens"] - (call["cached_tokens"] or 0), "cache_creation_input_tokens": 0, "output_tokens": whole(call)}
    if call["cached_tokens"] is not None:
        usage["cache_read_input_tokens"] = call["cached_tokens"]
    if call["reasoning_tokens"] is not None:
        usage["output_tokens_details"] = {"thinking_tokens": call["reasoning_tokens"]}
    return {
        "id": call["call_id"],
        "type": "message",
        "role": "assistant",
        "model": call["model"],
        "content": [*issued, {"type": "text", "text": call["response"]}],
        "stop_reason": MESSAGES_ENDS[call["finish"]],
        "stop_sequence": None,
        "usage": usage,
    }


MESSAGES_ENDS = {"stop": "end_turn", "length": "max_tokens"}
MESSAGES_ERRORS = {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}


def messages_error(call: Call) -> dict[str, Any]:
    """What the API says when it refuses."""
    return {"type": "error", "error": {"type": MESSAGES_ERRORS[call["status"]], "message": "The request was not served."}}
