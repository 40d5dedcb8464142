"""AdminService.Calibrate: a stream of prompts or labels, or recent traffic, to records that count from then on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from controller.record_book import RecordBook
from controller.sampling import Example, Sample, Sampler, Start
from controller.spending import Spending
from pointsman.calibration.certificate import Certificate
from pointsman.calibration.making import (
    SHARES,
    Promise,
    calibration_record,
    certificate,
    expiry,
    share_of_budget,
)
from pointsman.calibration.record import CalibrationRecord
from pointsman.runtime.errors import InvalidRequest, UnknownPair, UnknownStrategy
from pointsman.runtime.no_such import no_such_sentence
from pointsman.runtime.settings import Settings
from pointsman.v1 import calibration_pb2

_DELTA: Final = 0.05


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was written."""

    record: CalibrationRecord | None
    certificates: list[Certificate]


class Calibrator:
    """Takes a sample, computes in a thread, and writes."""

    def __init__(self, settings: Settings, sampler: Sampler, book: RecordBook, spending: Spending) -> None:
        self._settings = settings
        self._sampler = sampler
        self._book = book
        self._spending = spending

    async def calibrate(self, start: Start, examples: AsyncIterator[Example]) -> Calibrated:
        """Raises `InvalidRequest` naming what is wrong with the start or with which example, and `Unavailable` where scoring failed."""
        pair = self._checked(start)
        losses = [target for target in start.targets if target.WhichOneof("target") == "max_quality_loss"]
        shares = self._shares(start, pair)
        sample = await self._sampler.sample(start, examples)
        if losses and not sample.labels:
            raise InvalidRequest("max_quality_loss needs examples with the outcomes of both tiers.", param="targets")
        record = await asyncio.to_thread(calibration_record, sample.scorer, sample.win_rates, sample.data, shares) if shares else None
        certificates = [await asyncio.to_thread(self._certificate, target, start, pair, sample) for target in losses]
        for made in (record, *certificates):
            if made:
                await self._book.write(made)
        return Calibrated(record, certificates)

    def _checked(self, start: Start) -> str:
        """The pair's name."""
        if start.strategy not in self._settings.strategies:
            raise UnknownStrategy(no_such_sentence("strategy", start.strategy, self._settings.strategies), param="start.strategy")
        pair = start.pair or "default"
        if pair not in self._settings.pairs:
            raise UnknownPair(no_such_sentence("pair", pair, self._settings.pairs), param="start.pair")
        for number, target in enumerate(start.targets):
            name, where = target.WhichOneof("target"), f"start.targets[{number}]"
            if not name:
                raise InvalidRequest(f"{where}: a strong_share, spend or max_quality_loss is needed.", param=where)
            if name != "spend" and not 0 <= getattr(target, name) <= 1:
                raise InvalidRequest(f"{where}: {name} must be 0 to 1.", param=where)
            if name == "max_quality_loss" and not start.judge:
                raise InvalidRequest("A certificate says who judged the answers; name it.", param="start.judge")
            if not 0 <= target.delta < 1:
                raise InvalidRequest(f"{where}: delta must be above 0 and below 1.", param=where)
        return pair

    def _shares(self, start: Start, pair: str) -> list[float]:
        if not start.targets:
            return list(SHARES)
        shares: list[float] = []
        for target in start.targets:
            match target.WhichOneof("target"):
                case "strong_share":
                    shares.append(target.strong_share)
                case "spend":
                    backends = self._settings.pairs[pair]
                    costs = self._spending.per_thousand(backends.strong), self._spending.per_thousand(backends.weak)
                    shares.append(share_of_budget(target.spend, *costs))
        return sorted(set(shares))

    def _certificate(self, target: calibration_pb2.CalibratedThreshold, start: Start, pair: str, sample: Sample) -> Certificate:
        backends, models = self._settings.pairs[pair], self._settings.backends
        promise = Promise(
            pair=pair,
            strong_model=models[backends.strong].model,
            weak_model=models[backends.weak].model,
            judge=start.judge,
            max_quality_loss=target.max_quality_loss,
            delta=target.delta or _DELTA,
            expires=target.expires.ToDatetime(tzinfo=UTC) if target.HasField("expires") else expiry(),
        )
        return certificate(sample.scorer, sample.labels, [], sample.data, promise, None)
