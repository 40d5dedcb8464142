"""What controllers say without calling a backend, over REST: decisions, opinions, what is there, what has been counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from gateway.admin import TO_EACH
from gateway.controller_call import CallCancelled, ControllerCall
from gateway.controller_client import ControllerClient
from gateway.deadline import LAST_WORDS_S, TIMEOUT_HEADER, Deadline, asked_timeout, not_taken
from gateway.exchange import CallerGone, Exchange
from gateway.grpc_passing import whole
from gateway.headers import Headers, trace_context
from gateway.identity.guard import need_admin
from gateway.identity.keyring import caller_metadata
from gateway.limits import Limits
from gateway.places import Places
from gateway.question import batch_request, compare_request, route_request
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID, routing_from_headers
from pointsman.runtime.error_forms import openai_error_of
from pointsman.runtime.grpc_server import ADMIN_SERVICE, ROUTE_SERVICE
from pointsman.v1 import admin_service_pb2, error_pb2, route_service_pb2

_SMALL: Final = 1 << 16
"""Bytes; what is longer is parsed and written by a thread, so that other requests aren't kept waiting."""
_LISTING_S: Final = 5.0
Result = TypeVar("Result")


class Deciding:
    """The handlers. Each raises `ControllerFailed`, `DeadlineExceeded`, `CallerGone`, `Overloaded` and what its body deserves."""

    def __init__(self, controller: ControllerClient, limits: Limits, places: Places) -> None:
        self._controller = controller
        self._limits = limits
        self._places = places

    async def route(self, exchange: Exchange) -> None:
        """POST /v1/route: what would answer, and why."""
        routing = routing_from_headers(exchange.headers.items())
        await self._ask(exchange, "Route", lambda body: route_request(body, routing), route_service_pb2.RouteResponse)

    async def batch(self, exchange: Exchange) -> None:
        """POST /v1/route/batch: the same for many prompts, each with its decision or its error."""
        routing = routing_from_headers(exchange.headers.items())
        await self._ask(exchange, "RouteBatch", lambda body: batch_request(body, routing), route_service_pb2.RouteBatchResponse)

    async def compare(self, exchange: Exchange) -> None:
        """POST /v1/strategies/compare: what each strategy says of one prompt."""
        await self._ask(exchange, "CompareStrategies", compare_request, route_service_pb2.CompareStrategiesResponse)

    async def strategies(self, exchange: Exchange) -> None:
        """GET /v1/strategies: strategies and their states, calibrations and certificates, pairs, policies."""
        listed = await self._controller.list_strategies(_LISTING_S, caller_metadata(exchange.caller))
        await _answer(exchange, listed, [])

    async def stats(self, exchange: Exchange) -> None:
        """GET /v1/stats: the sum of all controllers' counts. Raises `PermissionDenied` for a caller who may not read /metrics either."""
        need_admin(exchange.caller)
        with self._places.one():
            request = admin_service_pb2.StatsRequest().SerializeToString()
            trace = [*trace_context(exchange.headers), *caller_metadata(exchange.caller)]
            named: Any = {"request_id": exchange.seen.request_id, "timeout_s": _LISTING_S, "trace": trace}
            answers = await self._controller.ask_each(f"/{ADMIN_SERVICE}/Stats", request, **named)
            await _answer(exchange, admin_service_pb2.StatsResponse.FromString(TO_EACH["Stats"](answers)), [])

    async def _ask(self, exchange: Exchange, method: str, read: Callable[[bytes], Message], answer: type[Message]) -> None:
        settings = self._limits.now
        deadline = Deadline.after(asked_timeout(exchange.headers.get(TIMEOUT_HEADER), settings.default_timeout_s))
        with self._places.one():
            body = await exchange.body(settings.max_body_bytes, deadline)
            request = (await _off_the_loop(len(body), partial(read, body))).SerializeToString()
            try:
                async with asyncio.timeout(deadline.remaining() + LAST_WORDS_S):
                    decided, message = await self._called(exchange, f"/{ROUTE_SERVICE}/{method}", request, deadline)
                    await _answer(exchange, answer.FromString(message), decided)
            except TimeoutError:
                raise not_taken() from None

    async def _called(self, exchange: Exchange, path: str, request: bytes, deadline: Deadline) -> tuple[Headers, bytes]:
        """The decision's headers and the one message of the answer; a caller who goes away ends the call."""
        trace = [*trace_context(exchange.headers), *caller_metadata(exchange.caller)]
        calls = list[ControllerCall[bytes]]()

        def start() -> ControllerCall[bytes]:
            named: Any = {"request_id": exchange.seen.request_id, "timeout_s": deadline.remaining(), "trace": trace}
            calls.append(self._controller.forward(path, request, **named))
            return calls[-1]

        def end() -> None:
            for call in calls:
                call.cancel()

        try:
            with exchange.ended_when_caller_goes(end):
                decided, messages = await whole(start)
        except CallCancelled:
            raise CallerGone from None
        _note(exchange, decided)
        return [(name, value) for name, value in decided if name != REQUEST_ID], messages[0]


async def _answer(exchange: Exchange, message: Message, headers: Headers) -> None:
    """In snake case with every field, as the contract names it; 64-bit integers are strings, as protobuf's JSON has them."""
    body = await _off_the_loop(message.ByteSize(), lambda: orjson.dumps(_plain(message)))
    await exchange.answer(200, [("content-type", "application/json"), ("cache-control", "no-store"), *headers], body)


def _plain(message: Message) -> dict[str, Any]:
    if isinstance(message, route_service_pb2.RouteBatchResponse):
        return {"results": [_error(each.error) if each.HasField("error") else _plain(each) for each in message.results]}
    return json_format.MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _error(error: error_pb2.Error) -> dict[str, Any]:
    """In OpenAI's shape, as a request by itself would be told."""
    told: dict[str, Any] = orjson.loads(openai_error_of(error)[1])
    return told


async def _off_the_loop(size: int, work: Callable[[], Result]) -> Result:
    return work() if size <= _SMALL else await asyncio.to_thread(work)


def _note(exchange: Exchange, decided: Headers) -> None:
    said = {name.removeprefix(PREFIX): value for name, value in decided}
    exchange.seen.strategy, exchange.seen.tier, exchange.seen.reason = (said.get(name, "") for name in ("strategy", "tier", "reason"))
