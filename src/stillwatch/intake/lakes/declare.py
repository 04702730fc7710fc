"""What a kind of table on files is: how its folder is known, and how its live rows are read.

Such a folder holds files whose rows were deleted or replaced long ago; only the table's own log tells which. So it is never read as a folder of
Parquet: it is read as the table that it is, through the package that knows how, or not at all. Every file of this package holds one member under the
name `LAKE`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

from stillwatch.errors import UserError
from stillwatch.intake.tables import Rows


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a table's folder lies."""

    name: str
    "As the user named it, or as it was found in what the user named."
    uri: str
    "The same for the package that reads it: an absolute path, or a URI."
    signs: tuple[str, ...]
    "Names in the folder by which it was known."
    reach: Mapping[str, str] = field(default_factory=dict)
    "How its place is reached, where that is not usual: `endpoint`, `region`."
    among: str = ""
    "The folder or glob in which it was found; empty where it was named itself."


@dataclass(frozen=True, slots=True)
class Lake:
    """One kind of table on files."""

    name: str
    "As people call it."
    page: str
    "One paragraph of the manual."
    extra: str
    "The extra that installs what reads it."
    folder: str
    "Name of the folder within a table by which it is known."
    sign: Callable[[str], bool]
    "Whether a file in that folder shows that this is a table."
    rows: Callable[[Spot], Rows]
    "The table's live rows."


@cache
def every_lake(package: str = "stillwatch.intake.lakes") -> tuple[Lake, ...]:
    """Every kind of table, by name."""
    room = importlib.import_module(package)
    modules = [importlib.import_module(f"{package}.{each.name}") for each in pkgutil.iter_modules(room.__path__)]
    return tuple(sorted((module.LAKE for module in modules if hasattr(module, "LAKE")), key=lambda each: each.name))


def seen(inside: Callable[[str], Collection[str]]) -> tuple[Lake, tuple[str, ...]] | None:
    """The kind of table that a folder is, with the names that show it; None where it is none. `inside`: names in a folder of that folder."""
    for lake in every_lake():
        signs = tuple(sorted(name for name in inside(lake.folder) if lake.sign(name)))
        if signs:
            return lake, signs
    return None


def needed(module: str, name: str, what: str, extra: str) -> ModuleType | Any:
    """A module of an optional package. Raises UserError that says how to install it.

    Args: the module; the log as the user named it; what is read with it; the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        attempt = f'install the extra "{extra}": pip install "stillwatch[{extra}]"'
        raise UserError(f"{what} through the package {package}, which is not installed", name, attempt) from error


def inside_of(name: str, lake: Lake, folder: str) -> UserError:
    """The error for a file or folder within a table."""
    return UserError(f"lies in a table of {lake.name}, among rows that may be deleted", name, f"name the table itself: {folder}")
