"""Rubbish made of good records, under any source of chance: Hypothesis draws it where failures should shrink, a seed where many are wanted.

Everything here takes a `random.Random`. Names are dropped, moved or repeated, values are of wrong types, numbers beyond every range, nesting is deep, lines are
cut off, bytes are no text; messages of binary formats keep their lengths, for behind a wrong length nothing can be read.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Case = tuple[bytes, tuple[dict[str, Any], ...]]
"A file that a format reads, and its calls."

MARK = "\u2603"
"Stands in a record where bytes go that no JSON writer would give."

STRANGE: tuple[bytes, ...] = (
    *(b"null", b"true", b"false", b"0", b"-0", b"-1", b"1.5", b"9007199254740993", b"9223372036854775808", b"-18446744073709551616"),
    *(b"1e18", b"1e308", b"1e999", b"-1e999", b"NaN", b"Infinity", b"1" + b"0" * 400),
    *(b'""', b'"x"', b'" "', b'"\\u0000"', b'"\\ud83d\\ude42"', b'"\\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b'"' + b"x" * 5000 + b'"'),
    *(b'"1e999"', b'"' + b"9" * 40 + b'"', b'"nan"', b'"-5"', b'"2025-13-45T99:99:99Z"', b'"0001-01-01"', b'"9999-12-31T23:59:59-23:59"'),
    *(b"[]", b"{}", b"[[]]", b"[{}]", b"[null]", b'[""]', b"[1]", b'["x"]', b'[{"a": []}, 5, null]', b'{"a": {"b": null}}', b'{"": 1}'),
    *(b'"{"', b'"{}"', b'"[]"', b'"[5]"', b'"null"', b'"{\\"a\\":"', b'"data: {}"', b'"data: data: ["', b'{"key": 1, "iv": [], "data": null}'),
    *(opening * depth + b"1" + closing * depth for depth in (90, 300, 990, 1100, 30000) for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"))),
    *(b"[" * 5000, b'"' + b"[" * 5000 + b"]" * 5000 + b'"'),
)
SIGNATURES = (b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"Parquet, gzip and zstd: the first bytes of a file say what it is."

NOISE = (b"\xff", b"\0", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\r", b"\n", b"\xef\xbb\xbf", b"\xf0\x9f", b"PAR1", b"\x1f\x8b")


def damaged(rng: Random, line: bytes) -> bytes:
    """A line with up to three things wrong in its bytes."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(line))
        to = min(len(line), at + rng.choice((0, 1, 2, 8, 100)))
        how = rng.choice(("cut", "drop", "repeat", "noise", "byte"))
        if how == "cut":
            line = line[:at]
        elif how == "repeat":
            line = line[:to] + line[at:]
        else:
            put = b"" if how == "drop" else rng.choice(NOISE) if how == "noise" else bytes([rng.randint(0, 255)])
            line = line[:at] + put + line[to:]
    return line


def strange(rng: Random, line: bytes) -> bytes:
    """A line whose JSON has up to three strange places; where it is no JSON, a damaged one."""
    try:
        record = json.loads(line)
    except ValueError:
        return damaged(rng, line)
    puts: list[bytes] = []
    for _ in range(rng.randint(1, 3)):
        places = list(_places(record))
        if not places:
            break
        holder, name = rng.choice(places)
        how = rng.choice(("drop", "value", "value", "value", "swap", "rename"))
        if how == "drop":
            del holder[name]
        elif how == "swap":
            other, its = rng.choice(places)
            holder[name] = json.loads(json.dumps(other[its]))
        elif how == "rename" and isinstance(holder, dict):
            holder[rng.choice(sorted({str(each) for _, each in places}))] = holder.pop(name)
        else:
            puts.append(rng.choice(STRANGE))
            holder[name] = f"{MARK}{len(puts)}{MARK}"
    made = json.dumps(record, ensure_ascii=False).encode()
    for at, put in enumerate(puts, 1):
        made = made.replace(f'"{MARK}{at}{MARK}"'.encode(), put)
    if rng.randint(0, 9) == 0:  # a name given twice
        made = made[:-1] + b", " + made.lstrip(b"{")
    return made


def _places(record: Any) -> Iterator[tuple[Any, Any]]:
    names: Any = list(record) if isinstance(record, dict) else range(len(record)) if isinstance(record, list) else ()
    for name in names:
        yield record, name
        yield from _places(record[name])


def mixed(rng: Random, cases: list[Case]) -> Case | None:
    """The records of one case, in their order, with rubbish before, between and after them; None where that made another kind of file."""
    data, calls = rng.choice(cases)
    header, records = _records(data)
    rubbish = [record for other, _ in cases for record in _records(other)[1]]
    for _ in range(rng.randint(1, 5)):
        line = rng.choice(rubbish)
        for name in {call["call_id"] for _, each in cases for call in each if "call_id" in call}:
            line = line.replace(name.encode(), name[::-1].encode())  # or it would be a part of a good call
        line = strange(rng, line) if rng.randint(0, 2) else damaged(rng, line)
        records.insert(rng.randint(0, len(records)), line)
    data = b"\n".join((*header, *records)) + b"\n"
    # Then it is the file that is something else, and the reader says so: see the test of damaged files.
    return None if data.startswith(SIGNATURES) or data.split(maxsplit=1)[0] == b"[" else (data, calls)


def _records(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Header and records of a text. Records of a table may span lines: they stay together."""
    lines = data.splitlines()
    return ([], lines) if data.startswith((b"{", b"\n")) else (lines[:1], [b"\n".join(lines[1:])])


# -- messages with lengths

BARE, WIDE, SHORT = "bare", "wide", "short"


def _framing(data: bytes) -> str:
    return BARE if data[:1] == b"\x0a" else WIDE if data[:2] == b"\0\0" else SHORT


def _length(size: int) -> bytes:
    more = b""
    while size > 0x7F:
        more, size = more + bytes([size & 0x7F | 0x80]), size >> 7
    return more + bytes([size])


def _framed(message: bytes, framing: str) -> bytes:
    return {BARE: b"\x0a" + _length(len(message)), WIDE: len(message).to_bytes(4, "big"), SHORT: _length(len(message))}[framing] + message


def _messages(data: bytes) -> list[bytes]:
    """The messages of a file without their lengths; of a bare one its resources."""
    framing, at, found = _framing(data), 0, []
    while at < len(data):
        if framing == WIDE:
            size, at = int.from_bytes(data[at : at + 4], "big"), at + 4
        else:
            at += framing == BARE
            size = shift = 0
            while True:
                byte, at = data[at], at + 1
                size |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
        found.append(data[at : at + size])
        at += size
    return found


def mixed_messages(rng: Random, cases: list[Case]) -> Case:
    """The messages of one case, in their order, with damaged ones before, between and after them, each behind its right length.

    Long ones come after a good one only, for a file is known by its first 4 KiB; so do those behind varints, for it is known by the first.
    """
    data, calls = rng.choice(cases)
    framing = _framing(data)
    made = [_framed(each, framing) for each in _messages(data)]
    rubbish = [each for other, _ in cases if (_framing(other) == BARE) is (framing == BARE) for each in _messages(other) if each]
    good = 0  # where the first good one stands
    for _ in range(rng.randint(1, 5)):
        message = damaged(rng, rng.choice(rubbish))
        at = rng.randint(good + 1 if len(message) > 500 or framing == SHORT else 0, len(made))
        made.insert(at, _framed(message, framing))
        good += at <= good
    return b"".join(made), calls


# -- tables

VALUES: dict[str, tuple[Any, ...]] = {
    "string": (None, "", "x", "\0", "\U0001f642", "[" * 3000, "{", "9" * 40),
    "double": (None, float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e308),
    "bool": (None, True, False),
    "list": (None, [], [None], [""], ["x", None]),
}


def _unlike(kind: pa.DataType) -> tuple[Any, ...]:
    if pa.types.is_signed_integer(kind):
        return (None, -1, 0, 1, 2 ** (kind.bit_width - 1) - 1, -(2 ** (kind.bit_width - 1)))
    if pa.types.is_unsigned_integer(kind):
        return (None, 0, 1, 2**kind.bit_width - 1)
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return VALUES["list"]
    return VALUES.get(str(kind), (None,))


def tables(rng: Random, cases: list[Case]) -> Case:
    """The rows of one case with strange rows among them."""
    data, calls = rng.choice(cases)
    table = pq.read_table(io.BytesIO(data))
    held = table.to_pylist()
    for _ in range(rng.randint(1, 4)):
        row = dict(rng.choice(held))
        for _ in range(rng.randint(1, 4)):
            field = rng.choice(list(table.schema))
            row[field.name] = rng.choice(_unlike(field.type))
        held.insert(rng.randint(0, len(held)), row)
    schema = pa.schema([field.with_nullable(True) for field in table.schema], table.schema.metadata)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(held, schema), sink, row_group_size=rng.choice((1, 2, 100)))
    return sink.getvalue(), calls
