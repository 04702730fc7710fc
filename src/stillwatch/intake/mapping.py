"""The `--map FILE`: which column of a foreign flat log is which column of ours.

A TOML file, one line a column; times may name their unit::

    call_id = "request_id"
    account = "customer"
    model   = "model_name"
    ts      = { column = "time", unit = "ms" }     # s, ms, us, ns or iso; microseconds when not said

Only what is mapped is read; `call_id`, `ts`, `account` and `model` fall back on columns of these names.
Identifiers may be whole numbers in a mapped log.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.errors import UserError, nearest, spot, toml
from stillwatch.files import written
from stillwatch.intake.times import BOUNDS, UNITS


@dataclass(frozen=True, slots=True)
class Mapping:
    """Our columns by their names in the log."""

    columns: dict[str, str]
    "Canonical column -> column of the log."
    units: dict[str, str] = field(default_factory=dict)
    "Time column -> `s`, `ms`, `us`, `ns` or `iso`."
    loose: bool = False
    "Whole numbers may serve as identifiers."
    file: str = ""
    "The map file as the user named it; empty for the canonical names."
    text: str = ""
    "What stands in it, for errors that point at a line."
    said: frozenset[str] = frozenset()
    "Canonical columns that the map names; required ones fall back on their own name."

    def check(self, seen: Collection[str], *, sparse: bool) -> None:
        """Raises a UserError for a mapped column that the log has not.

        `sparse`: `seen` are the names in the first records only (JSON Lines); then a name that was not seen is an error
        only where its column is required or a seen name is close to it.
        """
        if not self.file:
            return
        for ours, theirs in self.columns.items():
            if theirs in seen:
                continue
            close = nearest(theirs, [name for name in seen if name not in self.columns.values()])
            if sparse and ours not in REQUIRED and not close:
                continue
            if ours not in self.said:
                raise UserError(f"{ours} is required and not mapped", self.file, f'add a line {ours} = "their column"')
            hint = f'did you mean "{close}"?' if close else f"the log has {named(seen)}"
            raise pointed(self.file, self.text, theirs, f'the log has no column "{theirs}"', hint)


CANONICAL = Mapping({name: name for name in SCHEMA.names})
"Every column under its own name."


def load(path: str | Path) -> Mapping:
    """The map in a file. Raises UserError with line and column."""
    file = str(path)
    text = written(Path(path), "the map")
    try:
        table = toml(text)
    except ValueError as error:
        raise UserError(f"the map is not TOML: {error}", file, 'write lines such as account = "customer"') from error
    columns: dict[str, str] = {}
    units: dict[str, str] = {}
    for ours, given in table.items():
        if ours not in SCHEMA.names:
            close = nearest(ours, SCHEMA.names)
            hint = f'did you mean "{close}"?' if close else f"columns are {named(SCHEMA.names)}"
            raise pointed(file, text, ours, f'unknown column "{ours}"', hint)
        columns[ours], unit = _entry(file, text, ours, given)
        if unit is not None:
            units[ours] = unit
    said = frozenset(columns)
    for ours in REQUIRED:
        columns.setdefault(ours, ours)
    return Mapping(columns, units, True, file, text, said)


def _entry(file: str, text: str, ours: str, given: Any) -> tuple[str, str | None]:
    if isinstance(given, str) and given:
        return given, None
    if not isinstance(given, dict) or not isinstance(given.get("column"), str):
        raise pointed(file, text, ours, f"{ours} must name a column", f'write {ours} = "their column"')
    for name in given:
        if name not in ("column", "unit"):
            raise pointed(file, text, str(name), f'unknown word "{name}"', "use column and unit")
    unit = given.get("unit")
    if unit is None:
        return given["column"], None
    if ours not in BOUNDS:
        raise pointed(file, text, ours, f"{ours} is not a time", "leave out the unit")
    if not isinstance(unit, str) or (unit not in UNITS and unit != "iso"):
        what = f'unknown unit "{unit}"' if isinstance(unit, str) else "the unit is one word, not several"
        raise pointed(file, text, unit if isinstance(unit, str) else "unit", what, "use s, ms, us, ns or iso")
    return given["column"], unit


def named(columns: Collection[str], most: int = 12) -> str:
    """Column names for an error: the first few, and how many more."""
    # Keys of a JSON object can be anything; what does not look like a name might be somebody's text.
    shown = [name if re.fullmatch(r"[^\W\d][\w .:/()#%-]{0,39}", name) else "..." for name in list(columns)[:most]]
    more = len(columns) - len(shown)
    return (", ".join(shown) or "none") + (f" and {more} more" if more > 0 else "")


def pointed(file: str, text: str, word: str, what: str, hint: str) -> UserError:
    """An error that points at a word of the map: file, line and column in front."""
    place = spot(text, word)
    return UserError(what, file if place is None else f"{file}:{place[0]}:{place[1]}", hint)
