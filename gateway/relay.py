"""What backends answer, POST /v1/chat/completions among it: the body as it came to the controller, the answer as it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from gateway.controller_client import CallCancelled, ControllerCall, ControllerClient
from gateway.deadline import TIMEOUT_HEADER, Deadline, asked_timeout, taken_in_time
from gateway.exchange import CallerGone, Exchange
from gateway.headers import to_backends, trace_context, wants_receipt
from gateway.limits import Limits
from gateway.relayed_answer import send_answer
from pointsman.runtime.decision_headers import routing_from_headers
from pointsman.runtime.errors import Overloaded
from pointsman.runtime.settings import GatewaySettings
from pointsman.v1 import route_service_pb2

RELAYED: Final = ("chat/completions", "completions", "responses", "embeddings")
"""Paths below /v1."""


class Relay:
    """Answers requests to backends, at most `max_concurrent` at once whatever their endpoints."""

    def __init__(self, controller: ControllerClient, limits: Limits) -> None:
        self._controller = controller
        self._limits = limits
        self._running = 0

    @property
    def _settings(self) -> GatewaySettings:
        return self._limits.now

    def to(self, endpoint: str) -> Callable[[Exchange], Awaitable[None]]:
        """The handler of one endpoint, a path below /v1."""
        return partial(self._guarded, endpoint)

    async def _guarded(self, endpoint: str, exchange: Exchange) -> None:
        """Raises `InvalidRequest`, `Overloaded`, `DeadlineExceeded`, `ControllerFailed` and `CallerGone`."""
        if self._running >= self._settings.max_concurrent:
            raise Overloaded("The gateway has as many requests in progress as it may; try again shortly.", retry_after_s=1)
        self._running += 1
        try:
            await self._answer(endpoint, exchange)
        finally:
            self._running -= 1

    async def _answer(self, endpoint: str, exchange: Exchange) -> None:
        said = exchange.headers
        deadline = Deadline.after(asked_timeout(said.get(TIMEOUT_HEADER), self._settings.default_timeout_s))
        with_receipt = wants_receipt(said)
        routing = routing_from_headers(said.items())
        body = await exchange.body(self._settings.max_body_bytes, deadline)
        request = route_service_pb2.RelayRequest(endpoint=endpoint, headers=to_backends(list(said.items())), body=body, routing=routing)
        call = self._controller.relay(
            request, request_id=exchange.seen.request_id, timeout_s=deadline.remaining(), trace=trace_context(said)
        )
        async with _cancelled_when_caller_goes(exchange, call), taken_in_time(deadline.remaining()):
            await send_answer(exchange, call, with_receipt=with_receipt)


@asynccontextmanager
async def _cancelled_when_caller_goes(exchange: Exchange, call: ControllerCall[Any]) -> AsyncIterator[None]:
    """Cancels the call the moment the caller closes the connection. Raises `CallerGone`."""

    async def watch() -> None:
        await exchange.gone()
        call.cancel()

    watcher = asyncio.get_running_loop().create_task(watch())
    try:
        yield
    except CallCancelled:
        raise CallerGone from None
    finally:
        watcher.cancel()
        call.cancel()
