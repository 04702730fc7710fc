"""Marginal Mahalanobis distance (Podolskiy, Lipin, Bout, Artemova, Piontkovskaya: "Revisiting Mahalanobis distance for transformer-based out-of-domain detection", AAAI 2021).

The covariance is scikit-learn's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import EmpiricalCovariance

RIDGE = 1e-6
"Added to every variance."

BOTH_SIDES = False


def distances(benign: NDArray[Any], vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Squared distance of each vector from the benign ones' mean, in their covariance. A window's number is the mean of its texts'."""
    fitted = EmpiricalCovariance().fit(benign.astype(np.float64))
    apart = vectors.astype(np.float64) - fitted.location_
    whitened = np.linalg.solve(fitted.covariance_ + RIDGE * np.eye(benign.shape[1]), apart.T)
    return np.asarray((apart.T * whitened).sum(axis=0))
