"""An embedder with no weights: words hashed into a vector. For tests, and for machines without a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from scorers.embedding.embedder import Embeddings

_MAX_WORDS: Final = 4096


class HashingEmbedder:
    """Signed counts of hashed words, L2-normalised. Reads the first 4,096 words."""

    def __init__(self, *, threads: int | None = None, device: object = None, dim: int = 384) -> None:
        """`threads` and `device` are accepted for the siblings' sake."""
        self._dim = dim

    @property
    def id(self) -> str:
        """See `Embedder`."""
        return f"hashing-{self._dim}"

    @property
    def sha256(self) -> str:
        """See `Embedder`; there are no weights, so it's that of the id."""
        return hashlib.sha256(self.id.encode()).hexdigest()

    @property
    def dim(self) -> int:
        """See `Embedder`."""
        return self._dim

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Embeddings:
        """See `Embedder`."""
        vectors = np.zeros((len(texts), self._dim), dtype=np.float32)
        truncated = []
        for row, text in enumerate(texts):
            words = text.lower().split(None, _MAX_WORDS)
            truncated.append(len(words) > _MAX_WORDS)
            for word in words[:_MAX_WORDS]:
                number = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
                vectors[row, number % self._dim] += 1.0 if number >> 63 else -1.0
            if progress:
                progress(row + 1)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embeddings(vectors / np.maximum(norms, np.float32(1e-12)), truncated)
