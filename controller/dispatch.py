"""Gets an answer (rule 5): tries a backend, again where that is safe, then the next one; all of it before the first byte of an answer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from controller.attempts import Attempt
from controller.backends import Answer, Backends
from controller.breaker import Breaker, Clock, Permit, State
from controller.budget import Budget
from controller.candidates import Candidate
from controller.deadline import Deadline
from controller.retrying import BreakerOpen, wait_before_retry
from controller.spans import begun_call, headers_under
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import (
    BackendError,
    FallbackCapped,
)
from pointsman.runtime.settings import Settings
from pointsman.v1 import routing_pb2

log = structlog.get_logger()


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
        attempt, answer = await self._first_answer(candidates, ask, receipt)
        try:
            yield answer
        except BaseException as error:
            attempt.failed(error)
            raise
        finally:
            await attempt.close()

    async def _first_answer(self, candidates: Sequence[Candidate], ask: Ask, receipt: routing_pb2.Receipt) -> tuple[Attempt, Answer]:
        first, *others = candidates
        try:
            return await self._tried(first, ask, receipt)
        except BackendError as error:
            failure, capped = error, False
        for candidate in others:
            spends = candidate.tier == routing_pb2.TIER_STRONG != first.tier
            if spends and not self._is_open(candidate) and not self._to_strong.take():
                capped = True
                continue
            try:
                answered = await self._tried(candidate, ask, receipt)
            except BackendError:
                continue
            decision = receipt.decision
            decision.tier, decision.backend, decision.reason = candidate.tier, candidate.backend, routing_pb2.REASON_BACKEND_FALLBACK
            decision.model = self._settings[candidate.backend].model
            return answered
        try:
            if capped:
                raise FallbackCapped(
                    f"{failure.message} Enough requests have fallen back to strong lately (fallback_to_strong_cap); try again shortly.",
                    backend=failure.backend,
                    retry_after_s=failure.retry_after_s or 1,
                ) from failure
            raise failure
        finally:
            del failure  # its traceback holds this frame

    async def _tried(self, candidate: Candidate, ask: Ask, receipt: routing_pb2.Receipt) -> tuple[Attempt, Answer]:
        """One backend's answer, by its retries."""
        own, budget, retries = self._settings[candidate.backend], self._retries[candidate.backend], 0
        budget.add()
        while True:
            try:
                return await self._called(candidate, ask, receipt)
            except BackendError as error:
                wait_s = wait_before_retry(error, own, retries)
                if wait_s is None or wait_s >= ask.deadline.remaining() or self._is_open(candidate) or not budget.take():
                    raise
            retries += 1
            await asyncio.sleep(wait_s)

    async def _called(self, candidate: Candidate, ask: Ask, receipt: routing_pb2.Receipt) -> tuple[Attempt, Answer]:
        """One call. Whoever gets its answer closes the attempt."""
        name = candidate.backend
        span = begun_call(self._settings[name], name, ask.endpoint)
        attempt = Attempt(receipt, candidate, span)
        try:
            attempt.permit = self._permit(name)
            body = ask.body(self._settings[name].model)
            answer = await self._backends.open(name, ask.endpoint, headers_under(span, ask.headers), body, ask.deadline)
        except BaseException as error:
            attempt.failed(error)
            await attempt.close()
            raise
        attempt.answered(answer)
        return attempt, answer

    def _is_open(self, candidate: Candidate) -> bool:
        breaker = self._breakers.get(candidate.backend)
        return breaker is not None and breaker.state is State.OPEN and breaker.retry_after_s > 0

    def _permit(self, name: str) -> Permit | None:
        """The breaker's leave for one call, None where there is no breaker. Raises `BreakerOpen` where it isn't given."""
        if (breaker := self._breakers.get(name)) is None:
            return None
        if (permit := breaker.admit()) is None:
            wait_s = max(0.001, breaker.retry_after_s)
            message = f"The backend {name} kept failing and isn't called for a while; try again in {math.ceil(wait_s)} s."
            raise BreakerOpen(message, backend=name, retry_after_s=wait_s)
        return permit


def _telling(name: str, changed: Callable[[str, State], None]) -> Callable[[State], None]:
    def tell(state: State) -> None:
        (log.info if state is State.CLOSED else log.warning)("breaker", backend=name, state=state.name.lower())
        changed(name, state)

    return tell
