"""Small logs made by the drill once, for every test that scans."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stillwatch.drill import compose, scenario

KEY = "11" * 32
"A fixed hashing key, so that tests see the same hashes."


NO_SKIP = os.environ.get("STILLWATCH_NO_SKIP") == "1"
"Where everything that tests may need is installed, a test that does not run is a failure (`make test-long`)."


def _ran(report: Any) -> Any:
    if NO_SKIP and report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped, and nothing may be skipped here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """A whole file that skips itself."""
    return _ran((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """A test that skips itself."""
    return _ran((yield))


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
