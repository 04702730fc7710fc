"""Message bodies of several APIs -> flat call fields: content blocks, and the whole of Anthropic's Messages API, which two clouds carry too.

A block is one part of a message's content. Anthropic names its kind in `type` ({"type": "text", "text": ...}), Amazon's Converse by
its only key ({"text": ...}, {"reasoningContent": ...}), Gemini by its key among others ({"text": ..., "thought": true}).
Encrypted reasoning leaves this file as a digest only. What is absent is unknown (None), never an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from stillwatch.intake.columns import Unusable
from stillwatch.intake.times import YEARS, moment, outside

Body = dict[str, Any]

BESIDE = (
    "call_id", "ts", "account", "org", "key", "end_user", "session", "upstream_id", "cost", "path", "ip", "asn", "country", "user_agent",
    "tls", "client_seen", "payment", "email_domain", "signup_ts", "plan", "program", "sampled",
)  # fmt: skip
"Canonical columns that whoever keeps a log may add to a provider's record: what bodies do not hold, or hold less surely."


_SEALED = {"signature", "data", "reasoningContent", "thoughtSignature", "thought_signature"}
"Keys of blocks that can hold encrypted reasoning."


def digest(sealed: str) -> str:
    """What is kept of encrypted reasoning: 128 bits of BLAKE2b in hex, the same for the same text in every format.

    >>> digest("a signature")
    'de02086d4a97b2f557df3558982fa1e4'
    """
    return hashlib.blake2b(sealed.encode(), digest_size=16).hexdigest()


def beside(line: Body) -> Body:
    """The canonical columns that stand in a record beside its bodies."""
    return {name: line[name] for name in BESIDE if line.get(name) is not None}


def thing(given: Any, name: str) -> Body:
    """An object, empty where there is none. Raises `Unusable` for anything else."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Unusable(f"{name} is not an object")
    return given


def part(given: Any) -> Body:
    """An object, empty where there is none or something else: for what a call can be read without."""
    return given if isinstance(given, dict) else {}


def several(given: Any) -> list[Any]:
    """A list, empty where there is none or something else."""
    return given if isinstance(given, list) else []


def bare(given: Any) -> str:
    """A text, empty where there is none or something else: what is nested deeply cannot even be shown as one."""
    return given if isinstance(given, str) else ""


def first(*given: Any) -> Any:
    """The first that is neither null nor the empty text."""
    return next((each for each in given if each is not None and each != ""), None)


def total(name: str, *given: Any) -> Any:
    """Sum of the counts that are known, None where none is. Raises `Unusable` for what is no count."""
    known = [each for each in given if each is not None]
    if any(type(each) not in (int, float) for each in known):
        raise Unusable(f"{name} is not a whole number")
    if any(each < 0 for each in known):
        raise Unusable(f"{name} is negative")
    return sum(known) if known else None


def instant(given: Any) -> int | None:
    """Microseconds of an ISO 8601 text (also ending in " UTC") or of a number in the one unit that puts it in believable years.

    Raises `Unusable` when it is neither.

    >>> instant("2025-06-15 15:06:40 UTC"), instant(1750000000), instant("1750000000000")
    (1750000000000000, 1750000000000000, 1750000000000000)
    """
    if given is None or given == "":
        return None
    if isinstance(given, str) and (read := moment(given.removesuffix(" UTC"), "iso")) is not None:
        return read
    seen = False
    for unit in ("s", "ms", "us", "ns"):
        read = moment(given, unit)
        seen = seen or read is not None
        if read is not None and outside("ts", read) is None:
            return read
    raise Unusable(f"ts lies outside {YEARS['ts']} in any unit" if seen else "ts is neither an ISO 8601 text nor a number")


def text(content: Any) -> str | None:
    """The text of a message's content, plain or in blocks; thinking and the results of tools are not part of it."""
    if isinstance(content, str):
        return content or None
    return "\n".join(each for block in several(content) for each in _texts(block)) or None


def _texts(block: Any) -> list[str]:
    if isinstance(block, str):
        return [block] if block else []
    if not isinstance(block, dict) or block.get("thought") is True:
        return []
    words = [block.get("text")]
    if "citationsContent" in block or "guardContent" in block:
        inner = several(part(block.get("citationsContent")).get("content"))
        words += [part(each).get("text") for each in (part(part(block.get("guardContent")).get("text")), *inner)]
    return [each for each in words if isinstance(each, str) and each]


def images(content: Any) -> int:
    """Images in a message's content, those that a tool gave back among them."""
    found = [block for block in several(content) if isinstance(block, dict)]
    given_back = [each for block in found for each in several(_result(block).get("content")) if isinstance(each, dict)]
    return sum(map(_is_image, (*found, *given_back)))


def _result(block: Body) -> Body:
    return block if block.get("type") == "tool_result" else part(block.get("toolResult"))


def _is_image(block: Body) -> bool:
    media = next((part(block[name]) for name in ("inlineData", "inline_data", "fileData", "file_data") if name in block), {})
    mime = first(media.get("mimeType"), media.get("mime_type"))
    return block.get("type") == "image" or isinstance(block.get("image"), dict) or (isinstance(mime, str) and mime.startswith("image/"))


def sealed(content: Any) -> list[str]:
    """Digests of the encrypted reasoning in a message's content, in its order."""
    found: list[Any] = []
    for block in several(content):
        if not isinstance(block, dict) or _SEALED.isdisjoint(block):
            continue
        reasoning = part(block.get("reasoningContent"))
        found += [
            block.get("signature") if block.get("type") == "thinking" else None,
            block.get("data") if block.get("type") == "redacted_thinking" else None,
            part(reasoning.get("reasoningText")).get("signature"),
            reasoning.get("redactedContent"),
            first(block.get("thoughtSignature"), block.get("thought_signature")),
        ]
    return [digest(each) for each in found if isinstance(each, str) and each]


def conversation(system: Any, turns: Any, name: str = "messages", inside: str = "content") -> Body:
    """System prompt, last user text, number of messages, images and replayed reasoning of a request.

    `turns`: its messages; `name`: what errors call them; `inside`: the key of a message's content. Raises `Unusable` when the messages
    are no list of objects.
    """
    if turns is None:
        return {"system": text(system)}
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise Unusable(f"{name} is not a list of objects")
    said = [(turn.get("role", "user"), text(turn.get(inside))) for turn in turns]
    users = [words for role, words in said if role == "user" and words]
    systems = [words for role, words in said if role in ("system", "developer") and words]
    return {
        "system": "\n".join(filter(None, (text(system), *systems))) or None,
        "prompt": users[-1] if users else None,
        "turns": len(turns) or None,
        "images": sum(images(turn.get(inside)) for turn in turns),
        "reasoning_in": sorted({each for turn in turns for each in sealed(turn.get(inside))}) or None,
    }


def offered(names: Iterable[Any]) -> Body:
    """Number and names of the tools that a request offers; what has no name counts all the same."""
    found = list(names)
    return {"tools": len(found), "tool_names": [each for each in found if isinstance(each, str) and each] or None}


def asked(request: Body) -> Body:
    """A request of Anthropic's Messages API (or of its older text completions). Raises `Unusable`."""
    tools = [first(part(each).get("name"), part(each).get("type")) for each in several(request.get("tools"))]
    made = conversation(request.get("system"), request.get("messages"))
    if "messages" not in request and isinstance(request.get("prompt"), str):
        made["prompt"] = request["prompt"]
    return made | offered(tools) | {
        "max_tokens": first(request.get("max_tokens"), request.get("max_tokens_to_sample")),
        "temperature": request.get("temperature"),
        "stream": request.get("stream"),
        "reasoning_effort": first(part(request.get("output_config")).get("effort"), part(request.get("thinking")).get("type")),
        "end_user": part(request.get("metadata")).get("user_id"),
    }  # fmt: skip


def answered(response: Any, name: str = "response") -> Body:
    """A response of Anthropic's Messages API, whole or as the list of its stream's events. Raises `Unusable`.

    Tokens read from or written to the cache are tokens of the request: the API counts them apart, `input_tokens` here does not.
    """
    message = joined(response) if isinstance(response, list) else thing(response, name)
    usage = thing(message.get("usage"), "usage")
    kept = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    issued = sealed(message.get("content"))
    return {
        "response": first(text(message.get("content")), message.get("completion")),
        "input_tokens": total("input_tokens", *(usage.get(each) for each in kept)),
        "cached_tokens": usage.get("cache_read_input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "reasoning_tokens": part(usage.get("output_tokens_details")).get("thinking_tokens"),
        "finish": first(message.get("stop_reason"), part(message.get("error")).get("type")),
        "reasoning_out": issued[-1] if issued else None,
    }


def joined(events: list[Any]) -> Body:
    """The message that the events of a stream build up; what is no event is passed over."""
    message: Body = {}
    usage: Body = {}
    blocks: dict[int, tuple[Body, list[str]]] = {}
    for given in events:
        event = part(given)
        if not isinstance(event.get("type"), str):
            event = part(event.get("data"))  # as a server-sent event: {"event": ..., "data": {...}}
        delta, index = part(event.get("delta")), event.get("index")
        message |= part(event.get("message")) | {name: event[name] for name in ("error",) if name in event}
        # Each usage repeats what is known so far; nulls say nothing new.
        told = part(part(event.get("message")).get("usage")) | part(event.get("usage"))
        usage |= {name: count for name, count in told.items() if count is not None}
        message |= {"stop_reason": delta["stop_reason"]} if "stop_reason" in delta else {}
        if type(index) is not int:
            continue
        if event.get("type") == "content_block_start":
            blocks[index] = dict(part(event.get("content_block"))), []
        block, texts = blocks.setdefault(index, ({}, []))
        if isinstance(delta.get("text"), str):
            texts.append(delta["text"])
        if isinstance(delta.get("signature"), str):
            block |= {"type": "thinking", "signature": delta["signature"]}
    content = [{**block, "text": "".join((bare(block.get("text")), *texts))} if texts else block for block, texts in blocks.values()]
    return {**message, "content": content or message.get("content"), "usage": usage or None}
