"""RouteLLM's Router: what predicts, for a prompt, how surely the strong model's answer would be the better one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from pointsman.runtime.decide import is_strong
from pointsman.runtime.settings import StrategySettings
from scorers.errors import ModelFailed


@dataclass(frozen=True, slots=True)
class ModelPair:
    """The names of a strong and a weak model."""

    strong: str
    weak: str


ROUTELLM_PAIR: Final = ModelPair(strong="gpt-4-1106-preview", weak="mixtral-8x7b-instruct-v0.1")
"""The two models that RouteLLM's data and checkpoints are of, under the names that its checkpoints know them by."""


@dataclass(frozen=True, slots=True)
class ScoredPrompt:
    """A prompt's text, and the session it belongs to (empty: none)."""

    text: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class WinRate:
    """A rank score from 0 to 1, not a calibrated probability; `truncated` says that only a part of the prompt was read,
    `embedding_cached` that its embedding was remembered."""

    strong_win_rate: float
    truncated: bool = False
    embedding_cached: bool = False


@dataclass(frozen=True, slots=True)
class NoWinRate:
    """Why one prompt of a batch has no win rate: a sentence without its text."""

    error: str


class Router(ABC):
    """One strategy's opinion. Not safe for several threads at once: a scorer gives each router one."""

    strategy: ClassVar[str]
    is_instant: ClassVar[bool] = False
    """Whether a batch takes microseconds: it is then computed on the event loop, since handing it to a thread takes longer."""
    nice: ClassVar[int] = 7
    """How far its model's thread gives way where the settings don't say: see docs/decisions/0027."""

    @classmethod
    @abstractmethod
    def build(cls, settings: StrategySettings) -> Self:
        """The router that the settings describe, model loaded. Raises `StrategyNotBuilt`."""

    @abstractmethod
    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        """As many as prompts, in their order. An exception fails the whole batch."""

    @property
    def checkpoint(self) -> str:
        """`name@sha256:12 hex digits`; `none` for a strategy without one."""
        return "none"

    @property
    def embedder(self) -> str:
        """`id@sha256:12 hex digits`; empty for a strategy without one."""
        return ""

    @property
    def trained_pair(self) -> ModelPair:
        """The models the checkpoint was trained for; empty names for a strategy without a checkpoint."""
        return ModelPair(strong="", weak="")

    def calculate_strong_win_rate(self, prompt: str) -> float:
        """One prompt's win rate. Raises `ModelFailed` where the strategy has none for it."""
        result = self.calculate_strong_win_rates([ScoredPrompt(prompt)])[0]
        if isinstance(result, NoWinRate):
            raise ModelFailed(self.strategy)
        return result.strong_win_rate

    def route(self, prompt: str, threshold: float, routed_pair: ModelPair) -> str:
        """The name, of the two in `routed_pair`, of the model that gets the prompt."""
        return routed_pair.strong if is_strong(self.calculate_strong_win_rate(prompt), threshold) else routed_pair.weak
