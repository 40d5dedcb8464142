"""Predicts by similarity-weighted ranking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from pydantic import ValidationError

from pointsman.runtime.settings import StrategySettings
from scorers.checkpoint import read_config, require_embedder
from scorers.embedding.embedder import Embedder, embedder_version
from scorers.embedding.options import EMBEDDER_OPTIONS, embedder_for
from scorers.errors import InvalidOptions
from scorers.hub import checkpoint_folder
from scorers.registry import checked_options
from scorers.router import ModelPair, NoWinRate, Router, ScoredPrompt, WinRate
from scorers.sw_ranking.config import SWConfig, SWOptions
from scorers.sw_ranking.model import SimilarityWeightedRanking, Weighing
from scorers.sw_ranking.table import load_table

SHIPPED_CHECKPOINT: Final = Path(__file__).parent / "checkpoint"


class SimilarityWeightedRouter(Router):
    """Ratings from recorded battles, in which those on prompts like this one count more."""

    strategy: ClassVar[str] = "sw_ranking"

    def __init__(self, folder: Path, config: SWConfig, embedder: Embedder, options: SWOptions | None = None) -> None:
        """Maps the table of `folder`. Raises `CheckpointRefused`, as `EmbedderMismatch` for another embedder than it needs."""
        options = options or SWOptions()
        require_embedder(config, config.embedder, embedder)
        self._ranking = SimilarityWeightedRanking(
            load_table(folder, config),
            strong=config.models[config.strong],
            weak=config.models[config.weak],
            solver=options.solver,
            weighing=Weighing(options.weight_base or config.weight_base, options.similarity or config.similarity),
            groups=options.rating_groups,
        )
        self._config = config
        self._embedder = embedder

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        """See `Router`; the options are those of `SWOptions` and of `embedder_for`."""
        checked_options(cls.strategy, settings, known=[*SWOptions.model_fields, *EMBEDDER_OPTIONS])
        options = _options(settings)
        folder = checkpoint_folder(settings.checkpoint) if settings.checkpoint else SHIPPED_CHECKPOINT
        config = read_config(folder, SWConfig)
        return cls(folder, config, embedder_for(cls.strategy, config.embedder.id, settings), options)

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
        win_rates = self._ranking.win_rates(embeddings.vectors)
        return [
            WinRate(float(rate), *told) if np.isfinite(rate) else NoWinRate("The ratings gave no number for this prompt.")
            for rate, told in zip(win_rates, embeddings.told(), strict=True)
        ]


def _options(settings: StrategySettings) -> SWOptions:
    own = {name: value for name, value in settings.options.items() if name not in EMBEDDER_OPTIONS}
    try:
        return SWOptions.model_validate(own)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidOptions(f"strategies.sw_ranking.options.{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
