"""Wordings that stand side by side in the same accounts' prompts are one family: one template, or one piece of it.

Formed blind to history, from this log's occurrences alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.linking.carriers import Carriers
from stillwatch.traffic import Ints, Traffic, distinct_rows, merged

LEAST_UNITS = 4
"Fewest units that must use a wording again for it to be a candidate."

SIDE_BY_SIDE = 0.6
"Share of the accounts of the commoner of two wordings in which the two must stand side by side to be one family."

MARKS_OF_CORE = 3
"Wordings of a family that a call must carry to be core (half of a smaller family)."


@dataclass(frozen=True)
class Family:
    """One template piece: its wordings, the calls that carry it, the accounts that use it again."""

    wordings: Ints
    "Its wordings, ascending."
    now: Ints
    "Units that use each wording again."
    calls: Ints
    "Core calls, ascending: those that carry enough of it."
    accounts: Ints
    "Account codes with core calls of two different prompts, ascending."


@dataclass(frozen=True)
class Families:
    """The families of a log."""

    members: list[Family]
    "Ordered by size of the carrier set, then smallest wording."
    candidates: int
    "Candidate wordings that were grouped."


def _groups(call: Ints, index: Ints, account: Ints, count: int) -> Ints:
    """Group label of each candidate: neighbours within a call, joined where they stand together in most accounts."""
    owner = account[call]
    pairs = np.unique(index * np.int64(len(account) + 1) + owner)
    carriers = np.bincount(pairs // np.int64(len(account) + 1), minlength=count)
    beside = call[1:] == call[:-1]
    left, right = index[:-1][beside], index[1:][beside]
    low, high = np.minimum(left, right), np.maximum(left, right)
    key = low * np.int64(count) + high
    edges, code = np.unique(key, return_inverse=True)
    together = np.unique(code.astype(np.int64) * np.int64(len(account) + 1) + owner[1:][beside])
    weight = np.bincount(together // np.int64(len(account) + 1), minlength=len(edges))
    low, high = edges // count, edges % count
    strong = (low != high) & (weight >= SIDE_BY_SIDE * np.maximum(carriers[low], carriers[high]))
    return merged(count, low[strong], high[strong])


def families(traffic: Traffic, found: Carriers) -> Families:
    """All families whose wordings at least LEAST_UNITS units use again."""
    wordings, counts = np.unique(found.pair_wording, return_counts=True)
    wordings, counts = wordings[counts >= LEAST_UNITS], counts[counts >= LEAST_UNITS]
    if not len(wordings):
        return Families([], 0)
    index = np.searchsorted(wordings, found.wording)
    index[index == len(wordings)] = 0
    candidate = wordings[index] == found.wording
    call, index = found.call[candidate], index[candidate].astype(np.int64)
    label = _groups(call, index, traffic.account, len(wordings))
    sizes = np.bincount(label)
    # Core calls of each family: calls with enough of its wordings.
    key, marks = np.unique(label[index] * np.int64(traffic.calls) + call, return_counts=True)
    family, call = key // traffic.calls, key % traffic.calls
    enough = marks >= np.minimum(MARKS_OF_CORE, (sizes[family] + 1) // 2)
    family, call = family[enough], call[enough]
    limits = np.searchsorted(family, np.arange(len(sizes) + 1))
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(len(sizes) + 1))
    members = []
    for group in range(len(sizes)):
        core = call[limits[group] : limits[group + 1]]
        mine = order[bounds[group] : bounds[group + 1]]
        pairs, _ = distinct_rows(traffic.account[core], traffic.prompt[core])
        who, prompts = np.unique(pairs[0], return_counts=True)
        members.append(Family(wordings[mine], counts[mine], core, who[prompts >= 2]))
    members.sort(key=lambda each: (-len(each.accounts), int(each.wordings[0])))
    return Families(members, len(wordings))
