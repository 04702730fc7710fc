"""What tests hand to tasks: work that fails the first time. Workers import this, so it needs nothing of pytest."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from stillwatch.engines.spark.intake import Taken
from stillwatch.intake.declare import Reject
from stillwatch.intake.read import Where
from stillwatch.parts import Work
from stillwatch.sources import Taking
from stillwatch.traffic import Traffic


def dies_once(marker: str) -> None:
    """Ends this process at once, as a kernel short of memory does, unless the marker says that it did already."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class DyingTaking(Taking):
    """Intake that dies in the middle of a file, once."""

    marker: str = ""

    def __call__(self, where: Where, reject: Reject) -> Iterator[Taken]:
        """Batches of the file."""
        for batch in super().__call__(where, reject):
            yield batch
            dies_once(self.marker)


@dataclass(frozen=True)
class DyingWork:
    """Work on a part that dies at the end, once."""

    work: Work
    marker: str

    def __call__(self, traffic: Traffic) -> Mapping[str, pa.Table]:
        """The work done."""
        found = self.work(traffic)
        dies_once(self.marker)
        return found
