"""The published detectors of windows (PRADA, SEAT, CAP, Mahalanobis, MMD), with an account's prompts as the window, or those of all accounts that share something.

Windows differ in size here, and so does what is ordinary: a number stands for itself only beside those of windows of about as many texts, so every number is told in
standard deviations above the mean of the 200 windows of the history nearest to it in size, or of all of its size where they are more. One half of the history's organisations is what a detector
learns from, texts of the other make those windows. Without a history the log itself takes its place, the campaign in it too.

A group's number goes to each of its accounts; an account of several groups has the largest. Not run: the whole log in hourly windows. It says that something goes on in
some hour, and would name everybody who called in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines import cap, mahalanobis, mmd, prada, seat
from baselines.accounts import Floats, Ints, Log

REFERENCE = 2_000
"Texts of the history that a detector learns from."

NEIGHBOURS = 200
"Windows of the history, nearest in size, that a window is compared with."

FEWEST = 20
"Fewest of them."

POOLED = 400
"Texts of a group, at most."

LEAST = {"PRADA": 3, "SEAT": 2, "CAP": 1, "Mahalanobis": 1, "MMD": 2}
"Texts that a window needs for its number to exist. A window with fewer has no score."

BOTH_SIDES = {"PRADA": prada.BOTH_SIDES, "SEAT": seat.BOTH_SIDES, "CAP": cap.BOTH_SIDES, "Mahalanobis": mahalanobis.BOTH_SIDES, "MMD": mmd.BOTH_SIDES}

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Fitted:
    """What the detectors have learned."""

    reference: Vectors
    similar: float
    "SEAT's similarity."
    square: float
    "MMD's squared width."
    among: float
    "Sum of its kernel over the reference."


def fit(vectors: Vectors) -> Fitted:
    """Learn from texts of a history."""
    reference = vectors[:: max(1, len(vectors) // REFERENCE)][:REFERENCE]
    alike = reference @ reference.T
    square = mmd.median(alike)
    return Fitted(reference, seat.threshold(alike), square, float(mmd.kernel(alike, square).sum(dtype=np.float64)))


@dataclass(frozen=True)
class Windows:
    """Groups of accounts with their texts."""

    members: list[Ints]
    "Accounts of each."
    rows: list[Ints]
    "Texts of each, as rows of the log's vectors."


def single(log: Log) -> Windows:
    """Every account for itself."""
    who = log.of[log.sampled]
    ends = np.searchsorted(who, np.arange(len(log.names) + 1))
    return Windows([np.array([at]) for at in range(len(log.names))], [np.arange(ends[at], ends[at + 1]) for at in range(len(log.names))])


def shared(log: Log, kind: str) -> Windows:
    """All accounts that have one object in common, two at least. `kind`: network, payment, headers or system."""
    objects = log.objects(kind).of
    has = objects >= 0
    pairs = np.unique(np.stack([objects[has], log.of[has]]), axis=1)
    of_row = objects[log.sampled]
    order = np.argsort(of_row, kind="stable")
    starts = np.flatnonzero(np.diff(pairs[0], prepend=-1))
    members, rows = [], []
    for group in np.split(np.arange(pairs.shape[1]), starts[1:]):
        if len(group) < 2:
            continue
        low, high = np.searchsorted(of_row[order], [pairs[0, group[0]], pairs[0, group[0]] + 1])
        mine = order[low:high]
        members.append(pairs[1, group])
        rows.append(mine[:: -(-len(mine) // POOLED)] if len(mine) else mine)
    return Windows(members, rows)


@dataclass(frozen=True)
class Texts:
    """A log's texts seen by fitted detectors: what is worked out once for each text."""

    fitted: Fitted
    vectors: Vectors
    hit: Ints
    far: Floats
    between: Floats


def look(log: Log, fitted: Fitted) -> Texts:
    """Buckets, distances and kernel sums of all embedded texts."""
    vectors = log.vectors
    parts = [mmd.kernel(vectors[at : at + 4_096] @ fitted.reference.T, fitted.square).sum(axis=1, dtype=np.float64) for at in range(0, len(vectors), 4_096)]
    return Texts(
        fitted,
        vectors,
        cap.buckets(vectors, cap.planes(vectors.shape[1], 0)),
        mahalanobis.distances(fitted.reference, vectors),
        np.concatenate(parts) if parts else np.zeros(0),
    )


def _prada(texts: Texts, rows: Ints, alike: Vectors) -> float:
    return prada.score(prada.nearest(alike))


def _seat(texts: Texts, rows: Ints, alike: Vectors) -> float:
    return seat.score(alike, texts.fitted.similar)


def _cap(texts: Texts, rows: Ints, alike: Vectors) -> float:
    return cap.score(texts.vectors[rows], texts.hit[rows])


def _mahalanobis(texts: Texts, rows: Ints, alike: Vectors) -> float:
    return float(texts.far[rows].mean())


def _mmd(texts: Texts, rows: Ints, alike: Vectors) -> float:
    within = float(mmd.kernel(alike, texts.fitted.square).sum(dtype=np.float64))
    return mmd.unbiased(within, len(rows), texts.fitted.among, len(texts.fitted.reference), float(texts.between[rows].sum()))


NUMBER: dict[str, Callable[[Texts, Ints, Vectors], float]] = {"PRADA": _prada, "SEAT": _seat, "CAP": _cap, "Mahalanobis": _mahalanobis, "MMD": _mmd}


def numbers(texts: Texts, windows: list[Ints], name: str) -> Floats:
    """A detector's number for each window, NaN where it has too few texts."""
    out = np.full(len(windows), np.nan)
    for at, rows in enumerate(windows):
        if len(rows) >= LEAST[name]:
            vectors = texts.vectors[rows]
            out[at] = NUMBER[name](texts, rows, vectors @ vectors.T)
    return out


def standing(values: Floats, sizes: Ints, null: Floats, null_sizes: Ints, both: bool) -> Floats:
    """How far each value stands above those of the windows nearest in size, in their standard deviations; to either side if `both`."""
    kept = np.isfinite(null)
    order = np.argsort(null_sizes[kept], kind="stable")
    null, null_sizes = null[kept][order], null_sizes[kept][order]
    out = np.full(len(values), np.nan)
    if len(null) < FEWEST:
        return out
    for size in np.unique(sizes):
        first, last = (int(np.searchsorted(null_sizes, size, side)) for side in ("left", "right"))
        low = max(0, min((first + last - NEIGHBOURS) // 2, len(null) - NEIGHBOURS))
        near = null[min(first, low) : max(last, low + NEIGHBOURS)]
        apart = (values[sizes == size] - near.mean()) / max(float(near.std()), 1e-9)
        out[sizes == size] = np.abs(apart) if both else apart
    return out


def scores(log: Log, history: Log | None, group: Callable[[Log], Windows], fitted: tuple[Texts, Texts], name: str) -> Floats:
    """A score for every account. `fitted`: the texts of the log and of the reference, as `seen` gives them."""
    past = history or log
    mine, theirs = group(log), group(past)
    learned = past.halves[past.of[past.sampled]]
    null = [rows[~learned[rows]] for rows in theirs.rows]
    sizes, null_sizes = (np.array([len(rows) for rows in each], np.int64) for each in (mine.rows, null))
    apart = standing(numbers(fitted[0], mine.rows, name), sizes, numbers(fitted[1], null, name), null_sizes, BOTH_SIDES[name])
    out = np.full(len(log.names), -np.inf)
    for members, value in zip(mine.members, apart.tolist(), strict=True):
        if np.isfinite(value):
            out[members] = np.maximum(out[members], value)
    return np.where(np.isfinite(out), out, np.nan)


def seen(log: Log, history: Log | None) -> tuple[Texts, Texts]:
    """The texts of the log and of the reference, as detectors see them that learned from one half of the reference."""
    past = history or log
    fitted = fit(past.vectors[past.halves[past.of[past.sampled]]])
    theirs = look(past, fitted)
    return (theirs if past is log else look(log, fitted)), theirs
