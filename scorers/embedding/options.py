"""Which embedder a strategy gets, by its settings: the one that its checkpoint names, or an endpoint; with a cache."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.caching import CachingEmbedder
from scorers.embedding.embedder import Embedder, build_embedder
from scorers.errors import InvalidOptions

EMBEDDER_OPTIONS: Final = ("embedder", "embedding_cache")
_CACHE: Final = 4096  # texts; 6 MiB of 384 dimensions


def embedder_for(strategy: str, embedder_id: str, settings: StrategySettings) -> Embedder:
    """The embedder of the options `embedder` (an endpoint: base_url, model, dim, …; without it the local one of that id) and
    `embedding_cache` (texts remembered, 4096 unless told; 0 is none). Raises `InvalidOptions` naming the option."""
    where = f"strategies.{strategy}.options"
    capacity = settings.options.get("embedding_cache", _CACHE)
    if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 0:
        raise InvalidOptions(f"{where}.embedding_cache: a whole number from 0 is needed, not {capacity!r}.")
    embedder = _embedder(where, embedder_id, settings)
    return CachingEmbedder(embedder, capacity) if capacity else embedder


def _embedder(where: str, embedder_id: str, settings: StrategySettings) -> Embedder:
    if (endpoint := settings.options.get("embedder")) is None:
        return build_embedder(embedder_id, threads=settings.threads)
    from scorers.embedding.endpoint import EndpointEmbedder, EndpointOptions

    try:
        return EndpointEmbedder(EndpointOptions.model_validate(endpoint))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["embedder", *(str(part) for part in first["loc"])])
        raise InvalidOptions(f"{where}.{key}: {first['msg']}.") from None
