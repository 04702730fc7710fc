"""The map file: foreign flat logs under our names, and what its writer is told (texts are snapshots)."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.calls import SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake.mapping import load
from stillwatch.intake.read import read
from stillwatch.records import Rejected

START = 1_750_000_000_000_000
MAP = """# our gateway
call_id = "request id"
account = "customer"
model   = "deployment"
ts      = { column = "at", unit = "ms" }
input_tokens = "in"
prompt = "question"
"""
ROWS: list[dict[str, Any]] = [
    {
        "request id": 17,
        "customer": "anna",
        "deployment": "m",
        "at": START // 1000,
        "in": 5,
        "question": "why?",
        "status": "ok",
    },
    {
        "request id": 18,
        "customer": "bert",
        "deployment": "m",
        "at": START // 1000 + 1,
        "in": None,
        "question": None,
        "status": "no",
    },
]
WANTED = [
    {
        **dict.fromkeys(SCHEMA.names),
        "call_id": "17",
        "account": "anna",
        "model": "m",
        "ts": START,
        "input_tokens": 5,
        "prompt": "why?",
    },
    {**dict.fromkeys(SCHEMA.names), "call_id": "18", "account": "bert", "model": "m", "ts": START + 1000},
]


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def as_jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"\n".join(orjson.dumps({k: v for k, v in row.items() if v is not None}) for row in rows)


WRITERS = [as_csv, as_parquet, as_jsonl]


def run(folder: Path, table: str, data: bytes) -> tuple[list[dict[str, Any]], list[Rejected]]:
    (folder / "map.toml").write_text(table)
    (folder / "log").write_bytes(data)
    rejected: list[Rejected] = []
    batches = list(read([str(folder / "log")], load(folder / "map.toml"), rejected.append))
    return [row for batch in batches for row in batch.to_pylist()], rejected


@pytest.mark.parametrize("write", WRITERS)
def test_flat_logs_are_read_under_our_names(write: Any, tmp_path: Path) -> None:
    assert run(tmp_path, MAP, write(ROWS)) == (WANTED, [])


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("s", 1_750_000_000),
        ("s", 1_750_000_000.25),
        ("us", START),
        ("ns", START * 1000),
        ("iso", "2025-06-15T15:06:40Z"),
    ],
)
def test_times_of_every_unit(unit: str, shown: Any, write: Any, tmp_path: Path) -> None:
    rows = [{**row, "at": shown} for row in ROWS]
    got, rejected = run(tmp_path, MAP.replace('"ms"', f'"{unit}"'), write(rows))
    assert rejected == [] and {row["ts"] for row in got} == {START + (250_000 if shown == 1_750_000_000.25 else 0)}


@pytest.mark.parametrize("write", WRITERS)
def test_a_time_of_another_unit_is_rejected(write: Any, tmp_path: Path) -> None:
    for unit, said in (("s", "lies outside 2015 to 2100"), ("iso", "is no moment")):
        rows, rejected = run(tmp_path, MAP.replace('"ms"', f'"{unit}"'), write(ROWS))
        assert rows == [] and [each.line for each in rejected] in ([1, 2], [2, 3])
        assert {each.reason for each in rejected} == {f'ts {said} when read in the map\'s unit "{unit}"'}


def test_parquet_timestamps_need_no_unit(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    at = table.column_names.index("at")
    table = table.set_column(at, "at", table["at"].cast(pa.timestamp("ms")))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    assert run(tmp_path, MAP.replace(', unit = "ms"', ""), sink.getvalue()) == (WANTED, [])


def test_what_is_not_mapped_is_not_read(tmp_path: Path) -> None:
    rows, _ = run(tmp_path, MAP, as_jsonl([{**ROWS[0], "org": "theirs", "account": "not the customer"}]))
    assert rows == WANTED[:1]


def test_required_columns_fall_back_on_their_own_names(tmp_path: Path) -> None:
    rows = [{"call_id": "c", "ts": START, "who": "anna", "model": "m"}]
    got, rejected = run(tmp_path, 'account = "who"\n', as_jsonl(rows))
    assert rejected == [] and got[0]["account"] == "anna"


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'account = "customer"',
            'acount = "customer"',
            'map.toml:3:1: unknown column "acount"; did you mean "account"?',
        ),
        (
            '"customer"',
            '"costumer"',
            'map.toml:3:12: the log has no column "costumer"; did you mean "customer"?',
        ),
        (
            '"customer"',
            '"zzzzz"',
            'map.toml:3:12: the log has no column "zzzzz"; ' + "the log has request id, customer, deployment, at, in, question, status",
        ),
        (
            '"question"',
            '"questions"',
            'map.toml:7:11: the log has no column "questions"; did you mean "question"?',
        ),
        (
            'account = "customer"\n',
            "",
            'map.toml: account is required and not mapped; add a line account = "their column"',
        ),
        (
            '"ms"',
            '"hours"',
            'map.toml:5:36: unknown unit "hours"; use s, ms, us, ns or iso',
        ),
        (
            '"ms"',
            '["ms", "s"]',
            "map.toml:5:28: the unit is one word, not several; use s, ms, us, ns or iso",
        ),
        (
            '"in"',
            '{ column = "in", unit = "s" }',
            "map.toml:6:1: input_tokens is not a time; leave out the unit",
        ),
        (
            '"in"',
            "5",
            'map.toml:6:1: input_tokens must name a column; write input_tokens = "their column"',
        ),
        ('"in"', "", "map.toml: the map is not TOML: Invalid value (at line 6, column 16); LINES"),
    ],
)
def test_mistakes_in_a_map_are_pointed_at_in_one_line(old: str, new: str, said: str, write: Any, tmp_path: Path) -> None:
    assert old in MAP
    with pytest.raises(UserError) as error:
        run(tmp_path, MAP.replace(old, new), write(ROWS))
    assert str(error.value).replace(f"{tmp_path}/", "").replace('write lines such as account = "customer"', "LINES") == said


def test_a_name_that_breaks_the_line_does_not_break_the_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no column") as error:
        run(tmp_path, MAP.replace('"customer"', '"cust\\nomer"'), as_jsonl(ROWS))
    assert "\n" not in str(error.value)


def test_a_column_that_comes_late_in_json_lines_is_no_mistake(tmp_path: Path) -> None:
    rows = [*({**ROWS[0], "request id": at} for at in range(300)), {**ROWS[0], "request id": 300, "zone": "eu"}]
    got, rejected = run(tmp_path, MAP + 'path = "zone"\n', as_jsonl(rows))
    assert rejected == [] and [row["path"] for row in got] == [None] * 300 + ["eu"]


def test_a_map_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path / "no.toml")
    assert str(error.value) == f"{tmp_path}/no.toml: the map cannot be read (No such file or directory); check the path"
