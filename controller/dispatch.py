"""Gets an answer (rule 5): tries a backend, again where that is safe, then the next one; all of it before the first byte of an answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

import structlog

from controller.backends import Answer, Backends
from controller.breaker import Breaker, Clock, Permit, State
from controller.budget import Budget
from controller.candidates import Candidate
from controller.deadline import Deadline
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import (
    BackendCut,
    BackendError,
    BackendFailed,
    BackendTimeout,
    BackendUnreachable,
    FallbackCapped,
    error_name,
)
from pointsman.runtime.settings import Settings
from pointsman.v1 import routing_pb2

log = structlog.get_logger()
BREAKER_OPEN: Final = "BREAKER_OPEN"
"""The `error` of an attempt that an open breaker spared."""


class BreakerOpen(BackendUnreachable):
    """The backend wasn't called."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What goes to whichever backend answers; `body` gives its bytes for a model's name."""

    endpoint: str
    headers: Sequence[tuple[str, str]]
    body: Callable[[str], bytes]
    deadline: Deadline


class Dispatcher:
    """Holds each backend's breaker and retry budget, and the budget of what falls back to strong; a restart forgets them."""

    def __init__(
        self, settings: Settings, backends: Backends, breaker_changed: Callable[[str, State], None], clock: Clock = time.monotonic
    ) -> None:
        self._settings: Mapping[str, BackendSettings] = settings.backends
        self._backends = backends
        self._retries = {name: Budget(each.retry_share) for name, each in settings.backends.items()}
        self._to_strong = Budget(settings.controller.fallback_to_strong_cap)
        self._breakers: dict[str, Breaker] = {}
        for name, each in settings.backends.items():
            breaker_changed(name, State.CLOSED)
            if each.breaker:
                self._breakers[name] = Breaker(each.breaker, clock, _telling(name, breaker_changed))

    @asynccontextmanager
    async def answer(self, candidates: Sequence[Candidate], ask: Ask, receipt: routing_pb2.Receipt) -> AsyncIterator[Answer]:
        """The answer of the first candidate that gives one; the receipt's decision then says whose it is.

        Where none does, the first one's `BackendError` is raised, or `FallbackCapped` where a strong backend might have answered.
        Once there is an answer, nothing that goes wrong with it leads to another call.
        """
        self._to_strong.add()
        async with AsyncExitStack() as stack:
            yield await self._first_answer(stack, candidates, ask, receipt)

    async def _first_answer(self, stack: AsyncExitStack, candidates: Sequence[Candidate], ask: Ask, receipt: routing_pb2.Receipt) -> Answer:
        first, *others = candidates
        try:
            return await self._tried(stack, first, ask, receipt)
        except BackendError as error:
            failure, capped = error, False
        for candidate in others:
            spends = candidate.tier == routing_pb2.TIER_STRONG != first.tier
            if spends and not self._is_open(candidate) and not self._to_strong.take():
                capped = True
                continue
            try:
                answer = await self._tried(stack, candidate, ask, receipt)
            except BackendError:
                continue
            decision = receipt.decision
            decision.tier, decision.backend, decision.reason = candidate.tier, candidate.backend, routing_pb2.REASON_BACKEND_FALLBACK
            decision.model = self._settings[candidate.backend].model
            return answer
        if capped:
            raise FallbackCapped(
                f"{failure.message} Enough requests have fallen back to strong lately (fallback_to_strong_cap).",
                backend=failure.backend,
                retry_after_s=failure.retry_after_s or 1,
            ) from failure
        raise failure

    async def _tried(self, stack: AsyncExitStack, candidate: Candidate, ask: Ask, receipt: routing_pb2.Receipt) -> Answer:
        """One backend's answer, by its retries."""
        own, budget, retries = self._settings[candidate.backend], self._retries[candidate.backend], 0
        budget.add()
        while True:
            try:
                return await stack.enter_async_context(self._called(candidate, ask, receipt))
            except BackendError as error:
                wait_s = wait_before_retry(error, own, retries)
                if wait_s is None or wait_s >= ask.deadline.remaining() or self._is_open(candidate) or not budget.take():
                    raise
            retries += 1
            await asyncio.sleep(wait_s)

    @asynccontextmanager
    async def _called(self, candidate: Candidate, ask: Ask, receipt: routing_pb2.Receipt) -> AsyncIterator[Answer]:
        """One call, noted in the receipt and told to the breaker."""
        name = candidate.backend
        with _noted(receipt, candidate) as answered, self._permitted(name) as permit:
            body = ask.body(self._settings[name].model)
            async with self._backends.open(name, ask.endpoint, ask.headers, body, ask.deadline) as answer:
                answered(answer.status)
                if permit:
                    permit.succeeded()
                    answer = replace(answer, pieces=_watched(answer.pieces, permit))
                yield answer

    def _is_open(self, candidate: Candidate) -> bool:
        breaker = self._breakers.get(candidate.backend)
        return breaker is not None and breaker.state is State.OPEN and breaker.retry_after_s > 0

    @contextmanager
    def _permitted(self, name: str) -> Iterator[Permit | None]:
        """The breaker's leave for one call. Raises `BreakerOpen` where it isn't given."""
        if (breaker := self._breakers.get(name)) is None:
            yield None
            return
        if (permit := breaker.admit()) is None:
            message = f"The backend {name} kept failing and isn't called for a while."
            raise BreakerOpen(message, backend=name, retry_after_s=max(0.001, breaker.retry_after_s))
        try:
            yield permit
        except BackendError as error:
            if _is_unwell(error):
                permit.failed()
            permit.succeeded()
            raise
        finally:
            permit.released()


def wait_before_retry(error: BackendError, own: BackendSettings, retries: int) -> float | None:
    """Seconds to wait before the backend is tried again after so many retries; None where it isn't.

    Full jitter: anything from 0 to a bound that doubles. A Retry-After counts where it is longer.
    """
    lost_unanswered = isinstance(error, BackendUnreachable) and not isinstance(error, BreakerOpen)
    if retries >= own.retries or not (lost_unanswered or error.answered in own.retry_statuses):
        return None
    if error.wait_s is not None and error.wait_s > own.max_retry_after_s:
        return None
    backoff = random.uniform(0, min(own.max_backoff_s, own.backoff_s * 2**retries))
    return max(backoff, error.wait_s or 0.0)


def _telling(name: str, changed: Callable[[str, State], None]) -> Callable[[State], None]:
    def tell(state: State) -> None:
        (log.info if state is State.CLOSED else log.warning)("breaker", backend=name, state=state.name.lower())
        changed(name, state)

    return tell


async def _watched(pieces: AsyncIterator[bytes], permit: Permit) -> AsyncIterator[bytes]:
    """The pieces; an answer that breaks off is a failure of the backend that began it."""
    try:
        async for piece in pieces:
            yield piece
    except (BackendCut, BackendTimeout):
        permit.failed()
        raise


def _is_unwell(error: BackendError) -> bool:
    """A rate limit, a refused key and what a request was refused for are the answers of a sound backend."""
    return isinstance(error, BackendUnreachable | BackendTimeout | BackendFailed | BackendCut) and not 0 < error.answered < 500


@contextmanager
def _noted(receipt: routing_pb2.Receipt, candidate: Candidate) -> Iterator[Callable[[int], None]]:
    """Notes one call in the receipt: `answered(status)` at its first byte, or the error that came instead."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    attempt = receipt.attempts.add(backend=candidate.backend, tier=candidate.tier)

    def answered(status: int) -> None:
        attempt.http_status = status
        attempt.elapsed_s = receipt.timings.first_byte_s = clock() - begun

    try:
        yield answered
    except BaseException as error:
        attempt.error = BREAKER_OPEN if isinstance(error, BreakerOpen) else error_name(error)
        attempt.elapsed_s = attempt.elapsed_s or clock() - begun
        if isinstance(error, BackendError) and not attempt.http_status:
            attempt.http_status = error.answered
        raise
