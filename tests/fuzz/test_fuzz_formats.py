"""Rubbish among good records: whatever is wrong with one record, no format breaks, and every other record is read.

The good records are those of each format's own cases. Rubbish is made of them too, under ids of its own: names dropped, moved or repeated,
values of wrong types, numbers beyond every range, deep nesting, lines cut off, bytes that are no text. `STILLWATCH_FUZZ` is the number of
examples for each format and test (60 where it is not set: then the same ones each time; 10000 for a long run).
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stillwatch.calls import SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake.declare import Format, Reads, found
from stillwatch.intake.read import read
from stillwatch.records import MARKS, Rejected

FUZZ = settings(
    max_examples=int(os.environ.get("STILLWATCH_FUZZ", "60")),
    deadline=None,
    database=None,
    derandomize="STILLWATCH_FUZZ" not in os.environ,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
FORMATS = found()


def _cases(each: Format, table: bool) -> list[tuple[bytes, tuple[dict[str, Any], ...]]]:
    """Files that the format reads and their calls; tables and texts are damaged in different ways."""
    made = [(case.data(), case.calls) for case in each.cases if isinstance(case, Reads)]
    return [(data, calls) for data, calls in made if data.startswith(b"PAR1") is table]


LINES = [pytest.param(each, id=each.name) for each in FORMATS if _cases(each, table=False)]
TABLES = [pytest.param(each, id=each.name) for each in FORMATS if _cases(each, table=True)]

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


@st.composite
def damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """A line with up to three things wrong in its bytes."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        to = min(len(line), at + draw(st.sampled_from((0, 1, 2, 8, 100))))
        how = draw(st.sampled_from(("cut", "drop", "repeat", "noise", "byte")))
        if how == "cut":
            line = line[:at]
        elif how == "repeat":
            line = line[:to] + line[at:]
        else:
            put = {"drop": b"", "noise": draw(st.sampled_from(NOISE)), "byte": bytes([draw(st.integers(0, 255))])}[how]
            line = line[:at] + put + line[to:]
    return line


@st.composite
def strange(draw: st.DrawFn, line: bytes) -> bytes:
    """A line whose JSON has up to three strange places; where it is no JSON, a damaged one."""
    try:
        record = json.loads(line)
    except ValueError:
        return draw(damaged(line))
    puts: list[bytes] = []
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(record))
        if not places:
            break
        holder, name = draw(st.sampled_from(places))
        how = draw(st.sampled_from(("drop", "value", "value", "value", "swap", "rename")))
        if how == "drop":
            del holder[name]
        elif how == "swap":
            other, its = draw(st.sampled_from(places))
            holder[name] = json.loads(json.dumps(other[its]))
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(sorted({str(each) for _, each in places})))] = holder.pop(name)
        else:
            puts.append(draw(st.sampled_from(STRANGE)))
            holder[name] = f"{MARK}{len(puts)}{MARK}"
    made = json.dumps(record, ensure_ascii=False).encode()
    for at, put in enumerate(puts, 1):
        made = made.replace(f'"{MARK}{at}{MARK}"'.encode(), put)
    if draw(st.integers(0, 9)) == 0:  # a name given twice
        made = made[:-1] + b", " + made.lstrip(b"{")
    return made


def _places(record: Any) -> Iterator[tuple[Any, Any]]:
    names: Any = list(record) if isinstance(record, dict) else range(len(record)) if isinstance(record, list) else ()
    for name in names:
        yield record, name
        yield from _places(record[name])


@st.composite
def mixed(draw: st.DrawFn, cases: list[tuple[bytes, tuple[dict[str, Any], ...]]]) -> tuple[bytes, tuple[dict[str, Any], ...]]:
    """The records of one case, in their order, with rubbish before, between and after them."""
    data, calls = draw(st.sampled_from(cases))
    header, records = _records(data)
    rubbish = [record for other, _ in cases for record in _records(other)[1]]
    for _ in range(draw(st.integers(1, 5))):
        line = draw(st.sampled_from(rubbish))
        for name in {call["call_id"] for _, each in cases for call in each if "call_id" in call}:
            line = line.replace(name.encode(), name[::-1].encode())  # or it would be a part of a good call
        line = draw(st.one_of(strange(line), strange(line), damaged(line)))
        records.insert(draw(st.integers(0, len(records))), line)
    data = b"\n".join((*header, *records)) + b"\n"
    # Then it is the file that is something else, and the reader says so: see the last test.
    assume(not data.startswith(SIGNATURES) and data.split(maxsplit=1)[0] != b"[")
    return data, calls


def _records(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Header and records of a text. Records of a table may span lines: they stay together."""
    lines = data.splitlines()
    return ([], lines) if data.startswith((b"{", b"\n")) else (lines[:1], [b"\n".join(lines[1:])])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def rows(path: Path, data: bytes) -> list[dict[str, Any]]:
    """All calls of a file. Anything but a UserError is a broken promise."""
    path.write_bytes(data)
    rejected: list[Rejected] = []
    made: list[dict[str, Any]] = []
    for batch in read([str(path)], None, rejected.append):
        assert batch.schema.remove_metadata() in (SCHEMA, MARKS)
        batch.validate(full=True)
        made += batch.to_pylist()
    assert all(each.file == str(path) and each.reason for each in rejected)
    return made


def expected(each: Format, calls: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    names = (MARKS if each.marked else SCHEMA).names
    return [{**dict.fromkeys(names), **call} for call in calls]


def run(test: Callable[[Any], None], strategy: st.SearchStrategy[Any]) -> None:
    """Runs a test over examples: the strategy depends on the format, so it cannot stand in a decorator."""
    FUZZ(given(strategy)(test))()


@pytest.mark.parametrize("each", LINES)
def test_no_rubbish_costs_a_good_record(each: Format, folder: Path) -> None:
    def test(file: tuple[bytes, tuple[dict[str, Any], ...]]) -> None:
        data, calls = file
        found_rows = rows(folder / f"log{each.suffix}", data)
        assert [call for call in expected(each, calls) if call not in found_rows] == []

    run(test, mixed(_cases(each, table=False)))


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


@st.composite
def tables(draw: st.DrawFn, cases: list[tuple[bytes, tuple[dict[str, Any], ...]]]) -> tuple[bytes, tuple[dict[str, Any], ...]]:
    """The rows of one case with strange rows among them."""
    data, calls = draw(st.sampled_from(cases))
    table = pq.read_table(io.BytesIO(data))
    held = table.to_pylist()
    for _ in range(draw(st.integers(1, 4))):
        row = dict(draw(st.sampled_from(held)))
        for field in draw(st.lists(st.sampled_from(list(table.schema)), min_size=1, max_size=4)):
            row[field.name] = draw(st.sampled_from(_unlike(field.type)))
        held.insert(draw(st.integers(0, len(held))), row)
    schema = pa.schema([field.with_nullable(True) for field in table.schema], table.schema.metadata)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(held, schema), sink, row_group_size=draw(st.sampled_from((1, 2, 100))))
    return sink.getvalue(), calls


@pytest.mark.parametrize("each", TABLES)
def test_no_strange_row_costs_a_good_one(each: Format, folder: Path) -> None:
    def test(file: tuple[bytes, tuple[dict[str, Any], ...]]) -> None:
        data, calls = file
        found_rows = rows(folder / f"log{each.suffix}", data)
        assert [call for call in expected(each, calls) if call not in found_rows] == []

    run(test, tables(_cases(each, table=True)))


@pytest.mark.parametrize("each", [pytest.param(each, id=each.name) for each in FORMATS])
def test_a_damaged_file_gives_advice_and_no_traceback(each: Format, folder: Path) -> None:
    def test(data: bytes) -> None:
        try:
            rows(folder / f"log{each.suffix}", data)
        except UserError as error:
            assert str(error)

    files = [data for table in (False, True) for data, _ in _cases(each, table)]
    run(test, st.sampled_from(files).flatmap(damaged))
