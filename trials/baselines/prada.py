"""PRADA (Juuti, Szyller, Marchal, Asokan: "PRADA: protecting against DNN model stealing attacks", EuroS&P 2019), on vectors of texts.

Distances from each query to its nearest are normally distributed in benign traffic, says the paper; in an attacker's they are not. Here within one window, as
arXiv 2606.05725 adapts it (the original compares with earlier queries of the same predicted class, which text traffic has not).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import shapiro

FARTHEST = 3.0
"Standard deviations from the mean beyond which a distance is left out, as in the original."

BOTH_SIDES = True
"Both a high and a low number are suspicious in the adaptation."


def nearest(similarities: NDArray[Any]) -> NDArray[np.float64]:
    """Euclidean distance from each unit vector to its nearest, from all similarities (cosines)."""
    others = np.array(similarities)
    np.fill_diagonal(others, -np.inf)
    return np.sqrt(np.maximum(2 - 2 * others.max(axis=1).astype(np.float64), 0))


def score(distances: NDArray[np.float64]) -> float:
    """1 - W of Shapiro and Wilk: 0 when the distances are normal, towards 1 when they are far from it. Equal distances give 0."""
    mean, spread = distances.mean(), distances.std()
    kept = distances[np.abs(distances - mean) <= FARTHEST * spread]
    kept = kept if len(kept) >= 3 else distances
    return 0.0 if np.ptp(kept) < 1e-12 else float(1 - shapiro(kept).statistic)
