"""From a plan and a text to a decision: ask the scorer within its share of the deadline, compare, or say why not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from time import monotonic

from controller.deadline import Deadline
from controller.ensemble import Ranks
from controller.plan import Plan
from controller.scored_text import clipped
from controller.scorers import Scorers, ScoringError
from controller.thresholds import Thresholds
from controller.unscored import UnscoredSpending
from pointsman.runtime import tracing
from pointsman.runtime.decide import is_strong
from pointsman.runtime.decision_headers import reason_name
from pointsman.runtime.errors import Overloaded, ScoringCapped, ScoringFailed
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_part import OnFailure
from pointsman.v1 import routing_pb2

_TIERS = {True: routing_pb2.TIER_STRONG, False: routing_pb2.TIER_WEAK}


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and what it rests on."""

    decision: routing_pb2.Decision
    opinions: tuple[routing_pb2.Opinion, ...] = ()
    scoring_s: float = 0.0
    calibration: str = ""
    """The record or certificate that the threshold is from, or the records of an ensemble's ranks."""


class Decider:
    """Decides; holds the settings, the scorers and what turns targets into thresholds, and no state of its own."""

    def __init__(self, settings: Settings, scorers: Scorers, thresholds: Thresholds, ranks: Ranks, unscored: UnscoredSpending) -> None:
        self._settings = settings
        self._scorers = scorers
        self._unscored = unscored
        self._ranks = ranks
        self._thresholds = thresholds

    async def decide(self, plan: Plan, text: str, deadline: Deadline) -> Decided:
        """The decision for a text; empty text is nothing to score.

        Raises `Overloaded`, `ScoringFailed` or `ScoringCapped` where the settings say so, and `NotCalibrated` or `NotCertified` for a
        target that there is no record for of the checkpoint which scored.
        """
        if plan.pinned != routing_pb2.TIER_UNSPECIFIED:
            return Decided(self._decision(plan, plan.pinned, plan.pinned_because))
        if not text:
            return Decided(self._decision(plan, routing_pb2.TIER_STRONG, routing_pb2.REASON_NOTHING_TO_SCORE))
        self._unscored.scoring()
        # At once; one alone needs no task of its own.
        asking = [self.ask(strategy, text, plan.session, deadline) for strategy in plan.strategies]
        asked = await asyncio.gather(*asking) if len(asking) > 1 else [await asking[0]]
        opinions, scoring_s = tuple(opinion for opinion, _ in asked), max(seconds for _, seconds in asked)
        failed = [opinion for opinion in opinions if not opinion.HasField("strong_win_rate")]
        # A share is calibrated for all of an ensemble's strategies together; a threshold is on the scale of ranks whoever answers.
        if failed and (len(failed) == len(opinions) or plan.strong_share is not None):
            return Decided(self._decision(plan, *self._without_score(plan, failed[0])), opinions, scoring_s)
        return self._compared(plan, opinions, scoring_s)

    def _compared(self, plan: Plan, opinions: tuple[routing_pb2.Opinion, ...], scoring_s: float) -> Decided:
        """Strong iff strong_win_rate >= threshold; where nothing vouches any more for a threshold that was to be vouched for, strong.

        Of an ensemble those strategies count that answered.
        """
        answered = [opinion for opinion in opinions if opinion.HasField("strong_win_rate")]
        if len(plan.strategies) == 1:
            score, found = answered[0].strong_win_rate, self._thresholds.of(plan, answered[0].checkpoint)
        else:
            score, records = self._ranks.mean(answered)
            found = self._thresholds.of_ensemble(plan, records)
        by_comparison = found.threshold is None or is_strong(score, found.threshold)
        if found.threshold is None:
            reason = routing_pb2.REASON_NOT_CERTIFIED
        elif found.drifted and not by_comparison:
            reason = routing_pb2.REASON_DRIFTED
        else:
            reason = routing_pb2.REASON_COMPARISON
        decision = self._decision(plan, _TIERS[by_comparison or found.drifted], reason)
        decision.strong_win_rate = score
        if found.threshold is not None:
            decision.threshold = found.threshold
        self._thresholds.decided(plan, answered, found, decision)
        return Decided(decision, opinions, scoring_s, found.record)

    async def ask(self, strategy: str, text: str, session: str, deadline: Deadline) -> tuple[routing_pb2.Opinion, float]:
        """One strategy's opinion and the seconds it took; a failure is in the opinion."""
        started = monotonic()
        controller = self._settings.controller
        budget = deadline.share(controller.scorer_deadline_share, controller.scorer_timeout_s)
        opinion = routing_pb2.Opinion(strategy=strategy)
        text, was_clipped = clipped(text, controller.max_scored_chars)
        with tracing.current_span(f"score {strategy}", "CLIENT", pointsman__strategy=strategy) as span:
            try:
                score = await self._scorers.score(strategy, text, session, budget)
            except ScoringError as error:
                opinion.failure = error.reason
                span.fail(reason_name(error.reason))
            else:
                opinion.strong_win_rate, opinion.checkpoint = score.strong_win_rate, score.checkpoint
                opinion.truncated, opinion.cached = score.truncated or was_clipped, score.cached
                span.note(
                    pointsman__strong_win_rate=score.strong_win_rate, pointsman__checkpoint=score.checkpoint, pointsman__cached=score.cached
                )
        return opinion, monotonic() - started

    def _without_score(self, plan: Plan, failed: routing_pb2.Opinion) -> tuple[routing_pb2.Tier.ValueType, routing_pb2.Reason.ValueType]:
        """Rule 4: the tier of a request that couldn't be scored, and why, by the (first) strategy that failed. One whose loss is to be
        bounded never goes weak unscored."""
        own, strategy, reason = self._settings.controller, failed.strategy, failed.failure
        count = partial(self._unscored.count, strategy, reason_name(reason))
        instead: OnFailure = self._settings.strategies[strategy].on_failure
        if reason == routing_pb2.REASON_SCORER_OVERLOADED:
            if own.on_overload == "refuse":
                count("refused")
                # Refused, so that load never becomes spend.
                raise Overloaded(f"The scorer of {strategy} is at its limit; try again shortly.", retry_after_s=1)
            instead = own.on_overload
        why = f"The strategy {strategy} can't score now ({reason_name(reason)})"
        if instead == "error":
            count("refused")
            raise ScoringFailed(f"{why}, and its on_failure is error; try again shortly.", retry_after_s=1)
        may_go_weak = plan.max_quality_loss is None
        if instead == "weak" and may_go_weak:
            count("weak")
            return routing_pb2.TIER_WEAK, reason
        if self._unscored.take(own.scorer_failure_to_strong_cap):
            count("strong")
            return routing_pb2.TIER_STRONG, reason
        if own.on_scorer_failure_cap == "weak" and may_go_weak:
            count("capped_weak")
            return routing_pb2.TIER_WEAK, routing_pb2.REASON_SCORING_CAPPED
        count("capped_refused")
        message = f"{why}, and enough requests have gone to strong unscored lately (scorer_failure_to_strong_cap); try again shortly."
        raise ScoringCapped(message, retry_after_s=1)

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
