"""SEAT (Zhang, Chen, Wen: "SEAT: similarity encoder by adversarial training for detecting model extraction attack queries", AISec 2021), on vectors of texts.

An attacker's account holds many pairs of near-equal queries. The number is the share of pairs at least as similar as all but 1 % of benign pairs, the adaptation of
arXiv 2606.05725; the original trains an encoder of images for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILE = 99.0
"Percentile of benign pairs' similarities from which a pair is similar."

BOTH_SIDES = True


def threshold(similarities: NDArray[Any]) -> float:
    """The similarity from which a pair is similar, from all similarities of benign texts."""
    return float(np.percentile(similarities[np.triu_indices(len(similarities), 1)], PERCENTILE))


def score(similarities: NDArray[Any], similar: float) -> float:
    """Share of the window's pairs that are similar, 0 to 1."""
    count = len(similarities)
    alike = int(np.count_nonzero(similarities >= similar)) - int(np.count_nonzero(np.diagonal(similarities) >= similar))
    return alike / (count * (count - 1))
