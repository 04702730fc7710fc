"""An exchange of three members, made for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange_case import Exchange


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path)
