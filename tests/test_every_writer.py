"""One campaign written down by every foreign system gives the same campaigns: call by call, and when it is scanned, alone and mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Logs
from stillwatch import flow
from stillwatch.calls import SCHEMA
from stillwatch.intake.declare import found as every_format
from stillwatch.intake.read import read
from stillwatch.records import Rejected
from written.declare import Call, Writer, found, prepared, reduced, split

WRITERS = found()
OURS = {"Parquet", "JSON Lines", "CSV", "marks"}
"Formats of our own."


@pytest.fixture(scope="module")
def calls(logs: Logs) -> list[Call]:
    return prepared(pq.read_table(logs.log))


@pytest.fixture(scope="module")
def some(logs: Logs, calls: list[Call]) -> list[Call]:
    """The calls of one campaign's accounts and of an eighth of all others: small enough to be scanned in every format."""
    table = pq.read_table(logs.truth, columns=["account", "campaign"]).to_pydict()
    guilty = {account.replace("_", "-") for account, campaign in zip(*table.values(), strict=True) if campaign == "O-SEP"}
    return [call for call in calls if call["account"] in guilty or call["account"][-1] in "07"]


def test_every_foreign_format_has_a_writer() -> None:
    assert {each.format for each in WRITERS} == {each.name for each in every_format()} - OURS
    assert len({each.name for each in WRITERS}) == len(WRITERS)
    for each in WRITERS:
        assert set(each.carries) | set(each.own) <= set(SCHEMA.names) and not set(each.carries) & set(each.own), each.name


def back(path: Path) -> dict[str, dict[str, object]]:
    rejected: list[Rejected] = []
    rows = pa.Table.from_batches(read([str(path)], None, rejected.append), SCHEMA).to_pylist()
    assert rejected == [] and len({row["call_id"] for row in rows}) == len(rows)
    return {str(row["call_id"]): row for row in rows}


@pytest.mark.parametrize("writer", WRITERS, ids=lambda each: each.name)
def test_every_column_comes_back_as_it_was_or_as_declared(writer: Writer, some: list[Call], tmp_path: Path) -> None:
    path = tmp_path / f"log{writer.suffix}"
    path.write_bytes(writer.write(some))
    told = back(path)
    assert told == {row["call_id"]: row for row in reduced(writer, some).to_pylist()}
    # Neither list holds a column that never comes back.
    assert {name for row in told.values() for name, value in row.items() if value is not None} == set(writer.carries) | set(writer.own)


@pytest.fixture(scope="module")
def history(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The history, scanned once."""
    out = tmp_path_factory.mktemp("written") / "history"
    flow.watch([str(logs.history)], out, key=logs.key)
    return out


def scanned(source: Path, logs: Logs, history: Path, out: Path) -> bytes:
    flow.watch([str(source)], out, history=[str(history)], key=logs.key)
    return (out / "campaigns.jsonl").read_bytes()


@pytest.mark.parametrize("writer", WRITERS, ids=lambda each: each.name)
def test_a_format_gives_the_campaigns_of_what_it_carries(writer: Writer, some: list[Call], logs: Logs, history: Path, tmp_path: Path) -> None:
    (tmp_path / f"log{writer.suffix}").write_bytes(writer.write(some))
    pq.write_table(reduced(writer, some), tmp_path / "log.parquet")
    told = scanned(tmp_path / f"log{writer.suffix}", logs, history, tmp_path / "foreign")
    assert told == scanned(tmp_path / "log.parquet", logs, history, tmp_path / "canonical")
    assert told or not writer.texts


def _account(call: Call) -> str:
    return str(call["account"])


def _call(call: Call) -> str:
    return str(call["call_id"])


@pytest.mark.parametrize("by", [_account, _call])
def test_a_folder_of_all_formats_gives_the_campaigns_of_what_they_carry(
    by: Callable[[Call], str], calls: Sequence[Call], logs: Logs, history: Path, tmp_path: Path
) -> None:
    parts = split(calls, by)
    (tmp_path / "mixed").mkdir()
    for writer, part in parts:
        (tmp_path / "mixed" / f"{writer.name}{writer.suffix}").write_bytes(writer.write(part))
    pq.write_table(pa.concat_tables([reduced(writer, part) for writer, part in parts]), tmp_path / "log.parquet")
    told = scanned(tmp_path / "mixed", logs, history, tmp_path / "foreign")
    assert told == scanned(tmp_path / "log.parquet", logs, history, tmp_path / "canonical")
    assert b'"verdict":"alert"' in told, "reasoning replayed from one system's log into another's still meets"


def test_the_page_tells_what_each_system_carries() -> None:
    """docs/formats.md has the trial's table of columns: it must not grow stale when a writer or a reader changes."""
    page = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.split("<!-- columns -->")[1].split("<!-- end -->")[0].splitlines() if line]
    assert table[0][1:] == [writer.name for writer in WRITERS]
    told = {name: {row[0].strip("`") for row in table[2:] if row[at]} for at, name in enumerate(table[0]) if at}
    assert told == {writer.name: set(writer.carries) | set(writer.own) for writer in WRITERS}
