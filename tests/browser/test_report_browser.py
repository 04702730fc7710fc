"""The report in headless Chromium. A missing browser is a failure here: these tests run where it was installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from report_fixtures import campaign, summary
from stillwatch.doors.report import page

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
]


def _chromium(folder: Path, *args: str) -> str:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    assert browser, "Chromium is not installed"
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(page.render([campaign(), campaign("feedfacefeedface", "watch", 2000)], summary()), encoding="utf-8")
    return path


def test_cases_are_in_the_dom(report: Path, tmp_path: Path) -> None:
    dom = _chromium(tmp_path, "--dump-dom", report.as_uri())
    assert 'id="c-00c0ffee00c0ffee"' in dom and 'id="c-feedfacefeedface"' in dom
    assert "<script" not in dom


@pytest.mark.parametrize("width", [390, 1440])
def test_page_never_scrolls_sideways(report: Path, tmp_path: Path, width: int) -> None:
    # A frame of the wanted width measures the page: headless windows themselves do not go below 500 pixels.
    probe = tmp_path / "probe.html"
    probe.write_text(
        f'<body><iframe id="f" src="report.html" style="width:{width}px;height:900px;border:0"></iframe><p id="out"></p><script>'
        "f.onload = () => { const d = f.contentDocument; d.querySelectorAll('details').forEach(x => x.open = true);"
        "out.textContent = 'measured ' + d.documentElement.scrollWidth + ' of ' + f.clientWidth; }</script></body>",
        encoding="utf-8",
    )
    dom = _chromium(tmp_path, "--virtual-time-budget=5000", "--dump-dom", probe.as_uri())
    wide, frame = map(int, re.search(r"measured (\d+) of (\d+)", dom).groups())  # type: ignore[union-attr]
    assert frame == width and wide <= width


def test_dark_and_light_differ(report: Path, tmp_path: Path) -> None:
    shots = []
    for scheme in (0, 1):
        shot = tmp_path / f"{scheme}.png"
        _chromium(tmp_path, f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1440,900", f"--screenshot={shot}", report.as_uri())
        shots.append(shot.read_bytes())
    assert all(len(shot) > 20_000 for shot in shots) and shots[0] != shots[1]
