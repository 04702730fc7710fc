"""The report in headless Chromium, looked at by axe. A missing browser or axe is a failure here: these tests run where they were installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import large_case
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


AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def large_line() -> dict[str, Any]:
    return large_case.line(large_case.campaign())


@pytest.fixture(params=["small", "large", "empty"])
def report(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two cases with every part, one of 25,000 accounts, and none with everything off."""
    path = tmp_path / "report.html"
    if request.param == "small":
        html = page.render([campaign(), campaign("feedfacefeedface", "watch", 2000)], summary(sampled={"share_known": 0.1}))
    elif request.param == "large":
        html = page.render([request.getfixturevalue("large_line")], summary(accounts=25_000, alerts=0, reviews=1, watches=0))
    else:
        html = page.render([], summary(alerts=0, watches=0, cannot_decide="Without history nothing can be told."))
    path.write_text(html, encoding="utf-8")
    return path


def _framed(folder: Path, width: int, then: str, scheme: int = 1) -> str:
    """What a page says that shows the report, every detail open, in a frame of the wanted width: headless windows do not go below 500 pixels."""
    probe = folder / "probe.html"
    probe.write_text(
        f'<body><iframe id="f" src="report.html" style="width:{width}px;height:900px;border:0"></iframe><p id="out"></p><script>'
        "f.onload = async () => { const d = f.contentDocument; d.querySelectorAll('details').forEach(x => x.open = true);"
        f"out.textContent = 'said ' + await ({then})(d, f) + ' end'; }}</script></body>",
        encoding="utf-8",
    )
    dom = _chromium(folder, f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=30000", "--dump-dom", probe.as_uri())
    return unescape(re.search(r"<p id=\"out\">said (.*) end</p>", dom, re.DOTALL)[1])  # type: ignore[index]


def test_cases_are_in_the_dom(report: Path, tmp_path: Path) -> None:
    dom = _chromium(tmp_path, "--dump-dom", report.as_uri())
    cases = re.findall(r'id="c-([0-9a-f]{16})"', report.read_text(encoding="utf-8"))
    assert all(f'id="c-{case}"' in dom for case in cases) and "Stillwatch report" in dom
    assert "<script" not in dom


@pytest.mark.parametrize("width", [390, 1440])
def test_page_never_scrolls_sideways(report: Path, tmp_path: Path, width: int) -> None:
    wide, frame = map(int, _framed(tmp_path, width, "(d, f) => d.documentElement.scrollWidth + ' ' + f.clientWidth").split())
    assert frame == width and wide <= width


AXE_RUNS = """async (d, f) => {
  await new Promise((done, fail) => { const s = d.createElement('script'); s.src = 'axe.min.js'; s.onload = done; s.onerror = fail; d.head.append(s); });
  const dark = f.contentWindow.matchMedia('(prefers-color-scheme: dark)').matches;
  const found = await f.contentWindow.axe.run(d, {resultTypes: ['violations']});
  const told = found.violations.map(v => [v.id, v.nodes.length, v.nodes[0].target.join(' '), v.nodes[0].failureSummary]);
  return JSON.stringify({dark, told, passes: found.passes.length});
}"""


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_violation(report: Path, tmp_path: Path, width: int, scheme: str) -> None:
    assert AXE.exists(), "axe is not installed: `make test-browser` does it"
    shutil.copy(AXE, tmp_path)
    said = json.loads(_framed(tmp_path, width, AXE_RUNS, 0 if scheme == "dark" else 1))
    assert said["dark"] == (scheme == "dark") and said["passes"] > 15
    assert said["told"] == []


def test_axe_would_find_one(tmp_path: Path) -> None:
    shutil.copy(AXE, tmp_path)
    broken = page.render([campaign()], summary()).replace(' role="img"', "").replace("--soft: #535d68", "--soft: #c9cdd2")
    (tmp_path / "report.html").write_text(broken, encoding="utf-8")
    told = json.loads(_framed(tmp_path, 390, AXE_RUNS))["told"]
    assert "color-contrast" in {name for name, *_ in told}


def test_the_large_page_is_small(large_line: dict[str, Any]) -> None:
    html = page.render([large_line], summary())
    assert len(html.encode()) < 3_000_000 and html.count("<path") < 1000 and html.count("<li") < 1000


def test_dark_and_light_differ(report: Path, tmp_path: Path) -> None:
    shots = []
    for scheme in (0, 1):
        shot = tmp_path / f"{scheme}.png"
        _chromium(tmp_path, f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1440,900", f"--screenshot={shot}", report.as_uri())
        shots.append(shot.read_bytes())
    assert all(len(shot) > 20_000 for shot in shots) and shots[0] != shots[1]
