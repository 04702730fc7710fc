"""Rubbish among good records: whatever is wrong with one record, no format breaks, and every other record is read.

The good records are those of each format's own cases; rubbish is made of them too, under ids of its own. By default Hypothesis draws 60 examples for each
format and test, the same each time, and shrinks what fails. A long run takes its examples from seeds, which is several times as quick:
`STILLWATCH_FUZZ` is their number for each format and test (each a file with up to five damaged records in it), `STILLWATCH_FUZZ_PART` (as 1/2) the part of
them that this process runs, `STILLWATCH_FUZZ_SEED` the set that is drawn. A failure names its seed; `STILLWATCH_FUZZ_ONLY` runs that one again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import rubbish
from fuzz.rubbish import Case
from stillwatch.calls import SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake.declare import Format, Reads, found
from stillwatch.intake.read import read
from stillwatch.records import MARKS, Rejected

FEW = settings(max_examples=60, deadline=None, database=None, derandomize=True, print_blob=True, suppress_health_check=list(HealthCheck))
MANY = int(os.environ.get("STILLWATCH_FUZZ", "0"))
PART, PARTS = map(int, os.environ.get("STILLWATCH_FUZZ_PART", "1/1").split("/"))
SEED = os.environ.get("STILLWATCH_FUZZ_SEED", "0")
ONLY = os.environ.get("STILLWATCH_FUZZ_ONLY")
FORMATS = found()

Make = Callable[[Random, list[Case]], Case | None]
"What damages the cases of a format."


def _cases(each: Format) -> list[Case]:
    """Files that the format reads, and their calls."""
    return [(case.data(), case.calls) for case in each.cases if isinstance(case, Reads)]


def _of(each: Format) -> list[tuple[str, Make, list[Case]]]:
    """How files of the format are damaged, by what they are: a table, messages with lengths, or a text."""
    ways: dict[str, Make] = {"table": rubbish.tables, "messages": rubbish.mixed_messages, "text": rubbish.mixed}
    kinds: dict[str, list[Case]] = {}
    for data, calls in _cases(each):
        kind = "table" if data.startswith(b"PAR1") else "messages" if each.suffix == ".binpb" else "text"
        kinds.setdefault(kind, []).append((data, calls))
    return [(kind, ways[kind], cases) for kind, cases in kinds.items()]


MIXES = [pytest.param(each, make, cases, id=f"{each.name}, {kind}") for each in FORMATS for kind, make, cases in _of(each)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def rows(path: Path, data: bytes) -> list[dict[str, Any]]:
    """All calls of a file. Anything but a UserError is a broken promise."""
    path.unlink(missing_ok=True)  # some file systems flush a file that is written over
    path.write_bytes(data)
    rejected: list[Rejected] = []
    made: list[dict[str, Any]] = []
    for batch in read([str(path)], None, rejected.append):
        assert batch.schema.remove_metadata() in (SCHEMA, MARKS)
        batch.validate(full=True)
        made += batch.to_pylist()
    assert all(each.file == str(path) and each.reason for each in rejected)
    return made


def _seeds(name: str) -> Iterator[str]:
    if ONLY is not None:
        yield from [ONLY] if ONLY.split("/")[0] == name else []
        return
    yield from (f"{name}/{SEED}/{at}" for at in range(MANY) if at % PARTS == PART - 1)


def run(name: str, test: Callable[[Random], None]) -> None:
    """Runs a test over examples: Hypothesis's, or those of seeds."""
    if not MANY and ONLY is None:
        FEW(given(st.randoms(use_true_random=False))(test))()
        return
    for seed in _seeds(name):
        try:
            test(Random(seed))
        except BaseException as error:
            error.add_note(f"STILLWATCH_FUZZ_ONLY={seed!r}")
            raise


@pytest.mark.parametrize(("each", "make", "cases"), MIXES)
def test_no_rubbish_costs_a_good_record(each: Format, make: Make, cases: list[Case], folder: Path) -> None:
    names = (MARKS if each.marked else SCHEMA).names

    def test(rng: Random) -> None:
        while (made := make(rng, cases)) is None:
            pass
        data, calls = made
        found_rows = rows(folder / f"log{each.suffix}", data)
        assert [call for call in ({**dict.fromkeys(names), **call} for call in calls) if call not in found_rows] == []

    run(f"mixed {each.name}", test)


@pytest.mark.parametrize("each", [pytest.param(each, id=each.name) for each in FORMATS])
def test_a_damaged_file_gives_advice_and_no_traceback(each: Format, folder: Path) -> None:
    files = [data for data, _ in _cases(each)]

    def test(rng: Random) -> None:
        try:
            rows(folder / f"log{each.suffix}", rubbish.damaged(rng, rng.choice(files)))
        except UserError as error:
            assert str(error)

    run(f"damaged {each.name}", test)
