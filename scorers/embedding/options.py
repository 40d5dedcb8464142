"""Which embedder a strategy gets, by its settings: the one that its checkpoint names, a directory, or an endpoint; with a cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pointsman.runtime.settings import StrategySettings
from scorers.device import CPU, GRAPHS_OPTION, Device, device_of
from scorers.embedding.caching import CachingEmbedder
from scorers.embedding.embedder import Embedder, build_embedder
from scorers.errors import InvalidOptions

EMBEDDER_OPTIONS: Final = ("embedder", "embedding_cache", GRAPHS_OPTION)
_CACHE: Final = 4096  # texts; 6 MiB of 384 dimensions


def embedder_for(strategy: str, embedder_id: str, settings: StrategySettings) -> Embedder:
    """The embedder of the options `embedder` (an endpoint: base_url, model, dim, …; or a directory: path; without it the one of that id),
    `embedding_cache` (texts remembered, 4096 unless told; 0 is none) and `cuda_graphs`, on CUDA where `num_gpus` asks for it (not
    measured). Raises `InvalidOptions` naming the option."""
    where = f"strategies.{strategy}.options"
    capacity = settings.options.get("embedding_cache", _CACHE)
    if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 0:
        raise InvalidOptions(f"{where}.embedding_cache: a whole number from 0 is needed, not {capacity!r}.")
    embedder = _embedder(where, embedder_id, settings, device_of(strategy, settings))
    return CachingEmbedder(embedder, capacity) if capacity else embedder


def embedder_named(name: str, *, threads: int) -> Embedder:
    """For training: the embedder of that id, or of the directory of that path. Raises `CheckpointRefused`, `EmbedderMissing`."""
    if Path(name).expanduser().is_dir():
        return _in_directory({"path": name}, threads, CPU)
    return build_embedder(name, threads=threads)


def _embedder(where: str, embedder_id: str, settings: StrategySettings, device: Device) -> Embedder:
    if (named := settings.options.get("embedder")) is None:
        return build_embedder(embedder_id, threads=settings.threads, device=device)
    try:
        in_directory = isinstance(named, Mapping) and "path" in named
        return _in_directory(named, settings.threads, device) if in_directory else _at_endpoint(named)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["embedder", *(str(part) for part in first["loc"])])
        raise InvalidOptions(f"{where}.{key}: {first['msg']}.") from None


def _in_directory(options: Mapping[str, Any], threads: int, device: Device) -> Embedder:
    from scorers.embedding.sentence_directory import DirectoryEmbedder, DirectoryOptions

    return DirectoryEmbedder(DirectoryOptions.model_validate(options), threads=threads, device=device)


def _at_endpoint(options: Any) -> Embedder:
    from scorers.embedding.endpoint import EndpointEmbedder, EndpointOptions

    return EndpointEmbedder(EndpointOptions.model_validate(options))
