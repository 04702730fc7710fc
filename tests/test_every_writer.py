"""One campaign written down by every foreign system gives the same campaigns: call by call, and when it is scanned, alone and mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from written.declare import Call, Writer, found, prepared, reduced

from conftest import Logs
from stillwatch import flow
from stillwatch.calls import SCHEMA
from stillwatch.intake.declare import found as every_format
from stillwatch.intake.read import read
from stillwatch.records import Rejected
from stillwatch.sketch.identifiers import siphash

WRITERS = found()
OURS = {"Parquet", "JSON Lines", "CSV", "marks"}
"Formats of our own."


@pytest.fixture(scope="module")
def calls(logs: Logs) -> list[Call]:
    return prepared(pq.read_table(logs.log))


def test_every_foreign_format_has_a_writer() -> None:
    assert {each.format for each in WRITERS} == {each.name for each in every_format()} - OURS
    assert len({each.name for each in WRITERS}) == len(WRITERS)
    for each in WRITERS:
        assert set(each.carries) | set(each.own) <= set(SCHEMA.names) and not set(each.carries) & set(each.own) - {"n"}, each.name


def back(path: Path) -> dict[str, dict[str, object]]:
    rejected: list[Rejected] = []
    rows = pa.Table.from_batches(read([str(path)], None, rejected.append), SCHEMA).to_pylist()
    assert rejected == [] and len({row["call_id"] for row in rows}) == len(rows)
    return {str(row["call_id"]): row for row in rows}


@pytest.mark.parametrize("writer", WRITERS, ids=lambda each: each.name)
def test_every_column_comes_back_as_it_was_or_as_declared(writer: Writer, calls: list[Call], tmp_path: Path) -> None:
    path = tmp_path / f"log{writer.suffix}"
    path.write_bytes(writer.write(calls))
    told = back(path)
    assert told == {row["call_id"]: row for row in reduced(writer, calls).to_pylist()}
    # Neither list holds a column that never comes back.
    assert {name for row in told.values() for name, value in row.items() if value is not None} == set(writer.carries) | set(writer.own)


def scanned(logs: Logs, source: Path, out: Path) -> bytes:
    flow.watch([str(source)], out, history=[str(logs.history)], key=logs.key)
    return (out / "campaigns.jsonl").read_bytes()
