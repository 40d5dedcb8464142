"""Checkpoints for tests, and an embedder that gives what it's told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorers.checkpoint import write_checkpoint
from scorers.embedding.embedder import Embedder, Embeddings
from scorers.embedding.hashing import HashingEmbedder
from scorers.mf.config import MFConfig


class SyntheticEmbedder:
    """A fixed random vector per text, not normalised; stands for an embedding API that isn't here."""

    id = "synthetic"
    sha256 = "5" * 64

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Embeddings:
        rows = [self.vector(text) for text in texts]
        return Embeddings(np.array(rows, dtype=np.float32).reshape(len(texts), self.dim), [False] * len(texts))

    def vector(self, text: str) -> NDArray[np.float32]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        return np.random.default_rng(seed).standard_normal(self.dim).astype(np.float32) / np.float32(np.sqrt(self.dim))


def random_tensors(*, num_models: int, dim: int, text_dim: int, seed: int = 3) -> dict[str, NDArray[np.float32]]:
    """RouteLLM's public keys, filled with draws."""
    draw = np.random.default_rng(seed)
    shapes = {"P.weight": (num_models, dim), "text_proj.0.weight": (dim, text_dim), "classifier.0.weight": (1, dim)}
    return {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def written(
    folder: Path, tensors: Mapping[str, NDArray[np.float32]] | None = None, embedder: Embedder | None = None, **changes: Any
) -> MFConfig:
    """A checkpoint of mf on disk: two models over the hashing embedder, unless told otherwise."""
    embedder = embedder or HashingEmbedder()
    tensors = random_tensors(num_models=2, dim=8, text_dim=embedder.dim) if tensors is None else tensors
    config = {
        "strategy": "mf",
        "name": "tested",
        "embedder": {"id": embedder.id, "sha256": embedder.sha256, "dim": embedder.dim},
        "dim": tensors["P.weight"].shape[1] if "P.weight" in tensors else 8,
        "num_models": 2,
        "models": {"big": 0, "small": 1},
        "strong": "big",
        "weak": "small",
        "data_sha256": "0" * 64,
        "seed": 0,
        "created": "2026-11-22",
        **changes,
    }
    return write_checkpoint(folder, MFConfig, config, tensors, {}, "# tested\n")
