"""From a plan and a text to a decision: ask the scorer within its share of the deadline, compare, or say why not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from controller.deadline import Deadline
from controller.plan import Plan
from controller.scored_text import clipped
from controller.scorers import Scorers, ScoringError
from pointsman.runtime.decide import is_strong
from pointsman.runtime.decision_headers import reason_name
from pointsman.runtime.errors import Overloaded, ScoringFailed
from pointsman.runtime.records import Records
from pointsman.runtime.settings import OnFailure, Settings
from pointsman.v1 import routing_pb2

_TIERS = {True: routing_pb2.TIER_STRONG, False: routing_pb2.TIER_WEAK}


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and what it rests on."""

    decision: routing_pb2.Decision
    opinions: tuple[routing_pb2.Opinion, ...] = ()
    scoring_s: float = 0.0


class Decider:
    """Decides; holds the scorers, the settings and the calibration records, and no state of its own."""

    def __init__(self, settings: Settings, scorers: Scorers, records: Records) -> None:
        self._settings = settings
        self._scorers = scorers
        self._records = records

    async def decide(self, plan: Plan, text: str, deadline: Deadline) -> Decided:
        """The decision for a text; empty text is nothing to score.

        Raises `Overloaded` or `ScoringFailed` where the settings say so, and `NotCalibrated` for a strong share that the checkpoint
        which scored has no record for.
        """
        if plan.pinned != routing_pb2.TIER_UNSPECIFIED:
            return Decided(self._decision(plan, plan.pinned, plan.pinned_because))
        if not text:
            return Decided(self._decision(plan, routing_pb2.TIER_STRONG, routing_pb2.REASON_NOTHING_TO_SCORE))
        opinion, scoring_s = await self.ask(plan.strategy, text, plan.session, deadline)
        if opinion.HasField("strong_win_rate"):
            threshold = self._threshold(plan, opinion.checkpoint)
            tier = _TIERS[is_strong(opinion.strong_win_rate, threshold)]
            decision = self._decision(plan, tier, routing_pb2.REASON_COMPARISON)
            decision.threshold, decision.strong_win_rate = threshold, opinion.strong_win_rate
        else:
            decision = self._decision(plan, self._without_score(plan.strategy, opinion.failure), opinion.failure)
        return Decided(decision, (opinion,), scoring_s)

    async def ask(self, strategy: str, text: str, session: str, deadline: Deadline) -> tuple[routing_pb2.Opinion, float]:
        """One strategy's opinion and the seconds it took; a failure is in the opinion."""
        clock = asyncio.get_running_loop().time
        started = clock()
        controller = self._settings.controller
        budget = deadline.share(controller.scorer_deadline_share, controller.scorer_timeout_s)
        opinion = routing_pb2.Opinion(strategy=strategy)
        text, was_clipped = clipped(text, controller.max_scored_chars)
        try:
            score = await self._scorers.score(strategy, text, session, budget)
        except ScoringError as error:
            opinion.failure = error.reason
        else:
            opinion.strong_win_rate, opinion.checkpoint = score.strong_win_rate, score.checkpoint
            opinion.truncated = score.truncated or was_clipped
        return opinion, clock() - started

    def _threshold(self, plan: Plan, checkpoint: str) -> float:
        """Rule 10: a strong share means what the record of the checkpoint that answered says, of which two may serve during a rollout."""
        if plan.strong_share is None:
            assert plan.threshold is not None
            return plan.threshold
        state = self._scorers.states[plan.strategy]
        embedder = state.embedder if state.checkpoint == checkpoint else ""
        return self._records.threshold(plan.strategy, checkpoint, plan.strong_share, embedder)

    def _without_score(self, strategy: str, reason: routing_pb2.Reason.ValueType) -> routing_pb2.Tier.ValueType:
        """Rule 4: the tier of a request that couldn't be scored."""
        instead: OnFailure = self._settings.strategies[strategy].on_failure
        if reason == routing_pb2.REASON_SCORER_OVERLOADED:
            if self._settings.controller.on_overload == "refuse":
                # Refused, so that load never becomes spend.
                raise Overloaded(f"The scorer of {strategy} is at its limit; try again shortly.", retry_after_s=1)
            instead = self._settings.controller.on_overload
        if instead == "error":
            raise ScoringFailed(f"The strategy {strategy} can't score now ({reason_name(reason)}).", retry_after_s=1)
        return _TIERS[instead == "strong"]

    def _decision(self, plan: Plan, tier: routing_pb2.Tier.ValueType, reason: routing_pb2.Reason.ValueType) -> routing_pb2.Decision:
        backend = plan.backend(tier)
        return routing_pb2.Decision(
            strategy=plan.strategy,
            threshold=plan.threshold,
            tier=tier,
            model=self._settings.backends[backend].model,
            reason=reason,
            pair=plan.pair,
            backend=backend,
        )
