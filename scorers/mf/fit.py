"""Fits mf's parameters to preferences over one pair of models.

For one pair the win rate is sigmoid(u · e), so that the loss (cross-entropy against the preference, ties as 0.5, plus
l2/2 · ‖u‖²) is convex in u: Newton's method finds its one minimum, with nothing left to chance, and u is then written as
RouteLLM's factors. Gradient descent on the factors did worse on domains it hadn't seen (docs/decisions/0008).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_STEPS: Final = 50
_CONVERGED: Final = 1e-9


def fit_vector(embeddings: Floats, preferences: Floats, l2: float) -> Floats:
    """The minimum u (text_dim,), from embeddings (n, text_dim) and preferences (n,) of 0, 0.5 or 1."""
    u = np.zeros(embeddings.shape[1])
    ridge = l2 * np.eye(embeddings.shape[1])
    for _ in range(_STEPS):
        rates = sigmoid(embeddings @ u)
        gradient = embeddings.T @ (rates - preferences) + l2 * u
        hessian = (embeddings * (rates * (1 - rates))[:, None]).T @ embeddings + ridge
        step = np.linalg.solve(hessian, gradient)
        u -= step
        if np.abs(step).max() < _CONVERGED:
            break
    return u


def factorise(u: Floats, *, dim: int, seed: int) -> dict[str, NDArray[np.float32]]:
    """RouteLLM's tensors for two models (row 0 strong, row 1 weak) whose formula gives sigmoid(u · e).

    The models' vectors and the classifier are drawn by the seed; the projection is the smallest that yields u with them.
    """
    draw = np.random.default_rng(seed)
    models = draw.standard_normal((2, dim))
    models /= np.linalg.norm(models, axis=1, keepdims=True)
    classifier = draw.standard_normal((1, dim)) / np.sqrt(dim)
    difference = (models[0] - models[1]) * classifier[0]
    projection = np.outer(difference, u) / (difference @ difference)
    tensors = {"P.weight": models, "text_proj.0.weight": projection, "classifier.0.weight": classifier}
    return {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()}


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + e^-x), elementwise."""
    rates: Floats = 1 / (1 + np.exp(-logits))
    return rates
