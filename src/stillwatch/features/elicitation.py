"""What is asked for, and whether the answers deliver it."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.traffic import Bools, Ints

REASONING, GRADING = 0b100011, 0b000100
"Bits of `asked`: reasoning written out, earlier reasoning, inline tags; grading. Of `delivered`: reasoning 0b100001."


def _bits(groups: Groups, name: str, mask: int) -> tuple[Bools, Bools]:
    column = groups.traffic.column(name)
    known = np.asarray(column.is_valid())[groups.calls]
    values: Ints = pc.fill_null(column, 0).to_numpy()[groups.calls]
    return (values & mask) != 0, known


def reasoning_asked(groups: Groups) -> Floats:
    """Share of calls that ask for reasoning to be written out."""
    asked, known = _bits(groups, "asked", REASONING)
    return groups.share(asked, known)


def reasoning_delivered(groups: Groups) -> Floats:
    """Share of the calls asking for reasoning whose answer delivers it."""
    asked, known = _bits(groups, "asked", REASONING)
    delivered, answered = _bits(groups, "delivered", 0b100001)
    return groups.share(delivered, asked & known & answered)


def grading_asked(groups: Groups) -> Floats:
    """Share of calls that ask for a grade against a rubric."""
    asked, known = _bits(groups, "asked", GRADING)
    return groups.share(asked, known)


def grading_delivered(groups: Groups) -> Floats:
    """Share of the calls asking for a grade whose answer gives one."""
    asked, known = _bits(groups, "asked", GRADING)
    delivered, answered = _bits(groups, "delivered", GRADING)
    return groups.share(delivered, asked & known & answered)


_ROWS = [{"asked": 1, "delivered": 1}, {"asked": 2, "delivered": 0}, {"asked": 4, "delivered": 4}, {"asked": 0, "delivered": 0}]

FEATURES = (
    Feature("reasoning_asked", "share of calls", "never", "every call asks for written-out reasoning", ("asked",), reasoning_asked, (_ROWS, 0.5)),
    Feature(
        "reasoning_delivered", "share of asking calls", "refused or ignored", "every answer reasons at length", ("asked", "delivered"), reasoning_delivered, (_ROWS, 0.5)
    ),
    Feature("grading_asked", "share of calls", "never", "every call asks for a grade", ("asked",), grading_asked, (_ROWS, 0.25)),
    Feature(
        "grading_delivered", "share of asking calls", "refused or ignored", "every answer gives a grade", ("asked", "delivered"), grading_delivered, (_ROWS, 1.0)
    ),
)  # fmt: skip
