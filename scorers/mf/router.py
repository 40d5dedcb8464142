"""Predicts by matrix factorization."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np

from pointsman.runtime.settings import StrategySettings
from scorers.checkpoint import load_tensors, read_config, require_embedder
from scorers.embedding.embedder import Embedder, embedder_version
from scorers.embedding.options import EMBEDDER_OPTIONS, embedder_for
from scorers.hub import checkpoint_folder
from scorers.mf.config import MFConfig
from scorers.mf.model import collapsed, tensor_shapes
from scorers.mf.routellm import is_routellm, require_endpoint, routellm_config
from scorers.registry import checked_options
from scorers.router import ModelPair, NoWinRate, Router, ScoredPrompt, WinRate

SHIPPED_CHECKPOINT: Final = Path(__file__).parent / "checkpoint"


class MatrixFactorizationRouter(Router):
    """sigmoid(u · e): the checkpoint's weights, for its one pair of models, are a single vector u."""

    strategy: ClassVar[str] = "mf"

    def __init__(self, folder: Path, config: MFConfig, embedder: Embedder) -> None:
        """Loads the weights of `folder`. Raises `CheckpointRefused`, as `EmbedderMismatch` for another embedder than they need."""
        require_embedder(config, config.embedder, embedder)
        shapes = tensor_shapes(num_models=config.num_models, dim=config.dim, text_dim=config.embedder.dim)
        tensors = load_tensors(folder, config, shapes)
        self._u = collapsed(tensors, config.models[config.strong], config.models[config.weak])
        self._config = config
        self._embedder = embedder

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        """See `Router`; the options are those of `embedder_for`."""
        checked_options(cls.strategy, settings, known=EMBEDDER_OPTIONS)
        folder = checkpoint_folder(settings.checkpoint) if settings.checkpoint else SHIPPED_CHECKPOINT
        if settings.checkpoint and is_routellm(folder):
            require_endpoint(settings.options.get("embedder"))
            embedder = embedder_for(cls.strategy, "", settings)
            return cls(folder, routellm_config(folder, settings.checkpoint, embedder.sha256), embedder)
        config = read_config(folder, MFConfig)
        return cls(folder, config, embedder_for(cls.strategy, config.embedder.id, settings))

    @property
    def checkpoint(self) -> str:
        """See `Router`."""
        return self._config.version

    @property
    def embedder(self) -> str:
        """See `Router`."""
        return embedder_version(self._embedder)

    @property
    def trained_pair(self) -> ModelPair:
        """See `Router`."""
        return self._config.pair

    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        """See `Router`."""
        embeddings = self._embedder.embed([prompt.text for prompt in prompts])
        win_rates = 1 / (1 + np.exp(-(embeddings.vectors.astype(np.float64) @ self._u)))
        return [
            WinRate(float(rate), *told) if np.isfinite(rate) else NoWinRate("The model gave no number for this prompt.")
            for rate, told in zip(win_rates, embeddings.told(), strict=True)
        ]
