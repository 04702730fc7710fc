"""A log of which only what stands by some wordings is left: several looks at those few need not read the whole again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.codes import Ints
from stillwatch.engines.shelf import written
from stillwatch.owners import Owners
from stillwatch.parts import Work, looked_at, together
from stillwatch.standing import FEW, few


@dataclass(frozen=True)
class Narrow:
    """Parts of a log in files of their own, with what `few` leaves of them."""

    files: tuple[Path, ...]
    "One a part."
    owners: Owners
    "Whose the accounts are, over the whole log."
    given: Mapping[str, Any] = field(default_factory=dict)
    "Facts of the whole log that are worked out."
    workers: int = 2
    "Parts that are looked at side by side."

    def each(self, work: Work, reads: Sequence[str], sums: Sequence[str] = (), ordered: bool = True) -> dict[str, pa.Table]:
        """The work done on every part, which may read FEW and must not care for an order."""
        if ordered or not set(reads) <= set(FEW):
            raise ValueError("what was left out cannot be read")

        def one(file: Path) -> Mapping[str, pa.Table]:
            with pa.OSFile(str(file)) as source:
                marks = pa.ipc.open_file(source).read_all()
            return looked_at(work, marks, self.owners, self.given)

        with ThreadPoolExecutor(self.workers) as pool:
            return together(list(pool.map(one, self.files)))


def put_by(file: Path, marks: pa.Table, wordings: Ints) -> Path:
    """Write what is left of some calls, and where."""
    return written(file, few(marks, wordings).combine_chunks())
