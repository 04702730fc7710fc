"""One look at every part of a log: what its organisations do, which wordings they use again, and what might tie accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.codes import Ints
from stillwatch.features.declare import Groups, columns, every_feature
from stillwatch.linking.carriers import reused
from stillwatch.linking.declare import every_tie
from stillwatch.linking.history import ALPHABETS, exposures, reference_exposure
from stillwatch.parts import Parts
from stillwatch.records import MARKS, Context
from stillwatch.traffic import Traffic


@dataclass(frozen=True)
class Look:
    """The look at one part."""

    missing: frozenset[str]
    "Columns of the marks that the log does not carry."
    ties: tuple[str, ...]
    "Ties that are on."
    context: Context
    "Dated events that were told beside the log."

    def __call__(self, traffic: Traffic) -> dict[str, pa.Table]:
        """organisations, wordings (reuse pairs), by_owner and by_name (exposures), and the rows of every tie."""
        unit = traffic.unit[traffic.account]
        order = np.argsort(unit, kind="stable")
        features = [feature for feature in every_feature().values() if not feature.clusters_only]
        values = columns(Groups(traffic, order, unit[order], traffic.units, self.context), features, self.missing)
        table = reference_exposure(traffic)
        for name, column in values.items():
            table = table.append_column(name, pa.array(column, pa.float64()))
        org = np.unique(traffic.org, return_inverse=True)[1].astype(np.int64)
        found = {"organisations": table, "wordings": reused(traffic), "by_owner": _exposed(traffic, traffic.unit), "by_name": _exposed(traffic, org)}
        return found | {f"tie: {name}": tie.part(traffic) for name, tie in every_tie().items() if name in self.ties}


def _exposed(traffic: Traffic, group: Ints) -> pa.Table:
    calls = exposures(traffic, group, int(group.max(initial=-1)) + 1)
    return pa.table({f"calls_{alphabet}": calls[:, alphabet] for alphabet in range(ALPHABETS)})


@dataclass(frozen=True)
class Survey:
    """What a look at all parts found."""

    organisations: pa.Table
    "Exposure and features of every organisation, by name."
    wordings: pa.Table
    "Reuse pairs (wording, unit), in no order."
    by_owner: Ints
    "(units, ALPHABETS): calls with a wording in each alphabet."
    by_name: Ints
    "The same of organisations by name."
    edges: dict[str, tuple[Ints, Ints]]
    "Of every tie that is on: (account codes, keys)."


def survey(log: Parts, missing: frozenset[str], ties: Sequence[str], context: Context) -> Survey:
    """Look at every part of a log once."""
    found = log.each(Look(missing, tuple(ties), context), MARKS.names)
    by_owner, by_name = (np.stack([found[name][f"calls_{alphabet}"].to_numpy() for alphabet in range(ALPHABETS)], axis=1) for name in ("by_owner", "by_name"))
    edges = {name: every_tie()[name].joined(log.owners, found[f"tie: {name}"]) for name in ties}
    return Survey(found["organisations"].sort_by("unit"), found["wordings"], by_owner, by_name, edges)
