"""RouteLLM's Controller as a service: decides, dispatches, accounts. The flow of a request, top to bottom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from controller.backends import Backends
from controller.body import parse_chat_body
from controller.deadline import Deadline
from controller.decider import Decided, Decider
from controller.estimate import characters_of
from controller.exchange import Exchange
from controller.ledger import Ledger
from controller.pins import Pins
from controller.plan import Plan, make_plan
from controller.scored_text import scored_text
from pointsman import __version__
from pointsman.runtime.decision_headers import decision_headers
from pointsman.runtime.errors import Cancelled, InvalidBody, NotFound, PointsmanError, UnknownStrategy, declared, wire_form
from pointsman.runtime.model_string import parse_model_string
from pointsman.runtime.settings import Settings
from pointsman.v1 import routing_pb2

CHAT_COMPLETIONS = "chat/completions"
ENDPOINTS = frozenset({CHAT_COMPLETIONS})


@dataclass(frozen=True, slots=True)
class Call:
    """A request to decide on and answer."""

    request_id: str
    deadline: Deadline
    routing: routing_pb2.RoutingSpec
    body: bytes
    endpoint: str = CHAT_COMPLETIONS
    headers: Sequence[tuple[str, str]] = ()
    model_counts: bool = True
    """Whether the body's `model` says how to route; false for a body of our own making."""


class Controller:
    """Holds what lives as long as the settings do; each request's state is in its `Exchange`."""

    def __init__(
        self,
        settings: Settings,
        decider: Decider,
        backends: Backends,
        ledger: Ledger,
        pins: Pins,
        in_use: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`in_use` is entered while a request is under way, so that the backends stay open."""
        self._settings = settings
        self._decider = decider
        self._backends = backends
        self._ledger = ledger
        self._pins = pins
        self._in_use = in_use

    async def route(
        self, request_id: str, routing: routing_pb2.RoutingSpec, prompt: str | Sequence[Any], deadline: Deadline
    ) -> routing_pb2.Receipt:
        """Decides and doesn't call. The prompt is text, scored as it is, or an OpenAI body's messages."""
        with self._receipt(request_id) as receipt:
            plan = self._pins.over(make_plan(routing, self._settings))
            await self._decide(plan, self._text(prompt), deadline, receipt)
        return receipt

    async def compare(self, strategies: Sequence[str], prompt: str | Sequence[Any], deadline: Deadline) -> list[routing_pb2.Opinion]:
        """Every strategy's opinion of one prompt, all asked at once; no names ask all."""
        for name in strategies:
            if name not in self._settings.strategies:
                known = ", ".join(sorted(self._settings.strategies))
                raise UnknownStrategy(f"No strategy is named {name[:64]!r}; there are: {known}.", param="strategies")
        text = self._text(prompt)
        if not text.strip():
            raise InvalidBody("There is no user text to compare strategies on.", param="input")
        asked = [self._decider.ask(name, text, "", deadline) for name in strategies or self._settings.strategies]
        return [opinion for opinion, _ in await asyncio.gather(*asked)]

    @asynccontextmanager
    async def exchange(self, call: Call) -> AsyncIterator[Exchange]:
        """Decides and calls the backend; gives the exchange once the backend's response headers are there."""
        begun = asyncio.get_running_loop().time()
        with self._in_use(), self._receipt(call.request_id) as receipt:
            if call.endpoint not in ENDPOINTS:
                raise NotFound(f"Nothing answers at {call.endpoint[:64]!r}.")
            body = parse_chat_body(call.body, max_bytes=self._settings.controller.max_body_bytes)
            routing = _with_model(call.routing, body.model) if call.model_counts else call.routing
            plan = self._pins.over(make_plan(routing, self._settings, session=body.user))
            decided = await self._decide(plan, self._text(body.messages), call.deadline, receipt)
            call.deadline.check()
            with self._attempt(receipt) as answered:
                opened = self._backends.open(
                    decided.decision.backend, call.endpoint, call.headers, body.with_model(decided.decision.model), call.deadline
                )
                async with opened as answer:
                    answered(answer.status)
                    yield Exchange(
                        receipt,
                        answer,
                        strong=plan.backends.strong,
                        backends=self._settings.backends,
                        begun=begun,
                        max_bytes=self._settings.controller.max_response_bytes,
                        asked_characters=characters_of(body.messages),
                    )

    def _text(self, prompt: str | Sequence[Any]) -> str:
        return prompt if isinstance(prompt, str) else scored_text(prompt, self._settings.controller.scored_window)

    async def _decide(self, plan: Plan, text: str, deadline: Deadline, receipt: routing_pb2.Receipt) -> Decided:
        decided = await self._decider.decide(plan, text, deadline)
        receipt.decision.CopyFrom(decided.decision)
        receipt.opinions.extend(decided.opinions)
        receipt.timings.scoring_s = decided.scoring_s
        receipt.calibration = decided.calibration
        return decided

    @contextmanager
    def _receipt(self, request_id: str) -> Iterator[routing_pb2.Receipt]:
        """A receipt that is accounted for however the request ends."""
        receipt = routing_pb2.Receipt(request_id=request_id, version=__version__)
        clock = asyncio.get_running_loop().time
        begun = clock()
        self._ledger.begin()
        try:
            yield receipt
        except BaseException as error:
            receipt.error = receipt.error or _error_name(error)
            if isinstance(error, PointsmanError) and receipt.HasField("decision"):
                error.decision = dict(decision_headers(receipt.decision))
            raise
        finally:
            receipt.timings.total_s = clock() - begun
            self._ledger.finish(receipt)

    @contextmanager
    def _attempt(self, receipt: routing_pb2.Receipt) -> Iterator[Any]:
        """Notes one call to a backend: `answered(status)` at its first byte, or the error that came instead."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        attempt = receipt.attempts.add(backend=receipt.decision.backend, tier=receipt.decision.tier)

        def answered(status: int) -> None:
            attempt.http_status = status
            attempt.elapsed_s = receipt.timings.first_byte_s = clock() - begun

        try:
            yield answered
        except BaseException as error:
            attempt.error = _error_name(error)
            attempt.elapsed_s = attempt.elapsed_s or clock() - begun
            raise


def _with_model(routing: routing_pb2.RoutingSpec, model: str) -> routing_pb2.RoutingSpec:
    """The spec, with the body's model string where it says nothing itself of who decides."""
    if routing.model or routing.strategies or routing.policy:
        return routing
    if not model:
        parse_model_string(model)  # raises: empty is no wish for the default policy
    merged = routing_pb2.RoutingSpec(model=model)
    merged.MergeFrom(routing)
    return merged


def _error_name(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return wire_form(Cancelled("")).reason
    return wire_form(declared(error)).reason
