"""False-discovery control by e-BH (Wang and Ramdas 2022), valid under every dependence between the clusters."""

from __future__ import annotations

import math


def q_values(log10_e: list[float], tested: float, weights: list[float] | None = None) -> list[float]:
    """The smallest false-discovery rate at which each hypothesis is rejected, 0 (certain) to 1.

    Args: log10 of the e-values of the listed hypotheses; `tested`, the number of all that were tested (the unlisted
    count as e = 0); weights that sum to at most `tested`, fixed without looking at the evidence.

    >>> [round(q, 6) for q in q_values([6.0, 3.0, 0.0], 1000)]
    [0.001, 0.5, 1.0]
    """
    if weights is None:
        weights = [1.0] * len(log10_e)
    scored = [value + math.log10(weight) for value, weight in zip(log10_e, weights, strict=True)]
    order = sorted(range(len(scored)), key=lambda i: -scored[i])
    q, best = [1.0] * len(scored), 1.0
    for rank in range(len(order), 0, -1):
        i = order[rank - 1]
        exponent = math.log10(max(tested, 1.0)) - math.log10(rank) - scored[i]
        best = min(best, 10.0 ** min(exponent, 0.0) if exponent > -300 else 0.0)
        q[i] = best
    return q
