"""Writes the direction that orders prompts (`scorers.offline.logistic`) as RouteLLM's factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
