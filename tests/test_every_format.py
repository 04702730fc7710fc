"""Laws that every log format keeps, by its own cases; and that a format is added by adding a file."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.calls import SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake.declare import Format, Reads, Rejects, found
from stillwatch.intake.mapping import load
from stillwatch.intake.opening import look
from stillwatch.intake.read import read
from stillwatch.intake.stream import Source
from stillwatch.records import MARKS, Rejected

FORMATS = found()
READS = [pytest.param(each, case, id=f"{each.name}: {case.why}") for each in FORMATS for case in each.cases if isinstance(case, Reads)]
REJECTS = [pytest.param(each, case, id=f"{each.name}: {case.why}") for each in FORMATS for case in each.cases if isinstance(case, Rejects)]
PACKED = {"plain": bytes, "gzip": gzip.compress, "zstd": lambda data: pa.compress(data, "zstd", asbytes=True)}


def written(folder: Path, each: Format, data: bytes) -> Path:
    path = folder / f"log{each.suffix}"
    path.write_bytes(data)
    return path


def run(path: Path, **options: Any) -> tuple[list[dict[str, Any]], list[Rejected]]:
    rejected: list[Rejected] = []
    batches = list(read([str(path)], options.pop("mapping", None), rejected.append, **options))
    for batch in batches:
        assert batch.schema.remove_metadata() in (SCHEMA, MARKS)
        batch.validate(full=True)
    return [row for batch in batches for row in batch.to_pylist()], rejected


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize(("each", "case"), READS)
def test_reads_what_it_promises(each: Format, case: Reads, packed: str, tmp_path: Path) -> None:
    rows, rejected = run(written(tmp_path, each, PACKED[packed](case.data())))
    assert rejected == []
    names = (MARKS if each.marked else SCHEMA).names
    assert rows == [{**dict.fromkeys(names), **call} for call in case.calls]


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize(("each", "case"), REJECTS)
def test_rejects_with_line_and_reason(each: Format, case: Rejects, packed: str, tmp_path: Path) -> None:
    path = written(tmp_path, each, PACKED[packed](case.data()))
    rows, rejected = run(path)
    assert sorted((each.line or 0, each.reason) for each in rejected) == sorted((at or 0, why) for at, why in case.rejected)
    assert {each.file for each in rejected} == {str(path)}
    assert len(rows) == case.left


@pytest.mark.parametrize(("each", "case"), [*READS, *REJECTS])
def test_exactly_one_format_takes_a_file(each: Format, case: Reads | Rejects, tmp_path: Path) -> None:
    path = written(tmp_path, each, case.data())
    opening = look(Source(path.name, path))
    assert next(other for other in FORMATS if other.recognises(opening)) is each


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_is_declared_in_full(each: Format) -> None:
    assert {type(case) for case in each.cases} == {Reads, Rejects}
    assert each.page.endswith(".") and each.suffix.startswith(".")


def test_names_and_places_in_the_order_are_taken_once() -> None:
    assert len({each.name for each in FORMATS}) == len({each.order for each in FORMATS}) == len(FORMATS) >= 4


@pytest.mark.parametrize(("each", "case"), [case for case in READS if case.values[0].flat])
def test_flat_formats_read_through_a_map(each: Format, case: Reads, tmp_path: Path) -> None:
    path = written(tmp_path, each, case.data())
    table = tmp_path / "map.toml"
    table.write_text('org = "colour"\n')
    if "colour" not in look(Source("log", path)).columns:
        with pytest.raises(UserError, match="colour"):
            run(path, mapping=load(table))
        return
    rows, rejected = run(path, mapping=load(table))
    assert rejected == []
    assert [row["call_id"] for row in rows] == [call["call_id"] for call in case.calls]
    assert {row["org"] for row in rows} <= {"red", "x", None} and any(row["org"] for row in rows)


ADDED = '''
"""A format that somebody adds."""
import numpy as np
from stillwatch.intake.columns import batch, from_values
from stillwatch.intake.declare import Format, Reads, Rejects, nothing
from stillwatch.intake.stream import blocks

NAMES = ("call_id", "ts", "account", "model")

def read(source, opening, mapping, reject):
    rows = [line.split() for line in b"".join(blocks(source, print)).decode().splitlines()[1:]]
    held = {name: [row[at] for row in rows] for at, name in enumerate(NAMES)}
    held["ts"] = [int(each) for each in held["ts"]]
    columns = {name: from_values(name, values) for name, values in held.items()}
    yield batch(source.name, columns, np.arange(2, len(rows) + 2), reject)

FORMAT = Format(
    "Spaces", "Words and spaces.", ".spaces", 1, False,
    lambda opening: opening.head.startswith(b"#spaces"), nothing, read,
    (Reads("a line", lambda: b"#spaces\\nc1 1750000000000000 a1 m\\n", ({"call_id": "c1"},)),
     Rejects("a time", lambda: b"#spaces\\nc1 1 a1 m\\n", ((2, "ts lies outside"),), left=0)),
)
'''


@pytest.fixture
def package(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "their_formats"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "spaces.py").write_text(ADDED)
    sys.path.insert(0, str(tmp_path))
    yield folder.name
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def test_a_format_is_added_by_adding_a_file(package: str, tmp_path: Path) -> None:
    (added,) = found(package)
    path = written(tmp_path, added, added.cases[0].data() + b"c2 1 a1 m\n")
    with pytest.raises(UserError, match="is not a header"):
        run(path)
    rows, rejected = run(path, formats=[*FORMATS, added])
    assert [row["call_id"] for row in rows] == ["c1"]
    assert [each.line for each in rejected] == [3]
