"""Packs that were taken in: a folder, one folder a pack, each envelope as it came, and how the pack stands here.

PACKS/<id>/<version>.json    the envelope, byte for byte
PACKS/<id>/state.json        version in use, who signed it, thresholds as set here, withdrawn or not
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from stillwatch.errors import UserError
from stillwatch.files import publish
from stillwatch.store import keys

STATE = 1
"Version of state.json."


@dataclass(frozen=True)
class Standing:
    """How a pack stands here."""

    id: str
    "UUID."
    version: str
    "The version in use."
    signer: str
    "Id of the key that signed it."
    since: str
    "When it was taken in, UTC."
    withdrawn: str | None = None
    "Why it no longer runs; None: it runs, in shadow."
    numbers: dict[str, float] = field(default_factory=dict)
    "Thresholds as they stand here, by name."
    set_on: dict[str, Any] = field(default_factory=dict)
    "What was measured when they were set."


def default_path() -> Path:
    """Where packs lie when no place is named: beside the hashing key."""
    return keys.default_path().parent / "packs"


def place(folder: Path, pack: str) -> Path:
    """Where a pack lies. `pack`: a UUID, which alone may become part of a path."""
    assert re.fullmatch(r"[0-9a-f-]{36}", pack), "not a pack's id"
    return folder / pack


def standing(folder: Path, pack: str) -> Standing | None:
    """How a pack stands; None where it never came in. Raises: UserError where its state cannot be read."""
    path = place(folder, pack) / "state.json"
    if not path.is_file():
        return None
    try:
        told = orjson.loads(path.read_bytes())
        if told.pop("format") != STATE:
            raise ValueError
        return Standing(**told)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("the state of a pack cannot be read", str(path), "remove the pack's folder and import the pack again") from error


def everyone(folder: Path) -> list[Standing]:
    """All packs of a folder, by id."""
    ids = sorted(each.parent.name for each in folder.glob("*/state.json") if re.fullmatch(r"[0-9a-f-]{36}", each.parent.name))
    return [stands for each in ids if (stands := standing(folder, each)) is not None]


def put(folder: Path, state: Standing, envelope: bytes | None = None) -> None:
    """Write how a pack stands; first, where it is new, its envelope: killed in between, the pack stands as it did."""
    if envelope is not None:
        with publish(place(folder, state.id) / f"{state.version}.json") as part:
            part.write_bytes(envelope)
    with publish(place(folder, state.id) / "state.json") as part:
        part.write_bytes(orjson.dumps({"format": STATE, **asdict(state)}, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def envelope(folder: Path, state: Standing) -> bytes:
    """The envelope of the version in use. Raises: UserError where it is gone."""
    path = place(folder, state.id) / f"{state.version}.json"
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError("the pack itself is gone", str(path), "import it again") from error
