"""Content blocks and bodies, as several formats read them; and that formats with bodies in common do not take each other's files."""

from __future__ import annotations

import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from stillwatch.calls import SCHEMA
from stillwatch.intake import chat
from stillwatch.intake.columns import Unusable
from stillwatch.intake.declare import Opening, Reads, found
from stillwatch.intake.formats import anthropic, bedrock, openai, otel_protobuf, vertex
from stillwatch.intake.opening import look
from stillwatch.intake.read import read
from stillwatch.intake.stream import Source
from stillwatch.records import Rejected

MEMBERS = [anthropic.FORMAT, bedrock.FORMAT, vertex.FORMAT]
ODD: list[Any] = [None, "", "text", 0, -1, 2**62, 1.5, True, [], {}, [None], [[]], [{}], ["text"], {"type": 5}, {"text": {}}, {"role": []}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("plain", "plain"),
        ("", None),
        (None, None),
        ([{"type": "text", "text": "a"}, {"text": "b"}, "c"], "a\nb\nc"),
        ([{"type": "thinking", "thinking": "no", "signature": "s"}, {"text": "no", "thought": True}, {"text": "yes", "thought": False}], "yes"),
        ([{"type": "tool_result", "content": [{"type": "text", "text": "no"}]}], None),
        ([{"citationsContent": {"content": [{"text": "cited"}]}}, {"guardContent": {"text": {"text": "guarded"}}}], "cited\nguarded"),
    ],
)
def test_the_text_of_a_message(content: Any, said: str | None) -> None:
    assert chat.text(content) == said


@pytest.mark.parametrize(
    ("block", "count"),
    [
        ({"type": "image", "source": {}}, 1),
        ({"image": {"format": "png"}}, 1),
        ({"inlineData": {"mimeType": "image/png"}}, 1),
        ({"file_data": {"mime_type": "image/jpeg"}}, 1),
        ({"inlineData": {"mimeType": "audio/wav"}}, 0),
        ({"type": "tool_result", "content": [{"type": "image"}, {"type": "image"}]}, 2),
        ({"toolResult": {"content": [{"image": {}}, {"json": {}}]}}, 1),
        ({"text": "image"}, 0),
    ],
)
def test_images_are_counted(block: dict[str, Any], count: int) -> None:
    assert chat.images([block, {"text": "x"}]) == count


def test_encrypted_reasoning_is_the_same_digest_in_every_api() -> None:
    blocks = [
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "redacted_thinking", "data": "s"},
        {"reasoningContent": {"reasoningText": {"signature": "s"}}},
        {"reasoningContent": {"redactedContent": "s"}},
        {"functionCall": {}, "thoughtSignature": "s"},
        {"text": "x", "thought_signature": "s"},
    ]
    assert chat.sealed(blocks) == [chat.digest("s")] * 6
    assert chat.sealed([{"type": "text", "signature": "s"}, {"type": "image", "data": "s"}, {"type": "thinking", "signature": ""}]) == []
    assert chat.digest("s") != chat.digest("t") and len(chat.digest("s" * 10_000)) == 32


def test_what_is_issued_in_one_format_is_known_when_another_replays_it() -> None:
    answer = {"id": "m", "content": [{"type": "thinking", "thinking": "", "signature": "long" * 99}], "stop_reason": "end_turn"}
    asked = {"messages": [{"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"signature": "long" * 99}}}]}]}
    issued = anthropic.call({"account": "a", "ts": 1, "request": {}, "response": answer})["reasoning_out"]
    assert bedrock.call({"accountId": "1", "input": {"inputBodyJson": asked}})["reasoning_in"] == [issued]


def test_a_stream_is_the_same_answer_as_the_whole() -> None:
    """Deltas cut anywhere, pings between them, blocks in any number."""
    rng = random.Random(7)
    for _ in range(50):
        texts = ["".join(rng.choices("ab \n", k=rng.randrange(1, 20))) for _ in range(rng.randrange(1, 5))]
        usage = {"input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 9}
        whole = {
            "id": "m",
            "content": [{"type": "thinking", "thinking": "t", "signature": "s"}, *({"type": "text", "text": each} for each in texts)],
            "stop_reason": "end_turn",
            "usage": usage,
        }
        events: list[Any] = [{"type": "message_start", "message": {"id": "m", "content": [], "usage": usage | {"output_tokens": 1}}}]
        events += [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "t"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        ]
        for at, each in enumerate(texts, 1):
            events.append({"type": "content_block_start", "index": at, "content_block": {"type": "text", "text": ""}})
            cut = rng.randrange(len(each) + 1)
            events += [{"type": "content_block_delta", "index": at, "delta": {"type": "text_delta", "text": cut}} for cut in (each[:cut], each[cut:])]
            events.append({"type": "ping"})
        events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9, "input_tokens": None}})
        assert chat.answered(events) == chat.answered(whole)
        assert chat.answered([{"event": each["type"], "data": each} for each in events]) == chat.answered(whole)


@pytest.mark.parametrize("given", ["soon", "2014-01-01", True, [], {}, 5, "5", 1e300])
def test_times_that_are_none(given: Any) -> None:
    if given == "2014-01-01":  # a moment, but not a believable one: the column's own check says so
        assert chat.instant(given) == 1388534400000000
        return
    with pytest.raises(Unusable, match="^ts "):
        chat.instant(given)


@pytest.mark.parametrize("given", ["2025-06-15T15:06:40Z", "2025-06-15T17:06:40+02:00", 1750000000, 1750000000.0, 1750000000000, "1.75E9"])
def test_times_in_any_dress(given: Any) -> None:
    assert chat.instant(given) == 1750000000000000


def _opening(records: list[dict[str, Any]]) -> Opening:
    return Opening("json", (), tuple(records))


@pytest.mark.parametrize("each", found(), ids=lambda each: each.name)
def test_no_format_with_bodies_takes_the_file_of_another(each: Any, tmp_path: Path) -> None:
    """OpenAI's and Anthropic's requests look alike: what only one API has decides, and OpenAI's format is asked last of them."""
    for case in each.cases:
        path = tmp_path / f"log{each.suffix}"
        path.write_bytes(case.data())
        opening = look(Source("log", path))
        assert [other.name for other in MEMBERS if other is not each and other.recognises(opening)] == []
    assert max(other.order for other in MEMBERS) < openai.FORMAT.order


def test_what_stands_most_in_a_mixed_file_decides() -> None:
    ask = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    ours, theirs = {"request": ask, "response": {"content": [], "stop_reason": "end_turn"}}, {"request": ask, "response": {"choices": []}}
    assert anthropic.recognises(_opening([ours, ours, theirs]))
    assert not anthropic.recognises(_opening([ours, theirs])) and openai.recognises(_opening([ours, theirs]))
    assert not anthropic.recognises(_opening([{"request": ask}])), "a request alone could be either's"
    assert anthropic.recognises(_opening([{"request": ask, "headers": {"Anthropic-Version": "x"}}]))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, each in inner for place in _places(each, (*path, name)))][0 if path else 1 :]


def _mutated(record: Any, rng: random.Random) -> Any:
    copy = orjson.loads(orjson.dumps(record))
    for _ in range(rng.randrange(1, 4)):
        places = _places(copy)
        if not places:
            break
        *way, last = rng.choice(places)
        holder = copy
        for name in way:
            holder = holder[name]
        if rng.random() < 0.2:
            del holder[last]
        else:
            holder[last] = deepcopy(rng.choice(ODD))
    return copy


@pytest.mark.parametrize("each", MEMBERS, ids=lambda each: each.name)
def test_rubbish_never_sinks_a_good_record(each: Any, tmp_path: Path) -> None:
    """Between good lines stand damaged ones: every good call comes out as it is, every other line is a call or rejected with a reason."""
    rng = random.Random(11)
    cases = [case for case in each.cases if isinstance(case, Reads)]
    good = [(line, call) for case in cases for line, call in zip(case.data().splitlines(), case.calls, strict=True)]
    lines, wanted, bad = [line for line, _ in good], [call for _, call in good], 0
    for _ in range(300):
        line, call = rng.choice(good)
        broken = orjson.dumps(_mutated(orjson.loads(line), rng))
        if rng.random() < 0.1:
            broken = broken[: rng.randrange(1, len(broken))]
        lines += [broken, line]
        bad += 1
        wanted.append(call)
    path = tmp_path / "log"
    path.write_bytes(b"\n".join(lines))
    rejected: list[Rejected] = []
    rows = [row for batch in read([str(path)], None, rejected.append, formats=[each]) for row in batch.to_pylist()]
    assert len(rows) + len(rejected) == len(lines) and 0 < len(rejected) <= bad
    assert all(found.reason and found.line for found in rejected)
    for call in map(dict, {orjson.dumps(call, option=orjson.OPT_SORT_KEYS): call for call in wanted}.values()):
        assert rows.count({**dict.fromkeys(SCHEMA.names), **call}) >= wanted.count(call)


def test_what_is_nested_too_deeply_to_be_shown_is_no_text() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    events = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": deep}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Done"}},
    ]
    assert chat.answered(events)["response"] == "Done"


@pytest.mark.parametrize("seed", range(200))
def test_no_text_is_taken_for_binary_otlp(seed: int) -> None:
    """Lengths of seven bits a byte are in every text, and long ones in letters beyond ASCII."""
    rng = random.Random(seed)
    words = ("\u8bf7\u4ecb\u7ecd\u5bf9\u8d26\u5355\uff0c\u8bb2\u7ed9", "\u041d\u0430\u043f\u0438\u0448\u0438", "Go on", "\n", '{"a": "', '"}\n', ",", "x")
    head = "".join(rng.choice(words) for _ in range(2000)).encode()[: rng.choice((300, 4096))]
    assert not otel_protobuf.recognises(Opening("text", head=head))
