"""AdminService: Calibrate, Pin and Stats."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import structlog

from controller.calibrations import calibration_of
from controller.coalescing import CoalescingMetrics
from controller.durations import durations_of
from controller.generations import Generations
from controller.ledger import Ledger
from controller.pins import Pins
from controller.rpc import Context, answers_errors
from controller.sampling import Example
from controller.stats import stats_of
from pointsman.runtime.decision_headers import tier_name
from pointsman.runtime.errors import InvalidRequest, PointsmanError, UnknownPair
from pointsman.runtime.no_such import no_such_sentence
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, routing_pb2

log = structlog.get_logger()
LONGEST_PIN_S: Final = 366 * 86_400
_READ_ON_S: Final = 5.0


class AdminService(admin_service_pb2_grpc.AdminServiceServicer):
    """See protos/pointsman/v1/admin_service.proto."""

    def __init__(self, generations: Generations, pins: Pins, ledger: Ledger, coalescing: CoalescingMetrics) -> None:
        self._generations = generations
        self._pins = pins
        self._ledger = ledger
        self._coalescing = coalescing

    def take_up(self, context: Context) -> None:
        """An operator's call is never refused for the load."""

    @answers_errors
    async def Calibrate(  # noqa: N802
        self, request: AsyncIterator[admin_service_pb2.CalibrateRequest], context: Context, request_id: str
    ) -> admin_service_pb2.CalibrateResponse:
        try:
            first = await anext(aiter(request), None)
            if first is None or not first.HasField("start"):
                raise InvalidRequest("The first message must be the start.", param="start")
            made = await self._generations.now.calibrator.calibrate(first.start, _examples(request))
        except PointsmanError:
            await _read_on(request)
            raise
        return admin_service_pb2.CalibrateResponse(
            calibration=calibration_of(made.record) if made.record else None, certificates=map(calibration_of, made.certificates)
        )

    @answers_errors
    async def Pin(  # noqa: N802
        self, request: admin_service_pb2.PinRequest, context: Context, request_id: str
    ) -> admin_service_pb2.PinResponse:
        pair = request.pair or "default"
        pairs = self._generations.now.settings.pairs
        # One that was pinned and then taken out of the settings can still be released.
        if pair not in pairs and self._pins.tier(pair) == routing_pb2.TIER_UNSPECIFIED:
            raise UnknownPair(no_such_sentence("pair", pair, pairs), param="pair")
        if request.tier not in routing_pb2.Tier.values():  # an open enum lets any number in
            raise InvalidRequest("The tier must be TIER_STRONG or TIER_WEAK, or TIER_UNSPECIFIED to release.", param="tier")
        duration_s = request.duration.seconds + request.duration.nanos / 1e9 if request.HasField("duration") else None
        if duration_s is not None and not 0 < duration_s <= LONGEST_PIN_S:
            raise InvalidRequest(f"The duration must be above 0 s and at most {LONGEST_PIN_S} s.", param="duration")
        if request.tier == routing_pb2.TIER_UNSPECIFIED:
            self._pins.release(pair)
            log.info("released", pair=pair, request_id=request_id)
        else:
            self._pins.pin(pair, request.tier, duration_s)
            log.warning("pinned", pair=pair, tier=tier_name(request.tier), for_s=duration_s, request_id=request_id)
        answer = admin_service_pb2.PinResponse(pair=pair, tier=self._pins.tier(pair), controllers=self._controllers())
        if (remaining_s := self._pins.remaining_s(pair)) is not None:
            answer.remaining.FromTimedelta(timedelta(seconds=remaining_s))
        return answer

    @answers_errors
    async def Stats(  # noqa: N802
        self, request: admin_service_pb2.StatsRequest, context: Context, request_id: str
    ) -> admin_service_pb2.StatsResponse:
        own = self._generations.now.settings.controller
        response = stats_of(self._ledger.counters, self._ledger.uptime_s, own.router_cost_per_hour)
        response.callers.extend(self._ledger.callers.rows())
        response.scoring.extend(durations_of(self._ledger.scoring))
        response.scorer_wait.extend(durations_of(self._coalescing.waits))
        response.first_byte.extend(durations_of(self._ledger.first_byte))
        response.router.extend(durations_of(self._ledger.router))
        response.controllers.extend(self._controllers())
        return response

    def _controllers(self) -> list[str]:
        """All of them, where the settings name several; one address alone may be nothing but the default."""
        listed = self._generations.now.settings.gateway.controllers
        return listed if len(listed) > 1 else []


async def _read_on(requests: AsyncIterator[admin_service_pb2.CalibrateRequest]) -> None:
    """Lets the caller finish its stream before it is told what was wrong: grpc.aio loses an error that comes while it sends."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READ_ON_S):
            async for _ in requests:
                pass


async def _examples(requests: AsyncIterator[admin_service_pb2.CalibrateRequest]) -> AsyncIterator[Example]:
    async for request in requests:
        if not request.HasField("example"):
            raise InvalidRequest("After the start, every message must be an example.", param="example")
        yield request.example
