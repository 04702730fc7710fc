"""The one root error: what went wrong, where, and what to try.

A broken promise is an exception of this family; bad data is not (it is a `Rejected` record). Doors turn
a `UserError` into one line and exit code 2, any other `StillwatchError` into one line and exit code 1.
"""

from __future__ import annotations


class StillwatchError(Exception):
    """Something that Stillwatch promised cannot be done. `str(error)` is one line: what, where, what to try."""

    def __init__(self, what: str, where: str = "", attempt: str = "") -> None:
        self.what, self.where, self.attempt = what, where, attempt
        line = what if not where else f"{where}: {what}"
        super().__init__(line if not attempt else f"{line}; {attempt}")


class UserError(StillwatchError):
    """The user's mistake: a wrong path, option or file. Exit code 2."""
