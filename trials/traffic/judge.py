"""Numbers of every detector for every window of one pair, seed and size, higher for stranger, and comparable from pair to pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from baselines import cap, mahalanobis, mmd, prada, seat
from traffic import own
from traffic.marks import Texts
from traffic.protocol import SHARES, Drawn, Places

Floats = NDArray[np.float64]

OWN, WHOLE, STATIC, PUBLISHED = "Stillwatch's marks", "MMD, whole reference", "MMD, whole reference, static vectors", "MMD, 20 draws"

DRAWS = 20
"Draws from the reference that the published score averages."


@dataclass(frozen=True)
class Pool:
    """All texts of a pair, normal ones first."""

    normal: int
    texts: Texts
    vectors: NDArray[np.float32]
    "all-MiniLM-L6-v2."
    alike: NDArray[np.float32]
    "Cosines of all pairs of them."
    near: NDArray[np.float32]
    "The kernel of all pairs."
    near_static: NDArray[np.float32]
    "The kernel of all pairs of static vectors."


def pool(normal: int, texts: Texts, vectors: NDArray[np.float32], static: NDArray[np.float32]) -> Pool:
    """What is worked out once for a pair. The kernel's width is the median over 2,000 normal texts, whatever half they are in."""
    some = np.random.default_rng(0).choice(normal, min(normal, 2_000), replace=False)

    def near(alike: NDArray[np.float32]) -> NDArray[np.float32]:
        return mmd.kernel(alike, mmd.median(alike[np.ix_(some, some)]))

    alike = vectors @ vectors.T
    return Pool(normal, texts, vectors, alike, near(alike), near(static @ static.T))


@numba.njit(cache=True)
def _among(values, window):  # type: ignore[no-untyped-def]
    """The part of a matrix of pairs that belongs to a window."""
    out = np.empty((len(window), len(window)), np.float32)
    for at in range(len(window)):
        row = values[window[at]]
        for other in range(len(window)):
            out[at, other] = row[window[other]]
    return out


@numba.njit(cache=True)
def _within(values, window):  # type: ignore[no-untyped-def]
    """Its sum."""
    total = 0.0
    for at in range(len(window)):
        row, part = values[window[at]], 0.0
        for other in range(at):
            part += row[window[other]]
        total += 2 * part + row[window[at]]
    return total


def _whole(near: NDArray[np.float32], drawn: Drawn, windows: list[Places]) -> Floats:
    """The discrepancy of each window from the whole reference; from the rest of it for a window out of the reference."""
    total = near[:, drawn.reference].sum(axis=1, dtype=np.float64)
    everything, many = total[drawn.reference].sum(), len(drawn.reference)
    out = []
    for at, window in enumerate(windows):
        size, within, between = len(window), _within(near, window), total[window].sum()
        if at < len(drawn.null):
            out.append(mmd.unbiased(within, size, everything - 2 * between + within, many - size, between - within))
        else:
            out.append(mmd.unbiased(within, size, everything, many, between))
    return np.array(out)


def _published(near: NDArray[np.float32], drawn: Drawn, windows: list[Places], size: int, rng: np.random.Generator) -> Floats:
    """The published number: null from single pairs of disjoint draws, all others the mean over 20 draws.

    Each window's 20 are chosen among the null's own draws, which spares time and changes no distribution.
    """
    draws = [rng.permutation(drawn.reference)[: 2 * size].reshape(2, size) for _ in drawn.null]
    chosen = np.zeros((len(near), 2 * len(draws)), np.float32)
    for at, both in enumerate(draws):
        chosen[both[0], 2 * at], chosen[both[1], 2 * at + 1] = 1, 1
    told = near @ chosen
    among = (told * chosen).sum(axis=0, dtype=np.float64)
    between = (told[:, ::2] * chosen[:, 1::2]).sum(axis=0, dtype=np.float64)
    null = [mmd.unbiased(among[2 * at], size, among[2 * at + 1], size, between[at]) for at in range(len(draws))]
    out = []
    for window in windows[len(drawn.null) :]:
        picked = rng.choice(2 * len(draws), DRAWS, replace=False)
        within = _within(near, window)
        out.append(mmd.unbiased(within, size, among[picked].mean(), size, told[window][:, picked].sum(dtype=np.float64) / DRAWS))
    return np.array(null + out)


def _alike(pool: Pool, drawn: Drawn, windows: list[Places]) -> dict[str, Floats]:
    some = drawn.reference[:2_000]
    similar = seat.threshold(pool.alike[np.ix_(some, some)])
    hit = cap.buckets(pool.vectors, cap.planes(pool.vectors.shape[1], 0))
    made: dict[str, list[float]] = {"PRADA": [], "SEAT": [], "CAP": []}
    for window in windows:
        alike = _among(pool.alike, window)
        made["PRADA"].append(prada.score(prada.nearest(alike)))
        made["SEAT"].append(seat.score(alike, similar))
        made["CAP"].append(cap.score(pool.vectors[window], hit[window]))
    return {name: np.array(values) for name, values in made.items()}


def _mahalanobis(pool: Pool, drawn: Drawn, windows: list[Places], rng: np.random.Generator) -> Floats:
    """Learned on seven eighths of the reference; windows out of the reference are drawn anew from the eighth that is left, as published."""
    cut = len(drawn.reference) * 7 // 8
    far = mahalanobis.distances(pool.vectors[drawn.reference[:cut]], pool.vectors)
    rest, size = drawn.reference[cut:], len(windows[0])
    null = [far[rng.choice(rest, size, replace=len(rest) < size)].mean() for _ in drawn.null]
    return np.array(null + [far[window].mean() for window in windows[len(drawn.null) :]])


BOTH_SIDES = {"PRADA": prada.BOTH_SIDES, "SEAT": seat.BOTH_SIDES, "CAP": cap.BOTH_SIDES}


def judge(pool: Pool, drawn: Drawn, seed: int, published: bool) -> dict[str, dict[str, Any]]:
    """Detector -> its numbers for windows out of the reference (`null`), held-out benign ones (`benign`) and each share (`mixed`).

    In standard deviations above the mean of `null`, either way where both sides are suspicious. `published`: with the published MMD in place of the whole reference's, and
    where both sides are suspicious the distance beyond the 5th or the 95th percentile of `null`.
    """
    windows = drawn.null + drawn.benign + [window for share in SHARES for window in drawn.mixed[share]]
    size, rng = len(windows[0]), np.random.default_rng([seed, 7])
    numbers = _alike(pool, drawn, windows)
    numbers["Mahalanobis"] = _mahalanobis(pool, drawn, windows, rng)
    if published:
        numbers[PUBLISHED] = _published(pool.near, drawn, windows, size, rng)
    else:
        numbers[WHOLE], numbers[STATIC] = _whole(pool.near, drawn, windows), _whole(pool.near_static, drawn, windows)
    return {name: _split(values, drawn, name in BOTH_SIDES, published) for name, values in numbers.items()} | ours(pool.texts, drawn, seed, published)


def ours(texts: Texts, drawn: Drawn, seed: int, published: bool) -> dict[str, dict[str, Any]]:
    """The same of our own row, and of its parts, which need no vectors."""
    windows = drawn.null + drawn.benign + [window for share in SHARES for window in drawn.mixed[share]]
    four = own.scores(texts, drawn.reference, windows, len(drawn.null), seed)
    numbers = {OWN: own.together(four, len(drawn.null))}
    if not published:
        numbers |= {f"{OWN}: {name} alone": four[:, at] for at, name in enumerate(own.NAMES)}
    return {name: _split(values, drawn, False, published) for name, values in numbers.items()}


def _split(values: Floats, drawn: Drawn, both: bool, published: bool) -> dict[str, Any]:
    inside, known = len(drawn.null), len(drawn.null) + len(drawn.benign)
    values = (values - values[:inside].mean()) / max(float(values[:inside].std()), 1e-12)
    if both:
        low, high = np.percentile(values[:inside], (5, 95)) if published else (0.0, 0.0)
        values = np.maximum(values - high, low - values)
    each = (len(values) - known) // len(SHARES)
    mixed = {str(share): values[known + at * each : known + (at + 1) * each].tolist() for at, share in enumerate(SHARES)}
    return {"null": values[:inside].tolist(), "benign": values[inside:known].tolist(), "mixed": mixed}


def told_apart(normal: list[str], attacking: list[str]) -> float:
    """AUC, text by text, of a plain classifier that was shown half of both sides: how far the corpora differ. 1/2: not at all."""
    half, other = len(normal) // 2, len(attacking) // 2
    columns = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=50_000)
    shown = columns.fit_transform(normal[:half] + attacking[:other])
    model = LogisticRegression(max_iter=300, class_weight="balanced").fit(shown, [0] * half + [1] * other)
    scores = model.decision_function(columns.transform(normal[half:] + attacking[other:]))
    return float(roc_auc_score([0] * (len(normal) - half) + [1] * (len(attacking) - other), scores))
