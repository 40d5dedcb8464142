"""The linear solution that training begins with: ridge regression of the preference on the mean of a prompt's hidden states."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FLOOR: Final = 0.1  # of a feature's spread: what hardly varies isn't blown up


def fit_direction(features: Floats, preferences: Floats, penalty: float) -> tuple[Floats, float]:
    """The weights w (dim,) and the constant c for which w · f + c predicts the preference, from features (n, dim).

    `penalty` counts in units of the standardised features' mean square.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0) + _FLOOR
    scaled = (features - mean) / spread
    gram = scaled.T @ scaled
    ridge = penalty * np.trace(gram) / len(features) * np.eye(features.shape[1])
    weights: Floats = np.linalg.solve(gram + ridge, scaled.T @ (preferences - preferences.mean())) / spread
    return weights, float(preferences.mean() - weights @ mean)
