"""The one root error: what went wrong, where, and what to try.

A broken promise is an exception of this family; bad data is not (it is a `Rejected` record). Doors turn
a `UserError` into one line and exit code 2, any other `StillwatchError` into one line and exit code 1.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection
from typing import Any


class StillwatchError(Exception):
    """Something that Stillwatch promised cannot be done. `str(error)` is one line: what, where, what to try."""

    def __init__(self, what: str, where: str = "", attempt: str = "") -> None:
        self.what, self.where, self.attempt = what, where, attempt
        line = what if not where else f"{where}: {what}"
        # A name that somebody wrote into a file or a command may break the line.
        super().__init__(" ".join((line if not attempt else f"{line}; {attempt}").splitlines()))


class UserError(StillwatchError):
    """The user's mistake: a wrong path, option or file. Exit code 2."""


def spot(text: str, word: str, first: int = 1) -> tuple[int, int] | None:
    """Line and column, from 1, of a word in a file that a person wrote, comments left out; None where it does not stand from line `first` on.

    >>> spot("a = 1\\nab = 2  # b", "ab"), spot("a = 1  # b", "b")
    ((2, 1), None)
    """
    for number, line in enumerate(text.splitlines(), 1):
        found = re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", line.split("#")[0]) if number >= first else None
        if found:
            return number, found.start() + 1
    return None


def toml(text: str) -> dict[str, Any]:
    """What a file that a person wrote says. Raises: ValueError, for numbers of thousands of digits and brackets inside thousands of brackets as well."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        raise ValueError(str(error).split(";")[0]) from error  # the rest is advice to programmers
    except RecursionError as error:
        raise ValueError("brackets inside brackets without end") from error


def nearest(word: str, among: Collection[str]) -> str | None:
    """The known word that somebody who wrote `word` may have meant; None when none is near.

    >>> nearest("Modle", ["model", "at"]), nearest("xyz", ["model", "at"])
    ('model', None)
    """
    lowered = {each.lower(): each for each in among}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None
