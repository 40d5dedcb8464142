"""RouteLLM's Controller as a service: decides, dispatches, accounts. The flow of a request, top to bottom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from controller.batch import in_order, most_in_flight
from controller.body import parse_body
from controller.candidates import Candidate, candidates_of, capable, without_other_tier
from controller.capability import is_guarded
from controller.coalescing import flow
from controller.deadline import Deadline
from controller.decider import Decided, Decider
from controller.dispatch import Ask, Dispatcher
from controller.endpoints import CHAT_COMPLETIONS, ENDPOINTS
from controller.estimate import asked_characters
from controller.exchange import Exchange
from controller.ledger import Ledger
from controller.needs import Needs, chat_needs
from controller.permissions import NOBODY, permitted_backend_plan, permitted_plan, permitted_strategies
from controller.pins import Pins
from controller.plan import Plan, Plans
from controller.scored_text import scored_text
from controller.shadow import Shadow
from controller.spans import note_decision
from pointsman import __version__
from pointsman.runtime import tracing
from pointsman.runtime.decision_headers import decision_headers
from pointsman.runtime.errors import InvalidBody, NotFound, PointsmanError, UnknownStrategy, error_name
from pointsman.runtime.model_string import parse_model_string
from pointsman.runtime.no_such import no_such_sentence
from pointsman.runtime.settings import Settings
from pointsman.v1 import caller_pb2, routing_pb2


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
    caller: caller_pb2.Caller = field(default_factory=lambda: NOBODY)


class Controller:
    """Holds what lives as long as the settings do; each request's state is in its `Exchange`."""

    def __init__(
        self,
        settings: Settings,
        decider: Decider,
        dispatcher: Dispatcher,
        ledger: Ledger,
        pins: Pins,
        shadow: Shadow | None = None,
        in_use: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`in_use` is entered while a request is under way, so that the backends stay open."""
        self._settings = settings
        self._plans = Plans(settings)
        self._shadow = shadow
        self._decider = decider
        self._dispatcher = dispatcher
        self._ledger = ledger
        self._guarded = any(is_guarded(backend) for backend in settings.backends.values())
        self._pins = pins
        self._in_use = in_use

    async def route(
        self,
        request_id: str,
        routing: routing_pb2.RoutingSpec,
        prompt: str | Sequence[Any],
        deadline: Deadline,
        caller: caller_pb2.Caller = NOBODY,
    ) -> routing_pb2.Receipt:
        """Decides and doesn't call. The prompt is text, scored as it is, or an OpenAI body's messages."""
        with self._receipt(request_id, caller) as receipt:
            plan = self._pins.over(permitted_plan(routing, self._plans, caller))
            await self._decide(plan, self._text(prompt), deadline, receipt)
            self._guard(plan, prompt, receipt.decision)
        return receipt

    async def route_batch(
        self,
        request_id: str,
        routing: routing_pb2.RoutingSpec,
        prompts: Sequence[str],
        deadline: Deadline,
        caller: caller_pb2.Caller = NOBODY,
    ) -> list[routing_pb2.Decision | PointsmanError]:
        """Each prompt's decision or why there is none, in order; each is accounted for as a request. Raises what is wrong with the spec."""
        try:
            plan = self._pins.over(permitted_plan(routing, self._plans, caller))
        except PointsmanError:
            with self._receipt(request_id, caller):
                raise

        async def one(prompt: str) -> routing_pb2.Decision | PointsmanError:
            try:
                with self._receipt(request_id, caller) as receipt:
                    await self._decide(plan, self._text(prompt), deadline, receipt)
                    self._guard(plan, prompt, receipt.decision)
            except PointsmanError as error:
                return error
            return receipt.decision

        return await in_order(one, prompts, most_in_flight(self._settings.controller))

    async def compare(
        self, strategies: Sequence[str], prompt: str | Sequence[Any], deadline: Deadline, caller: caller_pb2.Caller = NOBODY
    ) -> list[routing_pb2.Opinion]:
        """Every strategy's opinion of one prompt, all asked at once; no names ask all that the caller may use."""
        strategies = permitted_strategies(strategies, self._settings, caller)
        for name in strategies:
            if name not in self._settings.strategies:
                raise UnknownStrategy(no_such_sentence("strategy", name, self._settings.strategies), param="strategies")
        text = self._text(prompt)
        if not text.strip():
            raise InvalidBody("There is no text to compare strategies on: send a prompt, or a user's message with text.", param="input")
        asked = [self._decider.ask(name, text, "", deadline) for name in strategies]
        return [opinion for opinion, _ in await asyncio.gather(*asked)]

    @asynccontextmanager
    async def exchange(self, call: Call) -> AsyncIterator[Exchange]:
        """Decides and calls the backend; gives the exchange once the backend's response headers are there."""
        begun = monotonic()
        with self._in_use(), self._receipt(call.request_id, call.caller) as receipt:
            endpoint = ENDPOINTS.get(call.endpoint)
            if endpoint is None:
                raise NotFound(f"Nothing answers at {call.endpoint[:64]!r}; there are: {', '.join(ENDPOINTS)}.")
            receipt.endpoint = call.endpoint
            own = self._settings.controller
            body = parse_body(call.body, reads=endpoint.reads, max_bytes=own.max_body_bytes)
            text = endpoint.text(body.fields, own.scored_window)
            routing = _with_model(call.routing, body.model) if call.model_counts else call.routing
            if why := endpoint.unroutable(body.fields):
                plan = permitted_backend_plan(routing, self._settings, call.caller, why)
            else:
                plan = self._pins.over(permitted_plan(routing, self._plans, call.caller, session=body.user))
            await self._decide(plan, text, call.deadline, receipt)
            candidates = self._candidates(plan, lambda: endpoint.needs(body.fields), receipt.decision)
            call.deadline.check()
            ask = Ask(call.endpoint, call.headers, body.with_model, call.deadline)
            receipt.timings.router_s = monotonic() - begun
            async with self._dispatcher.answer(candidates, ask, receipt) as answer:
                yield Exchange(
                    receipt,
                    answer,
                    strong=plan.backends.strong,
                    backends=self._settings.backends,
                    begun=begun,
                    max_bytes=own.max_response_bytes,
                    asked_characters=lambda: asked_characters(body.fields),
                )

    def _guard(self, plan: Plan, prompt: str | Sequence[Any], decision: routing_pb2.Decision) -> None:
        """Of a request that is only decided on, by its messages alone."""
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        self._candidates(plan, lambda: chat_needs({"messages": messages}), decision)

    def _candidates(self, plan: Plan, needs: Callable[[], Needs], decision: routing_pb2.Decision) -> list[Candidate]:
        """Who may answer, in order. Where what was decided lacks what the request needs, the decision becomes the first that doesn't."""
        backends = self._settings.backends
        candidates = candidates_of(plan, decision.tier, backends)
        if self._guarded:
            candidates = capable(candidates, needs(), backends, plan.pair)
        first = candidates[0]
        if first.backend != decision.backend:
            decision.tier, decision.backend, decision.reason = first.tier, first.backend, routing_pb2.REASON_CAPABILITY
            decision.model = backends[first.backend].model
        return candidates if plan.backends.fallback == "other_tier" else without_other_tier(candidates)

    def _text(self, prompt: str | Sequence[Any]) -> str:
        return prompt if isinstance(prompt, str) else scored_text(prompt, self._settings.controller.scored_window)

    async def _decide(self, plan: Plan, text: str, deadline: Deadline, receipt: routing_pb2.Receipt) -> Decided:
        decided = await self._decider.decide(plan, text, deadline)
        receipt.decision.CopyFrom(decided.decision)
        receipt.opinions.extend(decided.opinions)
        receipt.timings.scoring_s = decided.scoring_s
        receipt.calibration = decided.calibration
        if self._shadow:
            self._shadow.follow(plan, text, decided)
        return decided

    @contextmanager
    def _receipt(self, request_id: str, caller: caller_pb2.Caller) -> Iterator[routing_pb2.Receipt]:
        """A receipt that is accounted for however the request ends."""
        receipt = routing_pb2.Receipt(request_id=request_id, version=__version__, caller=caller.name)
        flow.set(caller.name or request_id)
        begun = monotonic()
        self._ledger.begin()
        try:
            yield receipt
        except BaseException as error:
            receipt.error = receipt.error or error_name(error)
            if isinstance(error, PointsmanError) and receipt.HasField("decision"):
                error.decision = dict(decision_headers(receipt.decision))
            raise
        finally:
            receipt.timings.total_s = monotonic() - begun
            receipt.timings.router_s = receipt.timings.router_s or receipt.timings.total_s
            if tracing.is_on():
                note_decision(receipt)
            self._ledger.finish(receipt)


def _with_model(routing: routing_pb2.RoutingSpec, model: str) -> routing_pb2.RoutingSpec:
    """The spec, with the body's model string where it says nothing itself of who decides."""
    if routing.model or routing.strategies or routing.policy:
        return routing
    if not model:
        parse_model_string(model)  # raises: empty is no wish for the default policy
    merged = routing_pb2.RoutingSpec(model=model)
    merged.MergeFrom(routing)
    return merged
