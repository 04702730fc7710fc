"""What `limits` measured, in a folder that is whole at every moment: work that was stopped goes on with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from stillwatch.errors import UserError
from stillwatch.store import scans

KIND, FILE, WORDS = "limits", "limits.json", "limits.txt"

ROW = (str, int, int, int, str | None, int | float)
"A planting: tradecraft, calls an account, accounts, its number, verdict, share held."


def read(folder: Path, identity: str) -> list[list[Any]]:
    """Plantings that a folder holds already; none where it is new.

    Raises: UserError where they were measured on something else: another log, history, key, unit, seed or version.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        told = orjson.loads(path.read_bytes())
        held, mine = told["identity"], told["tried"]
        if held == identity and not all(isinstance(row, list) and len(row) == len(ROW) and all(map(isinstance, row, ROW)) for row in mine):
            raise TypeError
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError("is damaged", str(path), "delete that folder yourself, or name a new one") from error
    if held != identity:
        raise UserError("holds limits of another log, history, key, unit, seed or version", str(folder), "name a new folder with --out")
    return list(mine)


def write(folder: Path, told: Mapping[str, Any], words: str | None) -> None:
    """All that is known so far, in the place of what was known before."""
    with scans.publish(folder, KIND) as staging:
        (staging / FILE).write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) if told["finished"] else orjson.dumps(told))
        if words is not None:
            (staging / WORDS).write_text(words + "\n", encoding="utf-8")
