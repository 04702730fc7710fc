"""The `threatexchange` command line reads what we publish: ranges that hold are its signals, what is withdrawn or has expired is none."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("threatexchange", reason="needs stillwatch[exchange-tests]")

from stillwatch.errors import UserError  # noqa: E402
from stillwatch.exchange.barrier.acting import revoked  # noqa: E402
from stillwatch.exchange.barrier.preparing import Prepared, prepare  # noqa: E402
from stillwatch.exchange.stix import words  # noqa: E402
from stillwatch.exchange.stix.moments import DAY  # noqa: E402
from stillwatch.exchange.stix.writing import bundle, write  # noqa: E402
from stillwatch.peers import threatexchange as extension  # noqa: E402
from test_barrier_points import CAMPAIGN, KEY, OPEN  # noqa: E402

RANGES = ("192.0.2.0/24", "2001:db8::/48")
NOW = time.time_ns() // 1000


def _prepared(at: int) -> Prepared:
    assert OPEN.assessment is not None
    rules = replace(OPEN, assessment=replace(OPEN.assessment, start=at - DAY, until=at + 100 * DAY))
    return prepare([CAMPAIGN], rules, KEY, at, networks={CAMPAIGN["campaign"]: RANGES})


def _said(home: Path, *arguments: str) -> str:
    """What the program says, with its state in a folder of the test."""
    words_ = [sys.executable, "-m", "threatexchange", *arguments]
    done = subprocess.run(words_, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(home)}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_command_line_fetches_and_matches_what_holds(tmp_path: Path) -> None:
    made, file = _prepared(NOW), tmp_path / "heard.json"
    file.write_bytes(made.content)
    _said(tmp_path, "config", "extensions", "add", "stillwatch.peers.threatexchange")
    _said(tmp_path, "config", "collab", "edit", "stix_bundle", "--create", "heard", "--filename", str(file))
    _said(tmp_path, "fetch")
    for text in ("POST from 192.0.2.77", "2001:db8:0:1::9 asked"):
        (line,) = _said(tmp_path, "match", "text", "--", text).splitlines()
        assert line.startswith("network_range - (heard) INVESTIGATION_SEED ") and "indicator--" in line and "tlp:amber+strict" in line, (
            "a seed, never a verdict"
        )
    assert _said(tmp_path, "match", "text", "--", "POST from 198.51.100.1") == ""
    gone = [revoked(each, NOW + 2_000_000) if isinstance(each, words.Indicator) and "ipv4" in each.pattern else each for each in made.records]
    file.write_bytes(bundle(write([each for each in gone if isinstance(each, words.Shared)]).objects))
    _said(tmp_path, "fetch")
    assert _said(tmp_path, "match", "text", "--", "POST from 192.0.2.77") == "", "withdrawn"
    assert "INVESTIGATION_SEED" in _said(tmp_path, "match", "text", "--", "2001:db8::1")


def test_what_is_no_bundle_is_told(tmp_path: Path) -> None:
    for text in ("", "[]", "{}"):
        (tmp_path / "x.json").write_text(text)
        api = extension.StixBundleAPI.for_collab(extension.BundleConfig(name="n", api="stix_bundle", enabled=True, filename=str(tmp_path / "x.json")))
        with pytest.raises(UserError, match="no STIX bundle"):
            list(api.fetch_iter([], None))


def _ranges(records: Sequence[words.Record], at: int) -> list[str]:
    return sorted(signal for (_, signal), _ in extension.ranges(write([each for each in records if isinstance(each, words.Shared)]).objects, at))


def test_only_ranges_that_hold_are_signals() -> None:
    records = _prepared(NOW).records
    assert _ranges(records, NOW) == sorted(RANGES)
    assert _ranges(records, NOW + 400 * DAY) == [], "expired"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", True), ("x=192.0.2.255;", True), ("192.0.3.1", False), ("1192.0.2.1", False), ("192.0.2.1.5", False), ("192.0.2.999", False),
        ("2001:db8::", True), ("2001:0DB8:0000::1", True), ("2001:db9::1", False), ("at 12:30:45", False), ("", False), ("::ffff:192.0.2.1", True),
        ("192.0.2.1:8443", True), ("It was 192.0.2.1.", True), ("[2001:db8::7]:443", True),
    ],
)  # fmt: skip
def test_addresses_are_found_in_text(text: str, found: bool) -> None:
    ranges = extension.NetworkRangeIndex[str]()
    for each in RANGES:
        ranges.add(each, each)
    assert bool(ranges.query(text)) is found
    assert any(extension.NetworkRangeSignal.matches_str(each, text).match for each in RANGES) is found


def test_a_range_is_told_in_its_shortest_form_or_refused() -> None:
    assert extension.NetworkRangeSignal.validate_signal_str("2001:0db8:0000::/48") == "2001:db8::/48"
    with pytest.raises(ValueError, match="host bits"):
        extension.NetworkRangeSignal.validate_signal_str("192.0.2.1/24")
