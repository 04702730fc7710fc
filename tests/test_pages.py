"""The pages that people write: what they link to and name is there, and what the README shows is what the demo prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

LINK = re.compile(r"\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)", re.M)
NAMED = re.compile(r"(?<![\w./-])(?:trials|docs|tests)/[\w./*-]+\.(?:py|md)\b")


def missing(page: Path, root: Path = ROOT) -> list[str]:
    """Relative links of a page, and files that it names by their place in the project, that lead nowhere."""
    text = page.read_text(encoding="utf-8")
    links = [one or other for one, other in LINK.findall(re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))]
    inside = [link.split("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    dead = [link for link in inside if not (page.parent / link).exists() or root not in (page.parent / link).resolve().parents]
    return dead + [name for name in NAMED.findall(text) if not list(root.glob(name))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_or_names_is_there(page: Path) -> None:
    assert missing(page) == []


def test_links_and_names_that_lead_nowhere_are_seen(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "there.md").write_text("")
    page = tmp_path / "docs" / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#part) [c](gone.md) [d](https://example.org/gone.md) [e](#part) [f](../../out.md)\n[g]: lost.md\n"
        "Measured by `trials/gone.py`, told in docs/there.md and `docs/t*.md`, tested by tests/test_none.py.\n```python\nlist[int](x.md)\n```\n"
    )
    (tmp_path.parent / "out.md").write_text("")
    assert missing(page, tmp_path) == ["gone.md", "../../out.md", "lost.md", "trials/gone.py", "tests/test_none.py"]
    assert len(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))) >= 10, "the README's links are seen"


def shown(readme: str) -> str:
    """What the README says that the demo prints."""
    (block,) = re.findall(r"^From `make demo`:\n\n```\w*\n(.*?)\n```$", readme, re.M | re.S)
    return str(block)


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    command = [sys.executable, "-m", "stillwatch", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.rstrip("\n").splitlines()
    (first,) = [at for at, line in enumerate(lines) if " calls read, " in line]
    # The seal is of the bytes of the marks' files, which another version of Arrow packs otherwise.
    one, other = (
        re.sub(r"^seal: [0-9a-f]{32}$", "seal:", text, flags=re.M)
        for text in (shown((ROOT / "README.md").read_text(encoding="utf-8")), "\n".join(lines[first:]))
    )
    assert one == other and "\nseal:\n" in one
