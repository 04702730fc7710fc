"""Adding a detector, a tie or a format touches one file: each is written into a temporary package and found there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.detectors.declare import Fires, Silent, evidence, every_detector
from stillwatch.intake import declare as formats
from stillwatch.linking.declare import every_tie
from stillwatch.traffic import from_rows

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "stillwatch"


@pytest.fixture
def package(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    name = f"added_{request.node.name.split('[')[0]}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for module in [each for each in sys.modules if each.startswith(name)]:
        del sys.modules[module]


def test_a_detector_is_one_file_as_contributing_says(package: Path) -> None:
    example = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    assert example, "CONTRIBUTING.md shows a detector"
    (package / "night_shift.py").write_text(example[1])
    (detector,) = every_detector(package.name).values()
    assert {type(case) for case in detector.cases} == {Fires, Silent}
    for case in detector.cases:
        said = evidence(detector, case.values, case.ranges)
        assert (said is not None and said.fires) == isinstance(case, Fires)


def test_a_tie_is_one_file(package: Path) -> None:
    text = (SOURCE / "linking" / "ties" / "payment.py").read_text()
    (package / "agent.py").write_text(text.replace('name="payment"', 'name="payer again"').replace("LEAST = 3", "LEAST = 2"))
    (tie,) = every_tie(package.name).values()
    traffic = from_rows([{"account": 1, "org": 1, "payment": 5}, {"account": 2, "org": 2, "payment": 5}])
    assert tie.name == "payer again" and set(tie.edges(traffic)[0].tolist()) == {0, 1}


def test_a_format_is_one_file(package: Path) -> None:
    shipped = {each.name for each in formats.found()}
    source = next(path for path in sorted((SOURCE / "intake" / "formats").glob("*.py")) if path.stem == "openai")
    (package / "openai_again.py").write_text(source.read_text())
    assert {each.name for each in formats.found(package.name)} < shipped
