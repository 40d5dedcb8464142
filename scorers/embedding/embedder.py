"""What turns texts into vectors, and where each one is found by the id that a checkpoint names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from scorers.errors import CheckpointRefused

if TYPE_CHECKING:
    from scorers.device import Device

EMBEDDERS: Final[Mapping[str, str]] = {
    "all-MiniLM-L6-v2": "scorers.embedding.minilm:MiniLMEmbedder",
    "all-MiniLM-L6-v2-layer-3": "scorers.embedding.minilm:MiniLMThirdLayerEmbedder",
    "hashing-384": "scorers.embedding.hashing:HashingEmbedder",
}
"""Id to `module:class`, imported when it is asked for; the class is called with `threads` and `device`."""
DEFAULT_EMBEDDER: Final = "all-MiniLM-L6-v2-layer-3"
"""What training takes where it isn't told, and what the shipped checkpoints were fitted to."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """`vectors` is float32 (n, dim), a row per text in order; `truncated` says which texts were read only in part, and
    `cached` which were remembered (empty: none)."""

    vectors: NDArray[np.float32]
    truncated: list[bool]
    cached: list[bool] = field(default_factory=list)

    def told(self) -> Iterator[tuple[bool, bool]]:
        """`truncated` and `cached` of each text."""
        return zip(self.truncated, self.cached or [False] * len(self.truncated), strict=True)


class Embedder(Protocol):
    """Deterministic: the same text gives the same vector (to float32 rounding), whatever its batch."""

    @property
    def id(self) -> str:
        """The name a checkpoint knows it by."""

    @property
    def sha256(self) -> str:
        """64 hex digits over its weights."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Embeddings:
        """The texts' vectors. `progress` hears how many texts are done so far."""


def build_embedder(embedder_id: str, *, threads: int, device: Device | None = None) -> Embedder:
    """The embedder of that id. Raises `CheckpointRefused` for one that isn't known, `EmbedderMissing` for one not installed."""
    if embedder_id not in EMBEDDERS:
        raise CheckpointRefused(
            f"No embedder is named {embedder_id!r} here; there are: {', '.join(EMBEDDERS)}. options.embedder may name a directory "
            "({path: …}) or an endpoint ({base_url: …, model: …, dim: …})."
        )
    module, _, name = EMBEDDERS[embedder_id].partition(":")
    build: Any = getattr(import_module(module), name)
    embedder: Embedder = build(threads=threads, **({"device": device} if device else {}))
    return embedder


def embedder_version(embedder: Embedder) -> str:
    """`id@sha256:12 hex digits`, as services report it."""
    return f"{embedder.id}@sha256:{embedder.sha256[:12]}"
