"""Draws the win rate: the baseline that every other strategy has to beat."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import ClassVar, Self

from pointsman.runtime.settings import StrategySettings
from scorers.errors import InvalidOptions
from scorers.registry import checked_options
from scorers.router import NoWinRate, Router, ScoredPrompt, WinRate


class RandomRouter(Router):
    """Uniform over [0, 1). With a seed the draws repeat; a session's draw depends on seed and session alone.

    So a session keeps its value in every replica and after every restart, with a seed or without.
    """

    strategy: ClassVar[str] = "random"
    is_instant: ClassVar[bool] = True

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._draws = random.Random(seed)

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        """See `Router`; the one option is `seed`, a whole number."""
        options = checked_options(cls.strategy, settings, known=["seed"])
        if settings.checkpoint is not None:
            raise InvalidOptions("strategies.random.checkpoint: random has no checkpoint.")
        seed = options.get("seed")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise InvalidOptions(f"strategies.random.options.seed: a whole number is needed, not {seed!r}.")
        return cls(seed)

    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        """See `Router`; the text is never looked at."""
        return [WinRate(self._of_session(p.session) if p.session else self._draws.random()) for p in prompts]

    def _of_session(self, session: str) -> float:
        digest = hashlib.blake2b(f"{self._seed or 0}\0{session}".encode(), digest_size=8).digest()
        # 53 bits, as many as a double holds below 1.
        return (int.from_bytes(digest) >> 11) / (1 << 53)
