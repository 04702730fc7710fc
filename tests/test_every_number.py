"""A law for every number that detectors and ties judge by: moved, it turns one of its module's own cases red, in both directions."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

from stillwatch.detectors.declare import Fires, evidence
from stillwatch.linking.declare import Joins
from stillwatch.traffic import from_rows

PACKAGES = {"stillwatch.detectors": 1.5, "stillwatch.linking.ties": 4.0}
"How far the numbers of a package are moved: the figures of a case can lie as near as one likes, its hashes and tails of chance cannot."


def _red(module: ModuleType) -> bool:
    """Whether one of the module's cases does not come out as it says."""
    if hasattr(module, "DETECTOR"):
        said = [(evidence(module.DETECTOR, case.values, case.ranges), case) for case in module.DETECTOR.cases]
        return any((seen is not None and seen.fires) != isinstance(case, Fires) for seen, case in said)
    joined = [(set(module.TIE.edges(from_rows(case.calls))[0].tolist()), case) for case in module.TIE.cases]
    return any(found != (set(case.together) if isinstance(case, Joins) else set()) for found, case in joined)


def numbers(module: ModuleType) -> dict[str, int | float]:
    """The numbers that a module declares in capital letters, by name."""
    names = {
        node.id
        for line in ast.parse(inspect.getsource(module)).body
        if isinstance(line, ast.Assign | ast.AnnAssign)
        for node in ast.walk(line)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    found = {name: getattr(module, name) for name in sorted(names) if name.isupper() and not name.startswith("_")}
    return {name: value for name, value in found.items() if type(value) in (int, float)}


def _every() -> Iterator[object]:
    for package, times in PACKAGES.items():
        for found in pkgutil.iter_modules(importlib.import_module(package).__path__, package + "."):
            module = importlib.import_module(found.name)
            for name in numbers(module):
                yield pytest.param(module, name, times, id=f"{found.name.split('.')[-1]}-{name}")


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize(("module", "name", "times"), _every())
def test_a_number_that_is_moved_turns_a_case_red(module: ModuleType, name: str, times: float, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _red(module)
    given = getattr(module, name)
    moved = given * times if way == "up" else given / times
    monkeypatch.setattr(module, name, max(1, round(moved)) if isinstance(given, int) else moved)
    assert _red(module), f"no case lies between {given:g} and {moved:g}: add one beside {name}"
