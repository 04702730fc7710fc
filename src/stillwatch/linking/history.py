"""What earlier scans left: their organisations' exposure, and the wordings that each used again.

Mergeable: the union of the rows, each (wording, unit) and each unit once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from stillwatch.traffic import Ints, Traffic, distinct_rows

ALPHABETS = 3
"Alphabets in which exposure is counted apart (the lowest three bits of a wording say which)."

FULL = 30
"Calls from which an organisation counts as fully exposed; below, in proportion."


@dataclass(frozen=True)
class History:
    """Reference organisations and the wordings they carry."""

    units: Ints
    "Name of each reference unit, ascending."
    calls: Ints
    "(units, ALPHABETS): calls of each unit with a wording in that alphabet."
    wording: Ints
    "Wording of each reuse pair, ascending."
    pair_unit: Ints
    "Unit name of each reuse pair."

    @property
    def known(self) -> bool:
        """Whether there is any reference at all."""
        return len(self.units) > 0

    def before(self, wordings: Ints) -> Ints:
        """How many reference units used each wording again."""
        return np.searchsorted(self.wording, wordings, "right") - np.searchsorted(self.wording, wordings, "left")


NOTHING = History(np.zeros(0, np.int64), np.zeros((0, ALPHABETS), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
"No history."


@njit(cache=True, nogil=True)
def _alphabets(offsets: Any, values: Any) -> Any:
    """Of each call a bit for every alphabet that it has a wording in."""
    out = np.zeros(len(offsets) - 1, np.int8)
    for call in range(len(out)):
        for at in range(offsets[call], offsets[call + 1]):
            out[call] |= np.int8(1) << np.int8(values[at] & 7)
    return out


def exposures(traffic: Traffic, group: Ints, count: int) -> Ints:
    """(groups, ALPHABETS): calls with a wording in each alphabet, of groups of accounts given by the group of each account."""
    alphabets, mine = _alphabets(*traffic.wordings), group[traffic.account]
    return np.stack([np.bincount(mine[(alphabets >> alphabet) & 1 > 0], minlength=count) for alphabet in range(ALPHABETS)], axis=1)


def exposure_table(traffic: Traffic) -> pa.Table:
    """Per unit: its name and its calls with a wording in each alphabet."""
    calls = exposures(traffic, traffic.unit, traffic.units)
    return pa.table({"unit": traffic.unit_hash, **{f"calls_{alphabet}": calls[:, alphabet] for alphabet in range(ALPHABETS)}})


def reference_exposure(traffic: Traffic) -> pa.Table:
    """`exposure_table` as a later scan must weigh it, when this log is its history.

    A wording shows only where two of its calls are kept, so a log that keeps the share p shows p squared of the innocent uses while it has p of
    the calls. Weighed by its calls alone it would make old wordings look new; so each kept call counts p. Where all is kept nothing changes.
    """
    table = exposure_table(traffic)
    column = traffic.column("sampled")
    if column.null_count == traffic.calls:
        return table
    unit = traffic.unit[traffic.account]
    share = np.bincount(unit, weights=pc.fill_null(column, 1.0).to_numpy(), minlength=traffic.units) / np.bincount(unit, minlength=traffic.units)
    for at, name in enumerate(table.column_names):
        if name != "unit":
            table = table.set_column(at, name, pa.array((table[name].to_numpy() * share).astype(np.int64)))
    return table


def merge(exposures: list[pa.Table], pairs: list[pa.Table]) -> History:
    """One history from the tables of several scans, in any order.

    A unit that several know counts with the most that one of them saw: their logs may overlap, and exposure that was counted twice
    would make old wordings look new.
    """
    if not exposures:
        return NOTHING
    both = pa.concat_tables(exposures)
    units, inverse = np.unique(both["unit"].to_numpy(), return_inverse=True)
    calls = np.zeros((len(units), ALPHABETS), np.int64)
    for alphabet in range(ALPHABETS):
        np.maximum.at(calls[:, alphabet], inverse, both[f"calls_{alphabet}"].to_numpy())
    rows = pa.concat_tables(pairs)
    distinct, _ = distinct_rows(rows["wording"].to_numpy(), rows["unit"].to_numpy())
    return History(units, calls, distinct[0], distinct[1])


def share_now(now: Ints, history: History) -> list[float]:
    """Today's share of the exposure, by alphabet; 1 where the history never saw the alphabet."""
    return shares(now, history.calls)


def shares(now: Ints, earlier: Ints) -> list[float]:
    """The share of the first of two sides, each (units, ALPHABETS) calls, in the exposure of both.

    The larger of two shares counts, by organisations (fully exposed from FULL calls on) and by calls, so the more
    cautious of the two ways to count how often an innocent wording had the chance to be used.
    """
    found = []
    for alphabet in range(ALPHABETS):
        today, before = now[:, alphabet], earlier[:, alphabet]
        by_unit = np.minimum(today, FULL).sum(), np.minimum(before, FULL).sum()
        by_call = today.sum(), before.sum()
        found.append(max((t / (t + b) if b else 1.0) for t, b in (by_unit, by_call)))
    return found
