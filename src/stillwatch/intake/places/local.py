"""Files, folders and globs of this machine."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from stillwatch.errors import UserError
from stillwatch.files import REJECTED, TRUTH
from stillwatch.intake.lakes import declare as lakes
from stillwatch.intake.lakes.declare import Lake, Spot
from stillwatch.intake.places.declare import Place
from stillwatch.intake.stream import Source, shown
from stillwatch.intake.tables import Rows

RESULT = ".stillwatch"
"File by which a folder of results is known: inside a folder of logs it is passed over."

Kind = Callable[[str], tuple[Lake, tuple[str, ...]] | None]
"Which table a folder is, if any."


def find(name: str) -> list[Source | Rows]:
    """The files that a path, folder or glob names, and the tables that folders are. Raises UserError where that is nothing."""
    kind = cache(_kind)
    if os.path.isfile(name):
        _outside(name, kind)
        return [Source(shown(name), Path(name))]
    if os.path.isdir(name):
        return _folder(name, kind, "")
    if glob.has_magic(name):
        return _matching(name, kind)
    if os.path.exists(name):
        raise UserError("neither a file nor a folder", shown(name), "write the log to a file first")
    near = difflib.get_close_matches(os.path.basename(name), _neighbours(name), n=1)
    raise UserError("no such file or folder", shown(name), f'did you mean "{shown(near[0])}"?' if near else "check the path")


def _matching(name: str, kind: Kind) -> list[Source | Rows]:
    matches = sorted(glob.glob(name, recursive=True))
    inside: list[Source | Rows] = []
    for path in _usable(matches):
        _outside(path, kind)
        inside.append(Source(shown(path), Path(path), among=shown(name)))
    # A glob may match folders (a partitioned log); each is read like a folder that is named.
    if not inside:
        inside = [found for path in matches if os.path.isdir(path) for found in _folder(path, kind, shown(name))]
    if inside:
        return inside
    raise UserError("no file matches", shown(name), "check the pattern, and that the shell did not keep its quotes")


def _folder(name: str, kind: Kind, among: str) -> list[Source | Rows]:
    _outside(name, kind)
    files, tables = _walked(name, kind)
    inside: list[Source | Rows] = [Source(shown(path), Path(path), among=among or shown(name)) for path in _usable(files)]
    for path in tables:
        lake, signs = kind(path) or (None, ())
        if lake is not None:
            own = "" if path == name else among or shown(name)
            inside.append(lake.rows(Spot(shown(path), os.path.realpath(path), signs, among=own)))
    if not inside:
        raise UserError("the folder holds no log files", shown(name), "name a folder with Parquet, JSON Lines or CSV files")
    return inside


def _walked(name: str, kind: Kind) -> tuple[list[str], list[str]]:
    """Files of a folder and of those in it that are not hidden, and the tables among the folders."""
    files: list[str] = []
    tables: list[str] = []
    for folder, below, held in os.walk(name):
        if RESULT in held:
            below.clear()  # what an earlier scan wrote is no log
        elif below and kind(folder) is not None:
            below.clear()
            tables.append(folder)
        else:
            below[:] = [each for each in below if not each.startswith((".", "_"))]
            files += [os.path.join(folder, file) for file in held if not file.startswith((".", "_"))]
    return files, tables


def _kind(folder: str) -> tuple[Lake, tuple[str, ...]] | None:
    return lakes.seen(lambda name: _neighbours(os.path.join(folder, name, "")))


def _outside(path: str, kind: Kind) -> None:
    """Refuses what lies within a table: beside live rows there lie deleted ones."""
    for folder in Path(os.path.abspath(path)).parents:
        found = kind(str(folder))
        if found is not None:
            raise lakes.inside_of(shown(path), found[0], shown(folder))


def _usable(paths: Iterable[str]) -> Iterator[str]:
    return (path for path in sorted(paths) if os.path.isfile(path) and not path.endswith((TRUTH, REJECTED)))


def _neighbours(name: str) -> list[str]:
    try:
        return sorted(os.listdir(os.path.dirname(name) or "."))
    except OSError:
        return []


PLACE = Place(
    name="files, folders and globs",
    page="A path. Of a folder every file is read, at any depth, but what is hidden (a name with `.` or `_` in front), results of earlier scans, and a drill's truth; "
    "a folder that is a Delta or Iceberg table is read as such. Files of several formats may lie together; one of none is passed over and told, where others are read.",
    schemes=(),
    example="logs/2026-0[1-3]/",
    find=find,
)
