"""CAP, coverage-aware perturbation ("Stealing and Defending the Ends of LLMs"), its detecting half, with the constants of arXiv 2606.05725's code.

How widely queries cover the space of their vectors: buckets of random hyperplanes that are hit, queries that hit a new one, and spread around the mean, mapped to a
cost. The definition is the one in that code (one window from empty); the constants are its defaults.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUCKETS, ALPHA, BETA, BASE = 2_048, 8.0, 0.19, 0.0005
COVERED, NEW, SPREAD = 0.05, 0.35, 0.45
"Weights of the three parts."

BOTH_SIDES = True


def planes(dimensions: int, seed: int) -> NDArray[np.float64]:
    """Normals of the hyperplanes whose sides name the bucket."""
    return np.random.default_rng(seed).normal(size=(dimensions, math.ceil(math.log2(BUCKETS))))


def buckets(vectors: NDArray[Any], normals: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bucket of each vector."""
    return np.asarray((vectors @ normals >= 0) @ (1 << np.arange(normals.shape[1])))


def score(vectors: NDArray[Any], hit: NDArray[np.int64]) -> float:
    """The cost of a window: about 0 for one repeated query, growing with coverage. `hit`: the bucket of each vector."""
    distinct = len(np.unique(hit))
    spread = math.sqrt(max(float((vectors**2).sum(axis=1).mean() - (vectors.mean(axis=0) ** 2).sum()), 0.0))
    wide = COVERED * (math.exp(min(distinct / BUCKETS / BETA * math.log(ALPHA / BASE), 700.0)) - 1)
    return BASE + wide + ALPHA * NEW * distinct / len(hit) + ALPHA * SPREAD * min(spread, 1.0)
