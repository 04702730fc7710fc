"""What stands in a template's slots: the terms of each core call without those of the template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.codes import stands_in
from stillwatch.features import kernels
from stillwatch.features.declare import Floats
from stillwatch.traffic import Bools, Ints, Traffic, codes

IN_TEMPLATE = 0.2
"Share of the units in whose core calls a term stands from which it belongs to the template."

MOST_CALLS = 16
"Core calls of an account that are looked at, chosen by hash of the prompt; as many of its other calls."

EXPLAINED = 0.8
"Share of a term's core calls that carry one and the same wording of the template from which the term is that wording's."

OFTEN = 0.2
"Share of that wording's calls in which the term must stand; a sample of terms is kept of long prompts, so not in most."

AGAIN_UNITS = 2
"Units that must use a wording again in other prompts for it to be a template's."

JOB_TERMS = 4
"Slot terms of a call by which its job is told from others."

PAUSE = 30 * 60 * 1_000_000
"Calls of an account without a session id are one conversation until it pauses this long."


@dataclass(frozen=True)
class Slots:
    """Slot terms of sampled calls of a group's accounts."""

    call: Ints
    "The call of each row."
    core: np.ndarray[tuple[int], np.dtype[np.bool_]]
    "Whether it is a core call of the group."
    starts: Ints
    "Where each row's slot terms begin, and the last one's end."
    terms: Ints
    "Slot terms of the rows, one after the other: numbers below `count`."
    weights: Floats
    "Weight of each by its rarity; those of a row have length 1."
    count: int
    "How many terms there are."
    size: Ints
    "Terms of each row that are not common to the members, whether or not a wording explains them."
    smallest: list[tuple[int, ...]]
    "The JOB_TERMS smallest slot terms of each row: equal for equal slots in whatever wrapper."


def conversations(traffic: Traffic) -> Ints:
    """A label for each call's conversation: the session where known, else calls without a long pause."""
    found: Ints = traffic.once(_conversations)
    return found


def _conversations(traffic: Traffic) -> Ints:
    session = traffic.column("session")
    known = np.asarray(session.is_valid())
    account = traffic.account
    if not traffic.calls:
        return np.zeros(0, np.int64)
    gap = np.ones(traffic.calls, np.bool_)
    gap[1:] = (account[1:] != account[:-1]) | (traffic.ts[1:] - traffic.ts[:-1] > PAUSE)
    run = np.cumsum(gap)
    # A run has numbers above those of all sessions, so that the two are told apart.
    code, values = codes(session)
    label = np.where(known, code, run + len(values))
    return np.asarray(np.unique(account * (int(run[-1]) + len(values) + 1) + label, return_inverse=True)[1], np.int64)


def _names(traffic: Traffic) -> Ints:
    return np.asarray(traffic.column("call").to_numpy(), np.int64)


def _sample(traffic: Traffic, calls: Ints) -> Ints:
    """At most MOST_CALLS of each account's calls (ascending), those with the smallest prompt hashes.

    Chosen by what is asked, not by the call: two accounts that work through one list keep the same prompts.
    """
    return np.sort(calls[kernels.smallest(traffic.account[calls], traffic.prompt[calls], traffic.once(_names)[calls], MOST_CALLS)])


def _listed(offsets: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """(row, position in the values) of every entry of the rows' lists."""
    counts = offsets[rows + 1] - offsets[rows]
    at = np.repeat(np.arange(len(rows)), counts)
    return at, np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(offsets[rows], counts)


def _explained(traffic: Traffic, core: Ints, rows: Ints, said: kernels.Said) -> Bools:
    """Terms that stand where one of the template's wordings stands: a campaign of many wordings uses each in few calls. `said`: the terms of the core calls among the rows.

    A wording is the template's when several units use it again in other prompts, so the question of a public list, which
    each asks once, explains nothing.
    """
    offsets, values = traffic.wordings
    row, position = _listed(offsets, rows)
    wordings, place = kernels.coded(values[position])
    unit = traffic.unit[traffic.account[core]]
    by_unit = np.argsort(unit, kind="stable")
    again = kernels.users_again(core[by_unit], unit[by_unit], offsets, values, traffic.prompt, wordings) >= AGAIN_UNITS
    real = again[place]
    carrying = np.bincount(place[real], minlength=len(wordings))
    ends = np.cumsum(np.bincount(row[real], minlength=len(rows)))
    # Both ways: where the term stands the wording stands, and where the wording stands the term often does.
    return np.asarray(kernels.goes_with(said, said.units >= AGAIN_UNITS, ends, place[real], carrying, EXPLAINED, OFTEN))


def slots(traffic: Traffic, core: Ints, accounts: Ints) -> Slots:
    """Slot terms of a sample of the accounts' core calls (ascending) and of their other calls."""
    mine = _listed(traffic.starts, accounts)[1]
    is_core = stands_in(mine, core)
    inside, outside = _sample(traffic, mine[is_core]), _sample(traffic, mine[~is_core])
    rows, in_core = np.concatenate([inside, outside]), np.repeat([True, False], [len(inside), len(outside)])
    offsets, values = traffic.terms
    at, position = _listed(offsets, rows)
    terms, column = kernels.coded(values[position])
    unit = traffic.unit[traffic.account[inside]]
    said = kernels.said(np.cumsum(np.bincount(at, minlength=len(rows)))[: len(inside)], column, unit, len(terms))
    spread = said.units / max(1, len(np.unique(unit)))
    # Not "in most calls": where each unit has a business of its own, only what all units say is the template's.
    calls_with = np.diff(said.begins) / max(1, len(inside))
    template = (spread >= IN_TEMPLATE) & (calls_with >= IN_TEMPLATE / 2)
    size = np.bincount(at[~template[column]], minlength=len(rows)).astype(np.int64)
    template |= _explained(traffic, core, rows, said)
    keep = ~template[column]
    at, column = at[keep], column[keep]
    rarity = np.log1p(len(rows) / np.maximum(1, np.bincount(column, minlength=len(terms))))
    weights = rarity[column]
    length = np.sqrt(np.bincount(at, weights=weights**2, minlength=len(rows)))
    starts = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=len(rows)))]).astype(np.int64)
    few, many = kernels.first(starts, terms[column], JOB_TERMS)
    return Slots(
        rows,
        in_core,
        starts,
        column,
        weights / length[at],
        len(terms),
        size,
        [tuple(row[:known]) for row, known in zip(few.tolist(), many.tolist(), strict=True)],
    )
