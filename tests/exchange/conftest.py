"""An exchange of three members, made for each test."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exchange_case import Exchange


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def _one_day() -> Iterator[None]:
    """Desks of this process stay in the day on which the tests were loaded: a run may cross midnight."""
    desk = pytest.importorskip("stillwatch.doors.taxii.matching") if importlib.util.find_spec("rbcl") else None
    patched = pytest.MonkeyPatch()
    if desk is not None:
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        patched.setattr(desk, "_epoch", lambda block: today)
    yield
    patched.undo()
