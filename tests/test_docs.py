"""The manual is what the declarations say: nothing missing, nothing stale, nothing empty."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stillwatch.detectors.declare import every_detector
from stillwatch.doors import cli, manual
from stillwatch.drill.declare import every_campaign, every_class
from stillwatch.features.declare import every_feature
from stillwatch.intake.declare import found
from stillwatch.intake.lakes.declare import every_lake
from stillwatch.intake.places.declare import every_place
from stillwatch.linking.declare import every_tie

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGES = manual.pages()

MEMBERS = {
    "commands.md": [path for path, _ in manual._commands(cli.main, "stillwatch")],
    "detectors.md": list(every_detector()),
    "ties.md": list(every_tie()),
    "features.md": list(every_feature()),
    "formats.md": [each.name for each in found()],
    "places.md": [*(each.name for each in every_place()), *(f"{each.name} tables" for each in every_lake())],
    "drill.md": list(every_campaign()),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_declarations_say(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name], "run `make docs`"


def test_no_page_is_left_of_what_is_gone() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES)


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_has_its_place(name: str) -> None:
    headings = set(re.findall(r"^##+ (.+)$", PAGES[name], re.M))
    assert MEMBERS[name] and set(MEMBERS[name]) <= headings
    if name == "drill.md":
        assert all(f"| {each} |" in PAGES[name] for each in every_class())


def test_every_option_is_explained() -> None:
    for path, command in manual._commands(cli.main, "stillwatch"):
        (section,) = re.findall(rf"^## {path}\n(.*?)(?=^## |\Z)", PAGES["commands.md"], re.M | re.S)
        for param in command.params:
            if param.param_type_name == "option":
                assert f"`{param.opts[0]}" in section and getattr(param, "help", ""), param.opts


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_said_with_empty_words(name: str) -> None:
    assert not re.search(r"^- \*\*[^*]*\*\*: *$|\| +\||``|^- [a-z]+: *$", PAGES[name].replace("```", ""), re.M)


def test_stale_pages_go_when_the_manual_is_written(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old")
    manual.main(tmp_path)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == PAGES
