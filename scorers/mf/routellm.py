"""RouteLLM's public mf checkpoints: `model.safetensors` alone, made for text-embedding-3-small.

No config tells their shape or their models; these are upstream's constants (controller and matrix_factorization/model.py at 0b64fda).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from scorers.errors import CheckpointRefused
from scorers.hub import checkpoint_name
from scorers.mf.config import MFConfig
from scorers.router import ROUTELLM_PAIR

_EMBEDDING: Final = "text-embedding-3-small"
_EMBEDDING_DIM: Final = 1536
_DIM: Final = 128
_NUM_MODELS: Final = 64
# Rows of upstream's MODEL_IDS, which has the 64 names of the arena in alphabetical order; only the scored pair's are needed.
_MODELS: Final = {ROUTELLM_PAIR.strong: 24, ROUTELLM_PAIR.weak: 36}


def is_routellm(folder: Path) -> bool:
    """Whether the folder has weights and no config of ours."""
    return (folder / "model.safetensors").is_file() and not _has_our_config(folder)


def routellm_config(folder: Path, checkpoint: str, embedder_sha256: str) -> MFConfig:
    """The config that the weights were published without; they are fitted to whatever serves text-embedding-3-small."""
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    return MFConfig(
        strategy="mf",
        name=checkpoint_name(checkpoint),
        weights_sha256=digest,
        strong=ROUTELLM_PAIR.strong,
        weak=ROUTELLM_PAIR.weak,
        data_sha256="0" * 64,
        seed=42,
        created="2024-06-15",
        embedder={"id": _EMBEDDING, "sha256": embedder_sha256, "dim": _EMBEDDING_DIM},  # type: ignore[arg-type]
        dim=_DIM,
        num_models=_NUM_MODELS,
        models=_MODELS,
    )


def require_endpoint(options: Any) -> None:
    """Raises `CheckpointRefused` unless the strategy's options name an endpoint for the embeddings."""
    if not options:
        raise CheckpointRefused(
            f"A checkpoint of RouteLLM's needs embeddings of {_EMBEDDING}: strategies.mf.options.embedder must name an endpoint, as "
            f"{{base_url: …, model: {_EMBEDDING}, dim: {_EMBEDDING_DIM}, key_env: …}}."
        )


def _has_our_config(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "strategy" in config
