"""Small logs made by the drill once, for every test that scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from stillwatch.drill import compose, scenario

KEY = "11" * 32
"A fixed hashing key, so that tests see the same hashes."


@dataclass(frozen=True)
class Logs:
    """Paths of a log with campaigns, its truth, and a history."""

    log: Path
    truth: Path
    history: Path
    key: Path


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    """The demo's log at 8,000 calls and a history of 12,000."""
    folder = tmp_path_factory.mktemp("logs")
    for name, calls, path in (("demo", 8_000, folder / "log.parquet"), ("demo-history", 12_000, folder / "history.parquet")):
        compose.write(compose.compose(scenario.load(name).with_overrides(calls=calls)), path)
    key = folder / "key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    return Logs(folder / "log.parquet", folder / "log.truth.parquet", folder / "history.parquet", key)
