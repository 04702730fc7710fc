"""What a kind of place is: the schemes by which it is named, and how what lies there is found.

Every file of this package holds one member under the name `PLACE`; the scheme of a LOG chooses it (`s3://...`), and what has none is a path.
A place gives files, which are read in any format, or rows, which need none. Who may read there is settled where that place's own programs
settle it: in the environment and in their files, never in the name of a log, which stands in results.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from stillwatch.errors import UserError, nearest
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SECRET = re.compile(r"[?&;#](?:[\w.-]*(?:password|passwd|pwd|secret|token|credential|private)[\w.-]*|sig|api_?key|access_?key(?:_id)?)=", re.IGNORECASE)
"Words of a URL behind which a secret stands."


@dataclass(frozen=True, slots=True)
class Place:
    """One kind of place."""

    name: str
    "As people call it."
    page: str
    "One paragraph of the manual: how it is named, who says what may be read, what is read and what not."
    schemes: tuple[str, ...]
    "What stands before `://`; none for the paths of this machine."
    example: str
    "A LOG there."
    find: Callable[[str], list[Source | Rows]]
    "What a LOG there names, in any order. Raises UserError when that is nothing, or the place cannot be reached."


def every_place(package: str = "stillwatch.intake.places") -> tuple[Place, ...]:
    """Every kind of place; that of paths first."""
    room = importlib.import_module(package)
    modules = [importlib.import_module(f"{package}.{each.name}") for each in pkgutil.iter_modules(room.__path__)]
    return tuple(sorted((module.PLACE for module in modules if hasattr(module, "PLACE")), key=lambda each: (bool(each.schemes), each.name)))


def scheme(name: str) -> str:
    """What stands before `://` in a LOG, in small letters; empty for a path.

    >>> scheme("S3://bucket/logs"), scheme("logs/a.jsonl")
    ('s3', '')
    """
    found = _SCHEME.match(name)
    return found[1].lower() if found else ""


def place_of(name: str) -> Place:
    """The kind of place that a LOG names. Raises UserError for a scheme that is none, and for a name in which a secret stands."""
    given = scheme(name)
    known = {each: place for place in every_place() for each in place.schemes or ("",)}
    if given:
        _no_secret(name)
    if given not in known:
        near = nearest(given, [each for each in known if each])
        raise UserError(
            f"no kind of place: {given}://", name, f"did you mean {near}://?" if near else f"give a path, or one of {', '.join(sorted(filter(None, known)))}"
        )
    return known[given]


def _no_secret(name: str) -> None:
    """The name of a log stands in results and in the list of processes: a password has no place in it, and none in the error either."""
    user, colon, _ = urlsplit(name).netloc.rpartition("@")[0].partition(":")
    found = _SECRET.search(name)
    if colon or found:
        bare = name[: found.start()] if found else name
        head, _, rest = bare.partition("://")
        host, slash, path = rest.partition("/")
        bare = f"{head}://{user + '@' if colon else ''}{host.rpartition('@')[2]}{slash}{path}" if colon else bare
        raise UserError(
            "a secret stands in the name of the log", bare, "leave it out, and put it where the manual says (environment or the driver's own files)"
        )
