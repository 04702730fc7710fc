"""What was asked of us and answered, and what we asked onward: one line each, appended and synced, so that a second question is known for one.

Calls are kept under the hashing key, never as their ids.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stillwatch.errors import UserError
from stillwatch.store import keys


@dataclass(frozen=True)
class Row:
    """One inquiry."""

    id: str
    "UUID of the inquiry."
    sender: str
    "Key id of who asked; empty for one that we sent on."
    when: str
    "UTC."
    answer: str
    "What was answered; empty for one that we sent on."
    found: Sequence[str]
    "Keyed hashes of our calls that it asked for."
    of: str = ""
    "Of one that we sent on: the inquiry that it came from."


def default_path() -> Path:
    """Where they are kept when no place is named: beside the hashing key."""
    return keys.default_path().parent / "inquiries.jsonl"


def read(path: Path) -> list[Row]:
    """All lines; a last one that a kill cut off is passed over. Raises: UserError where a whole line is damaged."""
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            rows.append(Row(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise UserError("cannot be read", f"{path}:{number}", "what was asked before is not known without it; restore it from a copy") from error
    return rows


def add(path: Path, rows: Iterable[Row]) -> None:
    """Append lines. What a kill left of a line before is ended first, so that it damages no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        whole = size
        if size:
            raw = os.pread(handle, size, 0)
            whole = raw.rfind(b"\n") + 1
            os.ftruncate(handle, whole)
        os.pwrite(handle, b"".join(json.dumps(asdict(row)).encode() + b"\n" for row in rows), whole)
        os.fsync(handle)
    finally:
        os.close(handle)
