"""RouteLLM's matrix factorization: each model a vector, each prompt its projected embedding, a linear classifier over their product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

_EPSILON: Final = 1e-12


class MFModel(torch.nn.Module):
    """The state dict has RouteLLM's keys: `P.weight`, `text_proj.0.weight` and `classifier.0.weight`, no biases.

    For an embedding e and a model i: l_i = c · (P_i / ‖P_i‖ * W e); the strong model's win rate is sigmoid(l_strong - l_weak).
    """

    def __init__(self, *, num_models: int, dim: int, text_dim: int) -> None:
        super().__init__()
        self.P = torch.nn.Embedding(num_models, dim)
        self.text_proj = torch.nn.Sequential(torch.nn.Linear(text_dim, dim, bias=False))
        self.classifier = torch.nn.Sequential(torch.nn.Linear(dim, 1, bias=False))

    def forward(self, strong: int, weak: int, embeddings: torch.Tensor) -> torch.Tensor:
        """The logit (n,) of strong's win over weak, from embeddings (n, text_dim)."""
        rows = functional.normalize(self.P.weight[[strong, weak]], dim=1, eps=_EPSILON)
        projected = self.text_proj(embeddings)
        logits = self.classifier(rows.unsqueeze(1) * projected).squeeze(-1)
        difference: torch.Tensor = logits[0] - logits[1]
        return difference


def tensor_shapes(*, num_models: int, dim: int, text_dim: int) -> dict[str, tuple[int, ...]]:
    """Every tensor of the state dict, by its key."""
    return {"P.weight": (num_models, dim), "text_proj.0.weight": (dim, text_dim), "classifier.0.weight": (1, dim)}


def collapsed(tensors: Mapping[str, NDArray[np.float32]], strong: int, weak: int) -> NDArray[np.float64]:
    """The vector u (text_dim,) with sigmoid(u · e) the strong win rate: for one pair of models the formula is linear in e."""
    rows = tensors["P.weight"][[strong, weak]].astype(np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _EPSILON)
    weights = (unit[0] - unit[1]) * tensors["classifier.0.weight"][0]
    u: NDArray[np.float64] = weights @ tensors["text_proj.0.weight"].astype(np.float64)
    return u
