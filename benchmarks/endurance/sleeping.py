"""Ray Serve with one strategy, `sleeping`, whose model is a GPU's in nothing but time: every batch takes as long as any other.

python -m benchmarks.endurance.sleeping --settings FILE      (strategies: {sleeping: {options: {batch_ms: 100}}})
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from pointsman.runtime.settings import StrategySettings
from scorers import serve
from scorers.registry import checked_options
from scorers.replica import ScorerReplica
from scorers.router import NoWinRate, Router, ScoredPrompt, WinRate
from scorers.scorer import Scorer


class SleepingRouter(Router):
    """Sleeps in the model's thread, as a call that waits for a GPU does."""

    strategy: ClassVar[str] = "sleeping"

    def __init__(self, batch_s: float) -> None:
        self._batch_s = batch_s

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        """See `Router`; the one option is `batch_ms`."""
        return cls(checked_options(cls.strategy, settings, known=["batch_ms"]).get("batch_ms", 20) / 1000)

    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        """See `Router`."""
        time.sleep(self._batch_s)
        return [WinRate(0.5) for _ in prompts]


class SleepingReplica(ScorerReplica):
    """A replica as all others but for its router."""

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """See `ScorerReplica`."""
        settings = StrategySettings.model_validate(user_config)
        if self._scorer is None:
            self._scorer = Scorer(SleepingRouter.build, settings)
        else:
            await self._scorer.reconfigure(settings)


def main() -> int:
    """As `python -m scorers`."""
    from pointsman.runtime.process import main as run
    from scorers.process import serve as serving

    # What is deployed, in the real one's place. It goes by its module's name, so that replicas import it from here.
    vars(serve)["ScorerReplica"] = SleepingReplica
    return run("scorers", serving)


if __name__ == "__main__":
    from benchmarks.endurance.sleeping import main as imported  # not __main__'s: replicas find the class by its module's name

    sys.exit(imported())
