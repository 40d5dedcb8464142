"""A shadow strategy: scores a sample of the requests that another strategy decided, to see what it would have done. Off their path."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter

from controller.decider import Decided
from controller.ensemble import Ranks
from controller.ledger import strategy_label
from controller.plan import Plan
from controller.scored_text import clipped
from controller.scorers import Scorers, ScoringError
from pointsman.runtime.controller_settings import ControllerSettings, ShadowSettings
from pointsman.runtime.decide import is_strong
from pointsman.runtime.decision_headers import reason_name, tier_name
from pointsman.runtime.errors import NotCalibrated
from pointsman.v1 import routing_pb2

log = structlog.get_logger()
AT_ONCE: Final = 8  # prompts at the shadow's scorer, half a batch, so that its own traffic hardly waits; one more is dropped
_TIERS: Final = {True: "strong", False: "weak"}


class Shadow:
    """Never delays or fails a request: each prompt is a task of its own, with its own time, and few run at once."""

    def __init__(
        self,
        shadow: ShadowSettings,
        settings: ControllerSettings,
        scorers: Scorers,
        ranks: Ranks,
        registry: CollectorRegistry,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._shadow = shadow
        self._settings = settings
        self._scorers = scorers
        self._ranks = ranks
        self._draw = draw
        self._tasks: set[asyncio.Task[None]] = set()
        who = ["strategy", "shadow"]
        self._outcomes = Counter(
            "pointsman_shadow_requests",
            "Sampled requests; compared, or why not (dropped: too many at once).",
            [*who, "outcome"],
            registry=registry,
        )
        self._tiers = Counter(
            "pointsman_shadow_tiers",
            "Compared requests by the tier that was decided and the shadow's at the same strong share.",
            [*who, "tier", "shadow_tier"],
            registry=registry,
        )

    def follow(self, plan: Plan, text: str, decided: Decided) -> None:
        """Samples a decided request, and begins to score it where it is drawn; returns at once."""
        by_comparison = decided.decision.reason == routing_pb2.REASON_COMPARISON
        if not by_comparison or plan.strategies == (self._shadow.strategy,) or self._draw() >= self._shadow.share:
            return
        if len(self._tasks) >= AT_ONCE:
            self._count(plan, "dropped")
            return
        task = asyncio.get_running_loop().create_task(self._score(plan, text, decided))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def use(self, settings: ControllerSettings) -> None:
        """Its time and the length of its texts, from the next prompt on."""
        self._settings = settings

    async def close(self) -> None:
        """Ends what runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _score(self, plan: Plan, text: str, decided: Decided) -> None:
        name = self._shadow.strategy
        text, _ = clipped(text, self._settings.max_scored_chars)
        try:
            score = await self._scorers.score(name, text, plan.session, self._settings.scorer_timeout_s)
            threshold = self._ranks.record(name, score.checkpoint).threshold(self._strong_share(plan, decided))
        except ScoringError as error:
            self._count(plan, reason_name(error.reason))
        except NotCalibrated:
            self._count(plan, "not_calibrated")
        except Exception as error:  # noqa: BLE001 (nobody waits for this task, so it says itself what went wrong)
            log.error("shadow failed", strategy=name, kind=type(error).__name__)
            self._count(plan, "error")
        else:
            self._count(plan, "compared")
            tiers = tier_name(decided.decision.tier), _TIERS[is_strong(score.strong_win_rate, threshold)]
            self._tiers.labels(strategy_label(plan.strategy), name, *tiers).inc()

    def _strong_share(self, plan: Plan, decided: Decided) -> float:
        """What the request asked for, or what part of the deciding strategy's sample reaches its threshold. Raises `NotCalibrated`."""
        if plan.strong_share is not None:
            return plan.strong_share
        if len(decided.opinions) > 1:
            raise NotCalibrated("Of a mean of ranks no record says what share reaches a threshold.")
        (opinion,) = decided.opinions
        return 1 - self._ranks.record(opinion.strategy, opinion.checkpoint).rank(decided.decision.threshold)

    def _count(self, plan: Plan, outcome: str) -> None:
        self._outcomes.labels(strategy_label(plan.strategy), self._shadow.strategy, outcome).inc()
