"""A model in nothing but time: every batch takes as long as any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Self

import numpy as np

from pointsman.runtime.settings import StrategySettings
from scorers.registry import checked_options
from scorers.replica import ScorerReplica
from scorers.router import NoWinRate, Router, ScoredPrompt, WinRate
from scorers.scorer import Scorer

_READ_BYTES: Final = 24 << 20
"""As much as the embedder's three layers and the rows of its words: what a forward pass reads."""


class ImitatedRouter(Router):
    """Takes its time in the model's thread: `sleep`s, as a call that waits for a GPU does; `compute`s on what fits a core's own cache; or
    `read`s what doesn't, as a model on a processor reads its weights."""

    strategy: ClassVar[str] = "imitated"

    def __init__(self, batch_s: float, work: str) -> None:
        self._batch_s = batch_s
        self._work = _WORK[work]()

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        """See `Router`; the options are `batch_ms` and `work`."""
        options = checked_options(cls.strategy, settings, known=["batch_ms", "work"])
        return cls(options.get("batch_ms", 20) / 1000, options.get("work", "sleep"))

    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        """See `Router`."""
        self._work(self._batch_s)
        return [WinRate(0.5) for _ in prompts]


def _computing() -> Callable[[float], None]:
    small = np.ones((128, 128), dtype=np.float32)
    return _again_and_again(lambda: small @ small)


def _reading() -> Callable[[float], None]:
    weights = np.ones(_READ_BYTES // 4, dtype=np.float32)
    return _again_and_again(weights.sum)


def _again_and_again(once: Callable[[], object]) -> Callable[[float], None]:
    def work(seconds: float) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            once()

    return work


_WORK: Final[Mapping[str, Callable[[], Callable[[float], None]]]] = {
    "sleep": lambda: time.sleep,
    "compute": _computing,
    "read": _reading,
}


class ImitatedReplica(ScorerReplica):
    """A replica of a strategy of any name, as all others but for its router."""

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """See `ScorerReplica`."""
        router: Any = type("NamedRouter", (ImitatedRouter,), {"strategy": self._strategy})
        settings = StrategySettings.model_validate(user_config)
        if self._scorer is None:
            self._scorer = Scorer(router.build, settings)
        else:
            await self._scorer.reconfigure(settings)
