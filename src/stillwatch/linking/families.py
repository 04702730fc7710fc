"""Wordings that stand side by side in the same accounts' prompts are one family: one template, or one piece of it.

Formed blind to history, from this log's occurrences alone. Accounts, and the organisations that count, lie whole in one part of a log, so what the parts count adds up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.linking.carriers import again
from stillwatch.parts import Parts
from stillwatch.standing import FEW, numbers, standing_in
from stillwatch.traffic import Ints, Traffic, distinct_rows, merged

LEAST_UNITS = 4
"Fewest units that must use a wording again for it to be a candidate."

SIDE_BY_SIDE = 0.6
"Share of the accounts of the commoner of two wordings in which the two must stand side by side to be one family."

CALLS_AT_ONCE = 500_000
"Calls that are looked at together for core calls."

MARKS_OF_CORE = 3
"Wordings of a family that a call must carry to be core (half of a smaller family)."


@dataclass(frozen=True)
class Family:
    """One template piece: its wordings, and the accounts that use it again."""

    wordings: Ints
    "Its wordings, ascending."
    now: Ints
    "Units that use each wording again."
    named: Ints
    "Organisations by name that do: what the log calls one is one, but several that share a card are several."
    accounts: Ints
    "Account codes with core calls of two different prompts, ascending."


@dataclass(frozen=True)
class Candidates:
    """The wordings that enough units use again, and the family of each."""

    wordings: Ints
    "Ascending."
    label: Ints
    "Family of each, numbered by smallest wording."
    sizes: Ints
    "Wordings of each family."


@dataclass(frozen=True)
class Families:
    """The families of a log."""

    members: list[Family]
    "The largest first, then by smallest wording."
    candidates: Candidates
    "The wordings that they are made of."
    place: Ints
    "Place of each label of a candidate in that list."
    carriers: tuple[Ints, Ints]
    "(family, account code) of whoever has a core call of it, in no order."

    def carrying(self, families: Ints) -> Ints:
        """Accounts with a core call of one of some families."""
        return np.unique(self.carriers[1][np.isin(self.carriers[0], families)])

    def said(self, families: Ints) -> Ints:
        """The wordings of some families, ascending."""
        return self.candidates.wordings[np.isin(self.place[self.candidates.label], families)]


@dataclass(frozen=True)
class _Carried:
    """Of one part: accounts that carry each candidate, and organisations by name that use it again."""

    candidates: int
    "How many there are."

    def __call__(self, traffic: Traffic) -> dict[str, pa.Table]:
        call, index = numbers(traffic)
        count = self.candidates
        (carried, _), _ = distinct_rows(index, traffic.account[call])
        org = np.unique(traffic.org, return_inverse=True)[1].astype(np.int64)
        words, _ = again(traffic, org, int(org.max(initial=-1)) + 1)
        return {
            "carried": _counted(np.bincount(carried, minlength=count)),
            "named": _counted(np.bincount(words, minlength=count)),
        }


@dataclass(frozen=True)
class _Neighbours:
    """Of one part: accounts in which two candidates stand side by side, of those that so few or so many accounts carry that they might in most."""

    carriers: Ints
    "Accounts that carry each candidate."

    def __call__(self, traffic: Traffic) -> dict[str, pa.Table]:
        call, index = numbers(traffic)
        count, owner = len(self.carriers), traffic.account[call]
        left, right = index[:-1], index[1:]
        fewer, more = np.minimum(self.carriers[left], self.carriers[right]), np.maximum(self.carriers[left], self.carriers[right])
        beside = (call[1:] == call[:-1]) & (left != right) & (fewer >= SIDE_BY_SIDE * more)
        left, right = left[beside], right[beside]
        (pair, _), _ = distinct_rows(np.minimum(left, right) * np.int64(count) + np.maximum(left, right), owner[1:][beside])
        pairs, together = np.unique(pair, return_counts=True)
        return {"beside": pa.table({"key": pairs, "n": together})}


def _counted(counts: Ints) -> pa.Table:
    some = np.flatnonzero(counts)
    return pa.table({"key": some, "n": counts[some]})


def _sum(table: pa.Table, size: int) -> Ints:
    return np.bincount(table["key"].to_numpy(), weights=table["n"].to_numpy(), minlength=size).astype(np.int64)


def _groups(beside: pa.Table, carriers: Ints) -> Ints:
    """Group label of each candidate: neighbours within a call, joined where they stand together in most accounts."""
    count = len(carriers)
    edges, code = np.unique(beside["key"].to_numpy(), return_inverse=True)
    weight = np.bincount(code, weights=beside["n"].to_numpy(), minlength=len(edges))
    low, high = edges // count, edges % count
    strong = weight >= SIDE_BY_SIDE * np.maximum(carriers[low], carriers[high])
    return merged(count, low[strong], high[strong])


def core(traffic: Traffic, candidates: Candidates, labels: Ints) -> tuple[Ints, Ints]:
    """(label of the family, call) of every core call of some families, by label and call: calls with enough of a family's wordings. CALLS_AT_ONCE at a time."""
    asked = np.isin(candidates.label, labels)
    few = Candidates(candidates.wordings[asked], candidates.label[asked], candidates.sizes)
    offsets, values = traffic.wordings
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for begin in range(0, traffic.calls, CALLS_AT_ONCE):
        call, index = standing_in(offsets[begin : begin + CALLS_AT_ONCE + 1], values, few.wordings)
        family, call = _core(call, index, few)
        found.append((family, call + begin))
    family, call = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(family, kind="stable")
    return family[order], call[order]


def _core(call: Ints, index: Ints, candidates: Candidates) -> tuple[Ints, Ints]:
    (family, call), marks = distinct_rows(candidates.label[index], call)
    enough = marks >= np.minimum(MARKS_OF_CORE, (candidates.sizes[family] + 1) // 2)
    return family[enough], call[enough]


@dataclass(frozen=True)
class _Users:
    """Of one part: who has core calls of a family, and whether with two different prompts."""

    candidates: Candidates

    def __call__(self, traffic: Traffic) -> dict[str, pa.Table]:
        family, call = _core(*numbers(traffic), self.candidates)
        (family, account, _), _ = distinct_rows(family, traffic.account[call], traffic.prompt[call])
        (family, account), prompts = distinct_rows(family, account)
        return {"users": pa.table({"family": family.astype(np.int32), "account": traffic.accounts[account], "twice": prompts >= 2})}


def families(log: Parts, wordings: Ints, now: Ints) -> Families:
    """All families of a log.

    `wordings`: those that at least LEAST_UNITS units use again, ascending, and how many units do. One pass over the log, and three over what stands by these wordings.
    """
    if not len(wordings):
        return Families([], Candidates(wordings, wordings, wordings), wordings, (wordings, wordings))
    few = log.narrowed(wordings)
    found = few.each(_Carried(len(wordings)), FEW, sums=("carried", "named"), ordered=False)
    carriers = _sum(found["carried"], len(wordings))
    label = _groups(few.each(_Neighbours(carriers), FEW, sums=("beside",), ordered=False)["beside"], carriers)
    candidates = Candidates(wordings, label, np.bincount(label).astype(np.int64))
    users = few.each(_Users(candidates), FEW, ordered=False)["users"]
    every = users["family"].to_numpy().astype(np.int64), np.searchsorted(log.owners.accounts, users["account"].to_numpy()).astype(np.int64)
    twice = np.asarray(users["twice"])
    (family, account), _ = distinct_rows(every[0][twice], every[1][twice])
    limits = np.searchsorted(family, np.arange(len(candidates.sizes) + 1))
    named = _sum(found["named"], len(wordings))
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(len(candidates.sizes) + 1))
    members = []
    for group in range(len(candidates.sizes)):
        mine = order[bounds[group] : bounds[group + 1]]
        members.append(Family(wordings[mine], now[mine], named[mine], account[limits[group] : limits[group + 1]]))
    ranked = sorted(range(len(members)), key=lambda group: (-len(members[group].accounts), int(members[group].wordings[0])))
    place = np.empty(len(members), np.int64)
    place[ranked] = np.arange(len(members))
    return Families([members[group] for group in ranked], candidates, place, (place[every[0]], every[1]))
