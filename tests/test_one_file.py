"""Adding a detector, a tie or a format touches one file: each is written into a temporary package and found there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.detectors.declare import Fires, Silent, every_detector, evidence
from stillwatch.intake import declare as formats
from stillwatch.intake.declare import Reads, Rejects
from stillwatch.intake.read import read
from stillwatch.linking.declare import Joins, KeepsApart, every_tie
from stillwatch.records import Rejected
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
    changed = text.replace('name="payment"', 'name="payer"').replace("LEAST = 3", "LEAST = 2").replace("[7, 8, 8]", "[8, 8, 8]")
    (package / "payer.py").write_text(changed)
    (tie,) = every_tie(package.name).values()
    assert tie.name == "payer" and tie.name not in every_tie()
    assert {type(case) for case in tie.cases} == {Joins, KeepsApart}
    for case in tie.cases:
        joined = set(tie.edges(from_rows(case.calls))[0].tolist())
        assert joined == (set(case.together) if isinstance(case, Joins) else set())
    two = from_rows([{"account": 1, "org": 1, "payment": 5}, {"account": 2, "org": 2, "payment": 5}])
    assert set(tie.edges(two)[0].tolist()) == {0, 1}, "the new file's own threshold is the one that runs"


SPACED = '''
"""Words and spaces."""

import numpy as np

from stillwatch.intake.columns import batch, from_values
from stillwatch.intake.declare import Format, Reads, Rejects, nothing
from stillwatch.intake.stream import blocks


def recognises(opening):
    return opening.head.startswith(b"#spaced")


def read(source, opening, mapping, reject):
    rows = [line.split() for line in b"".join(blocks(source, reject)).decode().splitlines()[1:]]
    call_id, ts, account, model = zip(*rows)
    held = {"call_id": call_id, "ts": [int(each) for each in ts], "account": account, "model": model}
    columns = {name: from_values(name, list(values)) for name, values in held.items()}
    yield batch(source.name, columns, np.arange(2, len(rows) + 2), reject)


ONE = {"call_id": "c1", "ts": 1_750_000_000_000_000, "account": "a1", "model": "m"}

FORMAT = Format(
    name="spaced", page="Words and spaces.", suffix=".spaced", order=1, flat=False, recognises=recognises, fits=nothing, read=read,
    cases=(
        Reads("a line", lambda: b"#spaced\\nc1 1750000000000000 a1 m\\n", (ONE,)),
        Rejects("a time before there were models", lambda: b"#spaced\\nc1 1750000000000000 a1 m\\nc2 1 a1 m\\n", ((3, "ts lies outside"),), left=1),
    ),
)
'''


def test_a_format_is_one_file(package: Path, tmp_path: Path) -> None:
    (package / "spaced.py").write_text(SPACED)
    (added,) = formats.found(package.name)
    assert added.name not in {each.name for each in formats.found()}
    assert {type(case) for case in added.cases} == {Reads, Rejects}
    for case in added.cases:
        path = tmp_path / f"log{added.suffix}"
        path.write_bytes(case.data())
        rejected: list[Rejected] = []
        rows = [row for batch in read([str(path)], None, rejected.append, formats=[*formats.found(), added]) for row in batch.to_pylist()]
        if isinstance(case, Reads):
            assert not rejected and [{name: row[name] for name in row if row[name] is not None} for row in rows] == list(case.calls)
        else:
            assert len(rows) == case.left
            assert [(each.line, why in each.reason) for each, (_, why) in zip(rejected, case.rejected, strict=True)] == [(at, True) for at, _ in case.rejected]
