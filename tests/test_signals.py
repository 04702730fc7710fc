"""docs/signals.md has every detector and every tie, with the columns that they need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stillwatch.calls import SCHEMA
from stillwatch.detectors.declare import every_detector
from stillwatch.features.declare import every_feature
from stillwatch.linking.declare import every_tie
from stillwatch.records import LOGGED, MARKS

PAGE = (Path(__file__).parents[1] / "docs" / "signals.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")][1:]
NEEDS = {name: {c for f in detector.reads for c in every_feature()[f].reads} for name, detector in every_detector().items()}
NEEDS |= {name: set(tie.reads) for name, tie in every_tie().items()}
EVERYWHERE = {"account"}


def _of(name: str) -> list[list[str]]:
    return [row for row in ROWS if f"`{name}`" in row[1]]


@pytest.mark.parametrize("name", NEEDS)
def test_every_detector_and_tie_has_its_row_with_its_columns(name: str) -> None:
    rows = _of(name)
    assert rows, f"{name} is missing"
    told = {column for row in rows for column in re.findall(r"`(\w+)`", row[2])}
    assert {LOGGED.get(column, column) for column in NEEDS[name]} - EVERYWHERE <= told
    assert all(all(row) and len(row) == 5 for row in rows), "look-alike and blind spot are stated"


def test_what_a_mark_is_made_from_is_a_column_of_logs() -> None:
    assert set(LOGGED) == set(MARKS.names) - set(SCHEMA.names) and set(LOGGED.values()) <= set(SCHEMA.names)


def test_only_what_exists_is_named() -> None:
    for row in ROWS:
        members = {name for name in re.findall(r"`([^`]+)`", row[1]) if "/" not in name}
        assert members <= set(NEEDS), members - set(NEEDS)
        assert set(re.findall(r"`(\w+)`", row[2])) <= set(SCHEMA.names)


def test_a_lookalike_stands_among_the_silent_cases() -> None:
    for name, detector in every_detector().items():
        silent = [case for case in detector.cases if hasattr(case, "why") and case.values]
        assert silent and all(case.why for case in silent), name
