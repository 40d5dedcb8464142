"""Asks the scorers: one coalescing queue and one readiness probe per strategy, over one gRPC channel to Ray Serve."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

import grpc
import structlog

from controller.coalescing import CoalescingMetrics, Quickest, Slots, flow
from controller.scorers import Score, ScorerState, ScoringError
from pointsman.runtime import tracing
from pointsman.runtime.batcher import Batcher
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.errors import Overloaded
from pointsman.runtime.unary_calls import answer_of
from pointsman.scorer.v1 import scorer_service_pb2, scorer_service_pb2_grpc
from pointsman.v1 import routing_pb2

log = structlog.get_logger()

# A replica that dies mid-call answers UNAVAILABLE and another one takes the batch; the throttle keeps retries from piling up.
_SERVICE_CONFIG: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "pointsman.scorer.v1.ScorerService"}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
)
_TURNS: Final = 32
"""Of the event loop, for which a few prompts wait."""
_ENOUGH: Final = 16
"""Prompts that needn't wait for more."""
_CHANNEL_OPTIONS: Final = [
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", -1),
    # A restarted Serve must be found again within a probe or two, not after gRPC's default of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A prompt, and the time on the monotonic clock until which its caller waits for a win rate."""

    prompt: scorer_service_pb2.Prompt
    until: float


class ScorerClient:
    """`Scorers` over gRPC. Ray Serve selects the application by the metadata key `application`."""

    def __init__(self, strategies: Sequence[str], settings: ControllerSettings, metrics: CoalescingMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = monotonic
        self._caller = uuid.uuid4().hex[:12]
        self._slots = {name: Slots(self._clock, settings.calls_per_replica) for name in strategies}
        self._quickest = {name: Quickest(self._clock) for name in strategies}
        self.timeout_s = settings.scorer_timeout_s
        """Of one batch; may change from one to the next."""
        self._channel = grpc.aio.insecure_channel(settings.scorers, options=_CHANNEL_OPTIONS)
        self._stub = scorer_service_pb2_grpc.ScorerServiceStub(self._channel)
        self._states = dict.fromkeys(strategies, ScorerState())
        self._queues = {name: self._queue(name) for name in strategies}
        self._probes: list[asyncio.Task[None]] = []

    @property
    def states(self) -> Mapping[str, ScorerState]:
        """What the last probes saw."""
        return self._states

    def start(self) -> None:
        """Begins to probe."""
        self._probes = [asyncio.create_task(self._probe_forever(name), name=f"probe {name}") for name in self._states]

    async def close(self) -> None:
        """Ends the probes and the channel; what is in flight fails."""
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        await self._channel.close()

    async def score(self, strategy: str, text: str, session: str, budget_s: float) -> Score:
        """See `Scorers.score`."""
        if not self._states[strategy].ready:
            raise ScoringError(routing_pb2.REASON_SCORER_NOT_READY)
        try:
            # The batch's call is a task of its own: this timeout cancels the waiting, and the call where nobody else waits for it.
            async with asyncio.timeout(budget_s):
                prompt = scorer_service_pb2.Prompt(text=text, session=session, traceparent=tracing.carrier().get("traceparent", ""))
                asked = _Asked(prompt, self._clock() + budget_s)
                return await self._queues[strategy].submit(asked, flow.get())
        except TimeoutError:
            raise ScoringError(routing_pb2.REASON_SCORER_TIMEOUT) from None
        except Overloaded:
            raise ScoringError(routing_pb2.REASON_SCORER_OVERLOADED) from None

    def _queue(self, strategy: str) -> Batcher[_Asked, Score]:
        quickest = self._quickest[strategy]

        async def run(asked: Sequence[_Asked]) -> Sequence[Score | ScoringError]:
            return await self._score_batch(strategy, asked)

        def hopeless(asked: _Asked) -> bool:
            return asked.until - self._clock() < quickest.now()

        own = self._settings
        return Batcher(
            run,
            max_batch=own.max_batch,
            small_batch=own.small_batch,
            max_waiting=own.max_waiting,
            slots=self._slots[strategy].now,
            hopeless=hopeless,
            sent=self._metrics.of(strategy),
            abandons=True,
            turns=_TURNS,
            enough=_ENOUGH,
        )

    async def _score_batch(self, strategy: str, asked: Sequence[_Asked]) -> list[Score | ScoringError]:
        begun = self._clock()
        # As long as somebody in it waits.
        timeout = min(max(0.001, max(each.until for each in asked) - begun), self.timeout_s)
        prompts = [each.prompt for each in asked]
        request = scorer_service_pb2.ScoreRequest(
            prompts=prompts, budget_ms=max(1, int(timeout * 1000)), waiting=self._queues[strategy].waiting, caller=self._caller
        )
        try:
            response = await answer_of(self._stub.Score(request, timeout=timeout, metadata=(("application", strategy),)))
        except grpc.aio.AioRpcError as error:
            log.warning("scorer failed", strategy=strategy, code=error.code().name, prompts=len(prompts))
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                self._slots[strategy].refused()
            raise ScoringError(_reason(error.code())) from None
        self._quickest[strategy].took(self._clock() - begun)
        self._slots[strategy].answered(response.replica)
        if len(response.results) != len(prompts):
            log.error("scorer miscounted", strategy=strategy, asked=len(prompts), answered=len(response.results))
            raise ScoringError(routing_pb2.REASON_SCORER_ERROR)
        if self._states[strategy].embedder:
            remembered = sum(result.embedding_cached for result in response.results)
            self._metrics.embedded(strategy, remembered, len(prompts) - remembered)
        return [_score(result, response.checkpoint, response.version) for result in response.results]

    async def _probe_forever(self, strategy: str) -> None:
        while True:
            before, now = self._states[strategy], await self._probe(strategy)
            self._states[strategy] = now
            if before != now:
                log.info("scorer state", strategy=strategy, ready=now.ready, detail=now.detail, checkpoint=now.checkpoint)
            await asyncio.sleep(self._settings.probe_interval_s)

    async def _probe(self, strategy: str) -> ScorerState:
        try:
            described = await self._stub.Describe(
                scorer_service_pb2.DescribeRequest(),
                timeout=max(2.0, self.timeout_s),
                metadata=(("application", strategy),),
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                return self._states[strategy]  # busy, so alive
            return ScorerState(detail=_why_not_ready(error.code()))
        self._slots[strategy].answered(described.replica)
        if described.strategy != strategy:
            return ScorerState(detail=f"the application {strategy} hosts {described.strategy or 'nothing'}")
        return ScorerState(True, "", described.checkpoint, described.embedder, described.version)


def _score(result: scorer_service_pb2.ScoreResult, checkpoint: str, version: str) -> Score | ScoringError:
    """One prompt's failure, or a number that isn't a win rate, is that prompt's alone."""
    if result.WhichOneof("result") != "strong_win_rate" or not 0 <= result.strong_win_rate <= 1:
        return ScoringError(routing_pb2.REASON_SCORER_ERROR)
    return Score(result.strong_win_rate, checkpoint, result.truncated, version)


def _reason(code: grpc.StatusCode) -> routing_pb2.Reason.ValueType:
    return {
        grpc.StatusCode.DEADLINE_EXCEEDED: routing_pb2.REASON_SCORER_TIMEOUT,
        grpc.StatusCode.RESOURCE_EXHAUSTED: routing_pb2.REASON_SCORER_OVERLOADED,
        grpc.StatusCode.UNAVAILABLE: routing_pb2.REASON_SCORER_NOT_READY,
        grpc.StatusCode.NOT_FOUND: routing_pb2.REASON_SCORER_NOT_READY,
    }.get(code, routing_pb2.REASON_SCORER_ERROR)


def _why_not_ready(code: grpc.StatusCode) -> str:
    return {
        grpc.StatusCode.UNAVAILABLE: "no replica answers",
        grpc.StatusCode.NOT_FOUND: "not deployed",
        grpc.StatusCode.DEADLINE_EXCEEDED: "the replica doesn't answer in time",
    }.get(code, f"the replica answers {code.name}")
