"""What turns a plan's target into a threshold: given, by the calibration record of a strong share, or by a certificate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.plan import Plan
from controller.record_book import RecordBook
from controller.scorers import Scorers, embedder_of
from controller.watch import Watch
from pointsman.calibration.ensemble import ensemble_of
from pointsman.calibration.record import CalibrationRecord, now
from pointsman.runtime.errors import NotCertified
from pointsman.runtime.settings import Settings
from pointsman.v1 import routing_pb2


@dataclass(frozen=True, slots=True)
class Found:
    """A threshold and what it stands on."""

    threshold: float | None
    """None: no certificate, and the settings say strong."""
    record: str = ""
    drifted: bool = False
    """Recent traffic is no longer what the certificate was made from."""
    ensemble: tuple[str, str] | None = None
    """Strategy and checkpoint of the ensemble's own record, where the threshold is from it."""


class Thresholds:
    """Looks targets up, and tells the watch what became of them.

    Rule 10: by the record of the checkpoint that answered, of which two may serve during a rollout.
    """

    def __init__(
        self,
        settings: Settings,
        scorers: Scorers,
        book: RecordBook,
        watch: Watch,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._settings = settings
        self._scorers = scorers
        self._book = book
        self._watch = watch
        self._clock = clock

    def of(self, plan: Plan, checkpoint: str) -> Found:
        """The threshold of a plan that has a target, by its one strategy's checkpoint.

        Raises `NotCalibrated`, and `NotCertified` where the settings say refuse.
        """
        if plan.strong_share is not None:
            embedder = embedder_of(self._scorers.states, plan.strategy, checkpoint)
            record = self._book.records.calibration(plan.strategy, checkpoint, embedder)
            return Found(record.threshold(plan.strong_share), record.name)
        if plan.max_quality_loss is not None:
            return self._certified(plan, checkpoint, plan.max_quality_loss)
        assert plan.threshold is not None
        return Found(plan.threshold)

    def of_ensemble(self, plan: Plan, records: Sequence[CalibrationRecord]) -> Found:
        """The threshold of a plan of several strategies, whose ranks are by these records. Raises `NotCalibrated`."""
        if plan.strong_share is None:
            return Found(plan.threshold, "+".join(record.name for record in records))
        ensemble = ensemble_of(records)
        record = self._book.records.ensemble(*ensemble)
        return Found(record.threshold(plan.strong_share), record.name, ensemble=ensemble)

    def decided(self, plan: Plan, opinions: Sequence[routing_pb2.Opinion], found: Found, decision: routing_pb2.Decision) -> None:
        """What was made of the opinions that have a win rate."""
        for opinion in opinions:
            self._watch.of(opinion.strategy, opinion.checkpoint).saw(opinion.strong_win_rate)
        if found.ensemble:
            self._watch.of(*found.ensemble).saw(decision.strong_win_rate)
        if plan.strong_share is not None:
            live = self._watch.of(*(found.ensemble or (opinions[0].strategy, opinions[0].checkpoint)))
            live.decided(plan.strong_share, decision.tier == routing_pb2.TIER_STRONG)

    def _certified(self, plan: Plan, checkpoint: str, max_quality_loss: float) -> Found:
        models = self._settings.backends[plan.backends.strong].model, self._settings.backends[plan.backends.weak].model
        embedder = embedder_of(self._scorers.states, plan.strategy, checkpoint)
        try:
            certificate = self._book.records.certificate(
                plan.strategy, checkpoint, embedder, plan.pair, models, max_quality_loss, self._clock()
            )
        except NotCertified:
            if self._settings.controller.on_uncertified == "strong":
                return Found(None)
            raise
        drifted = self._watch.of(plan.strategy, checkpoint).is_past_limit(certificate.name)
        return Found(certificate.threshold, certificate.name, drifted)
