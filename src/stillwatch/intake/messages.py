"""Messages in the shapes of many APIs at once, for gateways and tracers write down what they were given.

A message may hold its text plainly, in blocks (OpenAI, Anthropic) or in parts (Gemini, OpenTelemetry); an answer may be a text, a message,
a list of them, or the whole body of an API. All become the blocks that `intake.chat` reads.
"""

from __future__ import annotations

from typing import Any

from stillwatch.intake import chat
from stillwatch.intake.chat import Body, first, part, several
from stillwatch.intake.columns import Unusable

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}
"What some frameworks call the roles."

_IMAGES = {"image_url", "input_image", "image"}

_LOGPROBS = "message.output_text.logprobs"
"By this the responses API is asked for log-probabilities."

_DEEP = 4
"How many bodies may stand around messages; what is wrapped deeper is no answer of any API."


def turns(given: Any, name: str = "messages") -> list[Body | str] | None:
    """The messages of a request: a text alone is the user's, an object may be one message or hold them. Raises `Unusable` for another type."""
    for _ in range(_DEEP):
        inside = next((given[each] for each in ("messages", "contents", "input", "prompt") if each in given), None) if isinstance(given, dict) else None
        if inside is None:
            break
        given = inside
    if given is None or given == "":
        return None
    listed = [given] if isinstance(given, dict | str) else given
    if not isinstance(listed, list) or not all(isinstance(each, dict | str) for each in listed):
        raise Unusable(f"{name} is neither a text nor a list of messages")
    return listed


def turn(given: Body | str) -> Body:
    """One message with its content in blocks; encrypted reasoning that stands beside the content is among them."""
    if isinstance(given, str):
        return {"role": "user", "content": given}
    content = first(given.get("content"), given.get("parts"))
    blocks = [content] if isinstance(content, str) else several(content)
    for holder in (given, part(given.get("provider_specific_fields"))):
        blocks = [*blocks, *several(holder.get("thinking_blocks")), *several(holder.get("reasoning_details"))]
    if "encrypted_content" in given:  # an item of OpenAI's responses, not a message
        blocks = [*blocks, given]
    role = first(given.get("role"), given.get("type"), "user")
    return {"role": _ROLES.get(role, role) if isinstance(role, str) else None, "content": [_block(each) for each in blocks]}


def _block(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    kind, content, mime = given.get("type"), given.get("content"), given.get("mime_type")
    kind = kind if isinstance(kind, str) else None
    if kind in _IMAGES or given.get("modality") == "image" or (isinstance(mime, str) and mime.startswith("image/")):
        return {"type": "image"}
    if kind == "text" and isinstance(content, str):
        return {"type": "text", "text": content}
    sealed = first(given.get("encrypted_content"), given.get("data") if kind in ("redacted_thinking", "reasoning.encrypted") else None)
    if sealed is not None:
        return {"type": "redacted_thinking", "data": sealed}
    if kind in ("reasoning", "reasoning.text", "reasoning.summary", "thinking"):  # no part of what was said
        return {"type": "thinking", "signature": given.get("signature")}
    return given


def conversation(system: Any, messages: Any, name: str = "messages") -> Body:
    """System prompt, last user text, number of messages, images and replayed reasoning of a request. Raises `Unusable`."""
    found = turns(messages, name)
    made = chat.conversation(_system(system), None if found is None else [turn(each) for each in found], name)
    if found:  # items of OpenAI's responses that are no messages have a type and no role
        made["turns"] = sum(isinstance(each, str) or "role" in each or "type" not in each for each in found) or None
    return made


def _system(given: Any) -> Any:
    """A system prompt as text or blocks; OpenTelemetry's parts and whole messages among them."""
    if isinstance(given, dict):
        given = [given]
    if not isinstance(given, list):
        return given
    made: list[Any] = []
    for each in given:
        made += turn(each)["content"] if isinstance(each, dict) and ("parts" in each or "role" in each) else [_block(each)]
    return made


def reply(given: Any) -> Body:
    """Text, finish reason and last encrypted reasoning of an answer in any shape; what is in none is unknown."""
    said, ends = _answers(given, _DEEP)
    contents = [turn(each)["content"] for each in said]
    issued = [each for content in contents for each in chat.sealed(content)]
    return {
        "response": "\n".join(filter(None, map(chat.text, contents))) or None,
        "finish": first(*ends),
        "reasoning_out": issued[-1] if issued else None,
    }


def _answers(given: Any, deep: int) -> tuple[list[Body], list[Any]]:
    """The messages of an answer, and how it ended as far as it says so."""
    body = part(given)
    if isinstance(given, str) and given:
        return [{"content": given}], []
    if deep == 0 or not given or not isinstance(given, dict | list):
        return [], []
    if isinstance(given, list):
        return _joined(_answers(each, deep - 1) for each in given)
    if "choices" in body:
        choices = [part(each) for each in several(body["choices"])]
        return [part(each.get("message")) or {"content": each.get("text")} for each in choices], [each.get("finish_reason") for each in choices]
    if isinstance(body.get("output"), list | str):  # OpenAI's responses
        status = body.get("status")
        ends = [part(body.get("incomplete_details")).get("reason"), status if isinstance(status, str) else None]
        return _answers(body["output"], deep - 1)[0], ends
    if "candidates" in body:  # Gemini
        candidates = [part(each) for each in several(body["candidates"])]
        return [part(each.get("content")) for each in candidates], [each.get("finishReason") for each in candidates]
    ends = [body.get("finish_reason"), body.get("stop_reason"), body.get("done_reason")]
    if isinstance(body.get("message"), dict | str):
        return _joined([_answers(body["message"], deep - 1), ([], ends)])
    if isinstance(body.get("text"), str) and "content" not in body:
        return [{"content": body["text"]}], ends
    return [body], ends


def _joined(found: Any) -> tuple[list[Body], list[Any]]:
    said: list[Body] = []
    ends: list[Any] = []
    for each, how in found:
        said += each
        ends += how
    return said, ends


def counts(usage: Any) -> Body:
    """Tokens under the names that OpenAI's and Anthropic's APIs give them."""
    told = part(usage)
    asked = part(first(told.get("prompt_tokens_details"), told.get("input_tokens_details")))
    answered = part(first(told.get("completion_tokens_details"), told.get("output_tokens_details")))
    return {
        "input_tokens": first(told.get("prompt_tokens"), told.get("input_tokens")),
        "output_tokens": first(told.get("completion_tokens"), told.get("output_tokens")),
        "cached_tokens": first(asked.get("cached_tokens"), told.get("cache_read_input_tokens")),
        "reasoning_tokens": answered.get("reasoning_tokens"),
    }


def parameters(given: Any) -> Body:
    """Request parameters under the names that OpenAI's, Anthropic's and Gemini's APIs give them; tools only where some are given."""
    told = part(given)
    logprobs = told.get("logprobs")
    lengths = ("max_completion_tokens", "max_output_tokens", "max_tokens", "maxOutputTokens", "max_tokens_to_sample")
    tools = [*several(told.get("tools")), *several(told.get("functions"))]
    named = [first(part(part(each).get("function")).get("name"), part(each).get("name"), part(each).get("type")) for each in tools]
    efforts = [part(told.get(name)).get("effort") for name in ("reasoning", "output_config")]
    # The older completions API gives a number of alternatives here; the responses API is asked to include them.
    asked = True if type(logprobs) is int or _LOGPROBS in several(told.get("include")) else logprobs
    return (chat.offered(named) if tools else {}) | {
        "max_tokens": first(*(told.get(name) for name in lengths)),
        "temperature": told.get("temperature"),
        "n": told.get("n"),
        "logprobs": asked,
        "top_logprobs": logprobs if type(logprobs) is int else told.get("top_logprobs"),
        "logit_bias": bool(told["logit_bias"]) if "logit_bias" in told else None,
        "reasoning_effort": first(told.get("reasoning_effort"), *efforts, part(told.get("thinking")).get("type")),
        "stream": told.get("stream"),
    }
