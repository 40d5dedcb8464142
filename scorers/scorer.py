"""A scorer: hosts one router and answers ScorerService's two calls, whatever the transport."""

from __future__ import annotations

import asyncio
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from pointsman.runtime import tracing
from pointsman.runtime.batcher import Batcher
from pointsman.runtime.errors import DeadlineExceeded, InvalidRequest, PointsmanError
from pointsman.runtime.settings import StrategySettings
from pointsman.scorer.v1 import scorer_service_pb2 as pb
from scorers.errors import ModelFailed
from scorers.identity import version_of
from scorers.load import Load
from scorers.priority import give_way
from scorers.router import NoWinRate, Router, ScoredPrompt, WinRate

_WARM_UP = ("Hello.", "How many eggs make a dozen?", "Why is the sky blue? " * 40)
_HEALTH_PROMPT = ScoredPrompt("Are you well?")
_log = structlog.get_logger()

BuildRouter = Callable[[StrategySettings], Router]


@dataclass(frozen=True, slots=True)
class _Serving:
    """A router and the queue in front of it; a reconfiguration replaces both at once."""

    settings: StrategySettings
    router: Router
    batcher: Batcher[ScoredPrompt, WinRate | NoWinRate]
    version: str


class Scorer:
    """Lives as long as its process. The model runs in one thread of its own, one batch at a time, so the event loop never waits but for the
    microseconds of a router that `is_instant`."""

    def __init__(self, build: BuildRouter, settings: StrategySettings, nice: int = 0) -> None:
        """Builds and warms up the router, so that a scorer that exists is ready; it takes seconds. Raises what `build` raises.

        The model's thread, and those it starts, give way by `nice` steps.
        """
        self._build = build
        self._replica = uuid.uuid4().hex[:12]
        self.load = Load()
        """What it has to do."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model", initializer=give_way, initargs=(nice,))
        try:
            router = self._thread.submit(_ready_router, build, settings).result()
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        self._serving = self._serve(router, settings)

    async def score(self, request: pb.ScoreRequest) -> pb.ScoreResponse:
        """One result per prompt, in order, all by one checkpoint.

        Raises `InvalidRequest` for more prompts than the queue holds, `Overloaded`, `ModelFailed`, and `DeadlineExceeded` where
        the answer isn't there within `budget_ms`.
        """
        serving = self._serving
        if len(request.prompts) > serving.settings.max_queued:
            limit = serving.settings.max_queued
            raise InvalidRequest(f"{len(request.prompts)} prompts in one call; at most {limit} are taken.", param="prompts")
        self.load.heard(request.caller, request.waiting)
        prompts = [ScoredPrompt(p.text, p.session) for p in request.prompts]
        with _spans(request, serving):
            try:
                async with asyncio.timeout(request.budget_ms / 1000 if request.budget_ms else None):
                    results = await serving.batcher.submit_many(prompts)
            except TimeoutError:
                raise DeadlineExceeded(f"No win rate within the {request.budget_ms} ms that the caller gave.") from None
        return pb.ScoreResponse(
            results=[_to_proto(r) for r in results],
            checkpoint=serving.router.checkpoint,
            version=serving.version,
            replica=self._replica,
        )

    def describe(self) -> pb.DescribeResponse:
        """Who answers."""
        router = self._serving.router
        return pb.DescribeResponse(
            strategy=router.strategy,
            checkpoint=router.checkpoint,
            embedder=router.embedder,
            strong=router.trained_pair.strong,
            weak=router.trained_pair.weak,
            version=self._serving.version,
            replica=self._replica,
        )

    async def check_health(self) -> None:
        """Scores a tiny prompt in the model's thread. Raises `ModelFailed`."""
        await self._run(self._serving.router, [_HEALTH_PROMPT])

    async def reconfigure(self, settings: StrategySettings) -> None:
        """Serves by new settings: the new router is built first, then takes over; what was queued is answered by the old one.

        Raises what `build` raises, and then the old router serves on.
        """
        old = self._serving
        if settings == old.settings:
            return
        router = old.router
        if _what_router_needs(settings) != _what_router_needs(old.settings):
            # Not in the model's thread: the old router goes on answering meanwhile.
            router = await asyncio.to_thread(_ready_router, self._build, settings)
        self._serving = self._serve(router, settings)
        await old.batcher.close()

    async def close(self) -> None:
        """Refuses new prompts, answers those that wait, ends the thread."""
        await self._serving.batcher.close()
        self._thread.shutdown(wait=False)

    def _serve(self, router: Router, settings: StrategySettings) -> _Serving:
        async def run(prompts: Sequence[ScoredPrompt]) -> Sequence[WinRate | NoWinRate]:
            with self.load.running(len(prompts)):
                return await self._run(router, prompts)

        self.load.max_batch = settings.max_batch
        batcher: Batcher[ScoredPrompt, WinRate | NoWinRate] = Batcher(run, max_batch=settings.max_batch, max_waiting=settings.max_queued)
        return _Serving(settings, router, batcher, version_of(router.strategy, settings))

    async def _run(self, router: Router, prompts: Sequence[ScoredPrompt]) -> Sequence[WinRate | NoWinRate]:
        try:
            if router.is_instant:
                results = router.calculate_strong_win_rates(prompts)
            else:
                loop = asyncio.get_running_loop()
                results = await loop.run_in_executor(self._thread, router.calculate_strong_win_rates, prompts)
            if len(results) != len(prompts):
                raise RuntimeError("as many results as prompts are needed")
        except Exception as error:  # noqa: BLE001 (whatever the model raises fails its batch and nothing else)
            # Where and what kind, but not the words of an exception that isn't ours: they may quote a prompt.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            _log.error(
                "model failed",
                strategy=router.strategy,
                prompts=len(prompts),
                error=type(error).__name__,
                at=f"{frame.name}:{frame.lineno}",
                reason=error.message if isinstance(error, PointsmanError) else None,
            )
            raise ModelFailed(router.strategy) from None
        return results


@contextmanager
def _spans(request: pb.ScoreRequest, serving: _Serving) -> Iterator[None]:
    """One for each prompt whose trace is told: a batch may hold those of many."""
    router = serving.router
    said: dict[str, tracing.Value] = {
        "pointsman__strategy": router.strategy,
        "pointsman__checkpoint": router.checkpoint,
        "pointsman__batch_prompts": len(request.prompts),
    }
    traced = [prompt.traceparent for prompt in request.prompts if prompt.traceparent] if tracing.is_on() else []
    spans = [tracing.begin(f"win rate by {router.strategy}", "SERVER", {"traceparent": each}, **said) for each in traced]
    try:
        yield
    except BaseException as error:
        for span in spans:
            span.fail(type(error).__name__)
        raise
    finally:
        for span in spans:
            span.end()


def _ready_router(build: BuildRouter, settings: StrategySettings) -> Router:
    router = build(settings)
    for text in _WARM_UP:
        router.calculate_strong_win_rates([ScoredPrompt(text)])
    return router


def _what_router_needs(settings: StrategySettings) -> tuple[object, ...]:
    return settings.checkpoint, dict(settings.options), settings.threads


def _to_proto(result: WinRate | NoWinRate) -> pb.ScoreResult:
    if isinstance(result, NoWinRate):
        return pb.ScoreResult(error=result.error)
    return pb.ScoreResult(strong_win_rate=result.strong_win_rate, truncated=result.truncated, embedding_cached=result.embedding_cached)
