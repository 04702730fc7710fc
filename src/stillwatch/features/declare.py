"""What a feature is: one number of a group of calls, declared once and computed for any kind of group."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.records import NO_CONTEXT, Context
from stillwatch.traffic import Ints, Traffic, distinct_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """Calls with the group that each belongs to. A call may stand in several groups, once in each."""

    traffic: Traffic
    "The log."
    calls: Ints
    "Call of each row."
    label: Ints
    "Group of each row, 0..count-1, ascending."
    count: int
    "Number of groups."
    context: Context = NO_CONTEXT
    "Dated events that a person told beside the log."
    memo: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    "What features of the same groups share, so that it is worked out once."

    def total(self, values: Any) -> Floats:
        """Sum over the rows of each group."""
        return np.asarray(np.bincount(self.label, weights=np.asarray(values, np.float64), minlength=self.count), np.float64)

    def share(self, flags: Any, of: Any = None) -> Floats:
        """Share of each group's rows (of those marked `of`) that are flagged; NaN where there is no such row."""
        of = np.ones(len(self.label), np.bool_) if of is None else of
        whole = self.total(of)
        return np.asarray(np.divide(self.total(flags & of), whole, out=np.full(self.count, np.nan), where=whole > 0), np.float64)

    def distinct(self, *columns: Ints) -> tuple[Ints, ...]:
        """Distinct rows of (label, *columns)."""
        return distinct_rows(self.label, *columns)[0]


@dataclass(frozen=True)
class Feature:
    """One number of a group."""

    name: str
    "Its column."
    unit: str
    "Unit."
    low: str
    "What the low end means."
    high: str
    "What the high end means."
    reads: tuple[str, ...]
    "Columns of the marks without which it is unknown."
    compute: Callable[[Groups], Floats]
    "Value of every group; NaN (unknown) ends at `columns`, which gives None."
    example: tuple[Sequence[dict[str, Any]], float]
    "Rows of marks, all of one group, and the value they must give."
    clusters_only: bool = False
    "True when it compares a cluster's members and means nothing for one organisation."
    needs: tuple[str, ...] = ()
    "Parts of the context (releases, bans, payments) without which it is unknown."
    given: Context = NO_CONTEXT
    "Context of the example."


def every_feature(package: str = "stillwatch.features") -> dict[str, Feature]:
    """All features of a package by name: each module under it may declare some as `FEATURES`."""
    folder = importlib.import_module(package)
    found: dict[str, Feature] = {}
    for module in pkgutil.iter_modules(folder.__path__, package + "."):
        for feature in getattr(importlib.import_module(module.name), "FEATURES", ()):
            found[feature.name] = feature
    return dict(sorted(found.items()))


def lacking(feature: Feature, context: Context) -> list[str]:
    """The parts of the context that a feature needs and that nobody told."""
    return [name for name in feature.needs if not getattr(context, name)]


def columns(groups: Groups, features: Sequence[Feature], missing: frozenset[str]) -> dict[str, list[float | None]]:
    """Every feature of every group; None where unknown. `missing`: columns that the log does not carry."""
    out: dict[str, list[float | None]] = {}
    for feature in features:
        if groups.count == 0 or missing.intersection(feature.reads) or lacking(feature, groups.context):
            out[feature.name] = [None] * groups.count
            continue
        out[feature.name] = [None if np.isnan(value) else float(value) for value in feature.compute(groups)]
    return out
