"""Records that no log should hold: one maker a kind, for every test that needs rubbish in an otherwise good log.

`malformed(kind, rng)` gives one line of JSON Lines (bytes, no newline) that must be rejected whatever surrounds it.
`KINDS` are short lines, `HUGE` are tens of megabytes long.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

SECRET = "zq-secret-7c1e"
"Stands in the texts of every malformed record that has any: it may turn up nowhere."


def _record(rng: random.Random) -> dict[str, Any]:
    return {
        "call_id": f"bad-{rng.getrandbits(60):x}-{SECRET}",
        "ts": 1_750_000_000_000_000 + rng.randrange(10**12),
        "account": f"acct-{rng.randrange(50)}",
        "model": "model-a",
        "prompt": f"Tell me about {SECRET} number {rng.randrange(10**6)}",
        "response": f"About {SECRET}",
        "input_tokens": rng.randrange(1, 900),
    }


def _with(**fields: Any) -> Callable[[random.Random], bytes]:
    return lambda rng: json.dumps({**_record(rng), **fields}).encode()


def _without(name: str) -> Callable[[random.Random], bytes]:
    def made(rng: random.Random) -> bytes:
        record = _record(rng)
        del record[name]
        return json.dumps(record).encode()

    return made


def _truncated(rng: random.Random) -> bytes:
    line = json.dumps(_record(rng)).encode()
    return line[: rng.randrange(2, len(line) - 1)]


def _edited(old: bytes, new: bytes) -> Callable[[random.Random], bytes]:
    def made(rng: random.Random) -> bytes:
        line = json.dumps(_record(rng)).encode()
        assert old in line
        return line.replace(old, new, 1)

    return made


def _bomb(before: bytes, after: bytes) -> Callable[[random.Random], bytes]:
    def made(rng: random.Random) -> bytes:
        depth = rng.randrange(5_000, 50_000)
        return json.dumps(_record(rng)).encode()[:-1] + b', "extra": ' + before * depth + after * depth + b"}"

    return made


_MAKERS: dict[str, Callable[[random.Random], bytes]] = {
    "truncated": _truncated,
    "not json": lambda rng: f"GET /v1/chat {SECRET} {rng.random()}".encode(),
    "not an object": lambda rng: json.dumps([SECRET, rng.random()]).encode(),
    "only nul bytes": lambda rng: b"\0" * rng.randrange(1, 500),
    "nul byte inside": _edited(b"Tell", b"Te\0ll"),
    "invalid utf-8": _edited(b"Tell", b"Te\xff\xfell"),
    "overlong utf-8": _edited(b"Tell", b"Te\xc0\xafll"),
    "lone surrogate": _edited(b"Tell", b"\\ud800"),
    "not a number": _with(temperature=float("nan")),
    "infinite": _with(temperature=float("inf")),
    "overflowing float": _edited(b'"model"', b'"cost": 1e999, "model"'),
    "huge number": _with(input_tokens=10**30),
    "beyond 64 bits": _with(output_tokens=2**63),
    "endless digits": _edited(b'"model"', b'"turns": ' + b"9" * 5_000 + b', "model"'),
    "negative time": _with(ts=-1_750_000_000_000_000),
    "time in seconds": _with(ts=1_750_000_000),
    "time in milliseconds": _with(ts=1_750_000_000_000),
    "time in nanoseconds": _with(ts=1_750_000_000_000_000_000),
    "time as text": _with(ts="2026-06-10T00:00:00Z"),
    "time with a fraction": _with(ts=1_750_000_000_000_000.5),
    "negative count": _with(input_tokens=-3),
    "count as text": _with(input_tokens="12"),
    "count as truth": _with(turns=True),
    "truth as number": _with(stream=1),
    "text as number": _with(prompt=17),
    "text as object": _with(prompt={"text": SECRET}),
    "account as list": _with(account=[SECRET]),
    "list as text": _with(reasoning_in=SECRET),
    "list of numbers": _with(reasoning_in=[1, 2]),
    "list with a null": _with(reasoning_in=[SECRET, None]),
    "account missing": _without("account"),
    "id missing": _without("call_id"),
    "time missing": _without("ts"),
    "model null": _with(model=None),
    "account empty": _with(account=""),
    "account twice": _edited(b'"model"', b'"account": "other", "model"'),
    "two records on a line": lambda rng: json.dumps(_record(rng)).encode() * 2,
    "nested lists": _bomb(b"[", b"]"),
    "nested objects": _bomb(b'{"a":', b"}"),
    "never closed": _bomb(b"[", b""),
}

_HUGE: dict[str, Callable[[random.Random], bytes]] = {
    "50 MB line": lambda rng: json.dumps(_record(rng) | {"prompt": SECRET + "x" * 50_000_000}).encode(),
    "50 MB of brackets": lambda rng: b"[" * 50_000_000,
}

KINDS: list[str] = list(_MAKERS)
"Kinds of short malformed lines."

HUGE: list[str] = list(_HUGE)
"Kinds of lines too long to be read."


def malformed(kind: str, rng: random.Random) -> bytes:
    """A line of a kind, without its newline."""
    return {**_MAKERS, **_HUGE}[kind](rng)
