"""The three classes' probabilities along one direction: what orders prompts is found elsewhere, what it means is found here."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scorers.bert.base import LABELS

Floats = NDArray[np.float64]
_SIGNS: Final = np.array([1.0, 0.0, -1.0])
_STEPS: Final = 100
_CONVERGED: Final = 1e-9


def fit_classes(scores: Floats, labels: NDArray[np.int64]) -> tuple[float, Floats]:
    """The scale a and the intercepts b (3,), b[1] = 0, for which softmax(a·s + b0, b1, -a·s + b2) is the likeliest.

    From scores (n,), higher for strong, and labels (n,): 0 strong wins, 1 a tie, 2 weak wins. "Strong wins" then rises with the
    score wherever a > 0, so that the order is the scores'. Newton's method, with a faint pull to 0 that keeps it finite.
    """
    design = np.zeros((len(scores), LABELS, 3))
    design[:, :, 0] = scores[:, None] * _SIGNS
    design[:, 0, 1] = design[:, 2, 2] = 1
    observed = np.take_along_axis(design, labels[:, None, None], axis=1)[:, 0].sum(axis=0)
    values = np.zeros(3)
    for _ in range(_STEPS):
        p = class_probabilities(design @ values)
        expected = np.einsum("nk,nkd->nd", p, design)
        hessian = np.einsum("nk,nkd,nke->de", p, design, design) - expected.T @ expected + 1e-3 * np.eye(3)
        step = np.linalg.solve(hessian, observed - expected.sum(axis=0) - 1e-3 * values)
        values += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < _CONVERGED:
            break
    return float(values[0]), np.array([values[1], 0.0, values[2]])


def class_probabilities(logits: Floats) -> Floats:
    """Softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
