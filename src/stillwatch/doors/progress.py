"""Progress of long work: one line on a terminal, rewritten; nothing in a pipe."""

from __future__ import annotations

import sys
import time

EVERY = 0.2
"Seconds between two drawings."


class Progress:
    """Call it with the step's name and a count; it draws at most a few times a second."""

    def __init__(self, quiet: bool = False) -> None:
        self._shown = sys.stderr is not None and sys.stderr.isatty() and not quiet
        self._last = 0.0
        self._step = ""

    def __call__(self, step: str, count: int) -> None:
        """Draw the step, with the count where there is one."""
        now = time.monotonic()
        if not self._shown or (step == self._step and now - self._last < EVERY):
            return
        self._last, self._step = now, step
        sys.stderr.write(f"\r\x1b[K{step}" + (f" {count:,}" if count else "") + " ...")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave a clean line."""
        if self._shown and self._step:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
