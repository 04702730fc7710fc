"""Maximum mean discrepancy (Gretton, Borgwardt, Rasch, Schölkopf, Smola: "A kernel two-sample test", JMLR 2012), with the kernel of arXiv 2606.05725.

That detector's kernel is the mean of four Gaussian ones, {.5, 1, 2, 4} times the median distance between benign texts wide. Its number is the unbiased estimate, averaged over
20 draws from the reference; ours to compare with, the same estimate against the whole of the reference.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BOTH_SIDES = False


def median(similarities: NDArray[Any]) -> float:
    """Squared median distance between different benign unit vectors, from their similarities."""
    squares = 2 - 2 * similarities[np.triu_indices(len(similarities), 1)]
    return float(np.median(squares[squares > 1e-6]))


def kernel(similarities: NDArray[Any], square: float) -> NDArray[np.float32]:
    """The mean of the four kernels, from similarities of unit vectors and the squared median distance. 1 for equal texts.

    The widest is worked out; the others are its 4th, 16th and 64th powers.
    """
    part = np.exp((np.minimum(similarities, 1) - 1) / np.float32(16 * square))
    whole = part.copy()
    for _ in range(3):
        part *= part
        part *= part
        whole += part
    whole /= 4
    return whole


def unbiased(within: float, window: int, among: float, reference: int, between: float) -> float:
    """The unbiased estimate of the squared discrepancy from three sums of kernels, diagonals included: within the window, the reference, and between the two."""
    return (within - window) / (window * (window - 1)) + (among - reference) / (reference * (reference - 1)) - 2 * between / (window * reference)
