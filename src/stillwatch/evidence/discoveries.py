"""False-discovery control by e-BH (Wang and Ramdas 2022), valid under every dependence between the clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def q_values(log10_e: Sequence[float], tested: float, weights: Sequence[float] | None = None) -> list[float]:
    """The smallest false-discovery rate at which each hypothesis is rejected, 0 (certain) to 1.

    Args: log10 of the e-values of the listed hypotheses; `tested`, the number of all that were tested (the unlisted
    count as e = 0); weights that sum to at most `tested`, fixed without looking at the evidence.

    >>> [round(q, 6) for q in q_values([6.0, 3.0, 0.0], 1000)]
    [0.001, 0.5, 1.0]
    """
    scored = np.array(log10_e, np.float64) + (0.0 if weights is None else np.log10(np.array(weights, np.float64)))
    order = np.argsort(-scored, kind="stable")
    exponent = math.log10(max(tested, 1.0)) - np.log10(np.arange(1, len(order) + 1)) - scored[order]
    # Whoever stands below may still be rejected, and takes those above along.
    least = np.minimum.accumulate(exponent[::-1])[::-1]
    q = np.empty(len(order))
    q[order] = np.where(least > -300, 10.0 ** np.clip(least, -300.0, 0.0), 0.0)
    return list(map(float, q))
