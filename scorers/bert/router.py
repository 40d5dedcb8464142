"""Predicts by an encoder with a three-class head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
import torch

from pointsman.runtime.settings import StrategySettings
from scorers.bert.classifier import Classifier, load_classifier
from scorers.bert.engine import ENGINES, Engine
from scorers.device import CPU, GRAPHS_OPTION, Device, device_of
from scorers.hub import checkpoint_folder
from scorers.precision import chosen_engine
from scorers.registry import checked_options
from scorers.router import ModelPair, NoWinRate, Router, ScoredPrompt, WinRate

SHIPPED_CHECKPOINT: Final = Path(__file__).parent / "checkpoint"


class BERTRouter(Router):
    """1 - (p1 + p2): what is left to "strong wins" beside a tie and "weak wins"."""

    strategy: ClassVar[str] = "bert"

    def __init__(self, classifier: Classifier, *, engine: str = "auto", device: Device = CPU) -> None:
        """Raises `InvalidOptions` for an engine that isn't one, or that this processor lacks."""
        self._version = classifier.version
        self._pair = classifier.pair
        self._window = classifier.window
        chosen = chosen_engine(self.strategy, engine, known=ENGINES, cuda=device.is_cuda, on_cuda=device.half("float16"))
        self._engine = Engine(classifier, chosen, device)

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        """See `Router`. The option `engine` is `auto`, `float32`, `bfloat16` or `int8`; CUDA is used where `num_gpus` asks for it, with
        CUDA graphs where the option `cuda_graphs` does (not measured)."""
        options = checked_options(cls.strategy, settings, known=["engine", GRAPHS_OPTION])
        torch.set_num_threads(settings.threads)
        folder = checkpoint_folder(settings.checkpoint) if settings.checkpoint else SHIPPED_CHECKPOINT
        engine = str(options.get("engine", "auto"))
        return cls(load_classifier(folder, settings.checkpoint), engine=engine, device=device_of(cls.strategy, settings))

    @property
    def checkpoint(self) -> str:
        """See `Router`."""
        return self._version

    @property
    def trained_pair(self) -> ModelPair:
        """See `Router`; empty names for a checkpoint of RouteLLM's layout that isn't one of RouteLLM's own: it doesn't say."""
        return self._pair

    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        """See `Router`."""
        tokens = self._window.read([prompt.text for prompt in prompts])
        probabilities = self._engine.probabilities([each.ids for each in tokens])
        rates = np.clip(1 - (probabilities[:, 1] + probabilities[:, 2]), 0, 1)
        return [
            WinRate(float(rate), each.truncated) if np.isfinite(rate) else NoWinRate("The model gave no number for this prompt.")
            for rate, each in zip(rates, tokens, strict=True)
        ]
