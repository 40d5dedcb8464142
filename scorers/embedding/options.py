"""Which embedder a strategy gets, by its settings: the one that its checkpoint names, a directory, or an endpoint; with a cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.caching import CachingEmbedder
from scorers.embedding.embedder import Embedder, build_embedder
from scorers.errors import InvalidOptions

EMBEDDER_OPTIONS: Final = ("embedder", "embedding_cache")
_CACHE: Final = 4096  # texts; 6 MiB of 384 dimensions


def embedder_for(strategy: str, embedder_id: str, settings: StrategySettings) -> Embedder:
    """The embedder of the options `embedder` (an endpoint: base_url, model, dim, …; or a directory: path; without it the one of that id)
    and `embedding_cache` (texts remembered, 4096 unless told; 0 is none). Raises `InvalidOptions` naming the option."""
    where = f"strategies.{strategy}.options"
    capacity = settings.options.get("embedding_cache", _CACHE)
    if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 0:
        raise InvalidOptions(f"{where}.embedding_cache: a whole number from 0 is needed, not {capacity!r}.")
    embedder = _embedder(where, embedder_id, settings)
    return CachingEmbedder(embedder, capacity) if capacity else embedder


def embedder_named(name: str, *, threads: int) -> Embedder:
    """For training: the embedder of that id, or of the directory of that path. Raises `CheckpointRefused`, `EmbedderMissing`."""
    if Path(name).expanduser().is_dir():
        return _in_directory({"path": name}, threads)
    return build_embedder(name, threads=threads)


def _embedder(where: str, embedder_id: str, settings: StrategySettings) -> Embedder:
    if (named := settings.options.get("embedder")) is None:
        return build_embedder(embedder_id, threads=settings.threads)
    try:
        return _in_directory(named, settings.threads) if isinstance(named, Mapping) and "path" in named else _at_endpoint(named)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["embedder", *(str(part) for part in first["loc"])])
        raise InvalidOptions(f"{where}.{key}: {first['msg']}.") from None


def _in_directory(options: Mapping[str, Any], threads: int) -> Embedder:
    from scorers.embedding.sentence_directory import DirectoryEmbedder, DirectoryOptions

    return DirectoryEmbedder(DirectoryOptions.model_validate(options), threads=threads)


def _at_endpoint(options: Any) -> Embedder:
    from scorers.embedding.endpoint import EndpointEmbedder, EndpointOptions

    return EndpointEmbedder(EndpointOptions.model_validate(options))
