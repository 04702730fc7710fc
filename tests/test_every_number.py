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

PACKAGES = ("stillwatch.detectors", "stillwatch.linking.ties")
MOVED = 1.5
"By how much a number is moved: so near to it, on each side, lies a case."

TAILS = {("stillwatch.linking.ties.registration", "TAIL"): 4.0}
"Numbers that are moved further: with one account more or less a tail of chance is another by half or more."


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


def _bare(module: ModuleType) -> list[str]:
    """Comparisons, minima and maxima inside functions that judge by a number without a name."""
    functions = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.FunctionDef)]
    asked = [
        node
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Compare) or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max"))
    ]
    return [
        ast.unparse(node)
        for node in asked
        if any(isinstance(part, ast.Constant) and type(part.value) in (int, float) and part.value not in (0, 1) for part in ast.walk(node))
    ]


def _modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        yield from (importlib.import_module(found.name) for found in pkgutil.iter_modules(importlib.import_module(package).__path__, package + "."))


def _every() -> Iterator[object]:
    for module in _modules():
        for name in numbers(module):
            yield pytest.param(module, name, TAILS.get((module.__name__, name), MOVED), id=f"{module.__name__.split('.')[-1]}-{name}")


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize(("module", "name", "times"), list(_every()))
def test_a_number_that_is_moved_turns_a_case_red(module: ModuleType, name: str, times: float, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _red(module)
    given = getattr(module, name)
    moved = given * times if way == "up" else given / times
    monkeypatch.setattr(module, name, max(1, round(moved)) if isinstance(given, int) else moved)
    assert _red(module), f"no case lies between {given:g} and {moved:g}: add one beside {name}"


@pytest.mark.parametrize("module", list(_modules()), ids=lambda module: module.__name__.split(".")[-1])
def test_nothing_is_judged_by_a_number_without_a_name(module: ModuleType) -> None:
    assert not _bare(module), "give it a name in capital letters, so that its cases are asked for"
