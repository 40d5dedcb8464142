"""Remembers recent embeddings: agents and retries send the same prompt again and again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scorers.embedding.embedder import Embedder, Embeddings


class CachingEmbedder:
    """Another embedder with the last `capacity` texts remembered, by a hash: the texts themselves aren't kept."""

    def __init__(self, embedder: Embedder, capacity: int) -> None:
        self._embedder = embedder
        self._capacity = capacity
        self._known: OrderedDict[bytes, tuple[NDArray[np.float32], bool]] = OrderedDict()

    @property
    def id(self) -> str:
        """See `Embedder`."""
        return self._embedder.id

    @property
    def sha256(self) -> str:
        """See `Embedder`."""
        return self._embedder.sha256

    @property
    def dim(self) -> int:
        """See `Embedder`."""
        return self._embedder.dim

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Embeddings:
        """See `Embedder`; a text that comes twice in a batch is embedded once."""
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        cached = [key in self._known for key in keys]
        # Held here too: a batch may be larger than the cache.
        found = {key: self._known[key] for key in keys if key in self._known}
        if unknown:
            fresh = self._embedder.embed(list(unknown.values()), progress)
            # Copies, so that a remembered row doesn't keep its whole batch alive.
            found |= {key: (fresh.vectors[i].copy(), fresh.truncated[i]) for i, key in enumerate(unknown)}
        for key in keys:
            self._known[key] = found[key]
            self._known.move_to_end(key)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        vectors = np.array([found[key][0] for key in keys], dtype=np.float32).reshape(len(texts), self.dim)
        return Embeddings(vectors, [found[key][1] for key in keys], cached)
