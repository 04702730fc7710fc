"""Whether a group works through ever new jobs: how often one comes back, and how fast new words arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import pack, thinned
from stillwatch.traffic import Ints

LEAST_CALLS, MOST_CALLS = 64, 256
"Calls from which growth can be told, and calls that are looked at, evenly spaced in time: growth depends on how many there are."

SMALLEST = 16
"Smallest terms of a prompt that are looked at: the same sample of every prompt."

IN_TEMPLATE = 0.2
"Share of the group's calls in which a term stands from which it belongs to the wording and not to the job."

LEAST_TERMS = 2
"Terms that a job needs besides the wording to be told from another."


@dataclass(frozen=True)
class Jobs:
    """Terms of a sample of each group's calls in the order of time, without those of the wording."""

    group: Ints
    "Group of each sampled call."
    turn: Ints
    "Its place in the group's order of time, from 0."
    call: Ints
    "Sampled call of each term, an index into the two above."
    term: Ints
    "The term, as a code."
    smallest: Ints
    "The term itself, a keyed hash."


def _sampled(groups: Groups) -> tuple[Ints, Ints]:
    """Rows of at most MOST_CALLS of each group's calls, evenly spaced in time, and the place of each; none of groups below LEAST_CALLS."""
    lengths = pc.fill_null(pc.list_value_length(groups.traffic.column("terms")), 0).to_numpy()[groups.calls]
    rows = np.flatnonzero(lengths > 0)
    traffic = groups.traffic
    name = traffic.column("call").to_numpy()[groups.calls[rows]]
    rows = rows[np.lexsort((name, traffic.ts[groups.calls[rows]], groups.label[rows]))]
    size = np.bincount(groups.label[rows], minlength=groups.count)
    place = np.arange(len(rows)) - (np.cumsum(size) - size)[groups.label[rows]]
    n = size[groups.label[rows]]
    m = np.minimum(n, MOST_CALLS)
    # Of n calls the ones at floor(j * n / m): the place is the first of its j exactly where this number goes up.
    turn = (place * m + n - 1) // n
    keep = (turn * n // m == place) & (turn < m) & (n >= LEAST_CALLS)
    return rows[keep], turn[keep]


def jobs(groups: Groups) -> Jobs:
    """The groups' jobs, worked out once for both features."""
    if "jobs" not in groups.memo:
        rows, turn = _sampled(groups)
        offsets, values = groups.traffic.terms
        calls = groups.calls[rows]
        counts = np.minimum(offsets[calls + 1] - offsets[calls], SMALLEST)
        call = np.repeat(np.arange(len(rows)), counts)
        at = np.arange(len(call)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(offsets[calls], counts)
        term = pa.array(values[at]).dictionary_encode().indices.to_numpy().astype(np.int64)
        group = groups.label[rows]
        size = np.bincount(group, minlength=groups.count)
        _, cell, spread = np.unique(pack(group[call], term), return_inverse=True, return_counts=True)
        own = spread[cell] < IN_TEMPLATE * size[group[call]]
        groups.memo["jobs"] = Jobs(group, turn, call[own], term[own], values[at][own])
    found: Jobs = groups.memo["jobs"]
    return found


def job_repeats(groups: Groups) -> Floats:
    """Share of a group's calls whose job was there before: the same smallest terms, whatever the wording around them."""
    found = jobs(groups)
    # A sum of scrambled terms: equal for equal sets of terms, by chance once in 2**64.
    scrambled = found.smallest.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    scrambled = (scrambled ^ (scrambled >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    scrambled ^= scrambled >> np.uint64(32)
    job = np.zeros(len(found.group), np.uint64)
    np.add.at(job, found.call, scrambled)
    some = np.bincount(found.call, minlength=len(found.group)) >= LEAST_TERMS
    group = found.group[some]
    different = np.bincount(group[np.unique(pack(group, np.unique(job[some], return_inverse=True)[1]), return_index=True)[1]], minlength=groups.count)
    whole = np.bincount(group, minlength=groups.count)
    share = np.divide(whole - different, whole, out=np.full(groups.count, np.nan), where=whole >= LEAST_CALLS // 2)
    return np.where(thinned(groups), np.nan, share)


def new_words(groups: Groups) -> Floats:
    """Heaps' exponent of a group's words: how their number grows with that of its calls, from a quarter of them to all.

    V(n) ~ n ** b (Heaps: "Information Retrieval", 1978), over the words outside the wording. 1: each call brings as many new words as
    the first; 0: no new ones come. One business keeps to its words, so it lies well below a syllabus that is swept.
    """
    found = jobs(groups)
    size = np.bincount(found.group, minlength=groups.count)
    group, turn = found.group[found.call], found.turn[found.call]
    order = np.lexsort((turn, pack(group, found.term)))
    _, first = np.unique(pack(group, found.term)[order], return_index=True)
    first = order[first]
    early = turn[first] < size[group[first]] / 4
    whole = np.bincount(group[first], minlength=groups.count)
    quarter = np.bincount(group[first], weights=early, minlength=groups.count)
    known = (quarter > 0) & (size >= LEAST_CALLS) & ~thinned(groups)
    exponent = np.log(np.divide(whole, quarter, out=np.ones(groups.count), where=known)) / np.log(4.0)
    return np.where(known, exponent, np.nan)


def _rows() -> list[dict[str, object]]:
    """64 calls in one wording; each asks something new, but the last 16 ask again what the first 16 asked."""
    return [{"ts": i, "terms": [1, 2, *(100 + 10 * (i % 48) + j for j in range(4))]} for i in range(64)]


FEATURES = (
    Feature(
        "job_repeats", "share of calls", "hardly ever the same job twice", "the same jobs again and again", ("terms",), job_repeats, (_rows(), 0.25)
    ),
    Feature(
        "new_words", "Heaps' exponent", "one business with its own words", "new jobs keep arriving at a steady rate", ("terms",), new_words, (_rows(), 0.792481)
    ),
)  # fmt: skip
