"""What backends answer, POST /v1/chat/completions among it: the body as it came to the controller, the answer as it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from gateway.controller_call import CallCancelled
from gateway.controller_client import ControllerClient
from gateway.deadline import LAST_WORDS_S, TIMEOUT_HEADER, Deadline, asked_timeout, not_taken
from gateway.exchange import CallerGone, Exchange
from gateway.headers import to_backends, trace_context, wants_receipt
from gateway.identity.keyring import caller_metadata
from gateway.limiting.admission import tokens_when_cut
from gateway.limits import Limits
from gateway.places import Places
from gateway.relayed_answer import send_answer
from gateway.whole_answer import may_stream, send_whole
from pointsman.runtime.decision_headers import routing_from_headers
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.v1 import route_service_pb2

RELAYED: Final = ("chat/completions", "completions", "responses", "embeddings")
"""Paths below /v1."""


class Relay:
    """Answers requests to backends, as many at once as there are places whatever their endpoints."""

    def __init__(self, controller: ControllerClient, limits: Limits, places: Places) -> None:
        self._controller = controller
        self._limits = limits
        self._places = places

    @property
    def _settings(self) -> GatewaySettings:
        return self._limits.now

    def to(self, endpoint: str) -> Callable[[Exchange], Awaitable[None]]:
        """The handler of one endpoint, a path below /v1."""
        return partial(self._guarded, endpoint)

    async def _guarded(self, endpoint: str, exchange: Exchange) -> None:
        """Raises `InvalidRequest`, `Overloaded`, `DeadlineExceeded`, `ControllerFailed` and `CallerGone`."""
        with self._places.one():
            await self._answer(endpoint, exchange)

    async def _answer(self, endpoint: str, exchange: Exchange) -> None:
        said = exchange.headers
        deadline = Deadline.after(asked_timeout(said.get(TIMEOUT_HEADER), self._settings.default_timeout_s))
        with_receipt = wants_receipt(said)
        routing = routing_from_headers(said.items())
        body = await exchange.body(self._settings.max_body_bytes, deadline)
        request = route_service_pb2.RelayRequest(endpoint=endpoint, headers=to_backends(list(said.items())), body=body, routing=routing)
        trace = [*trace_context(said), *caller_metadata(exchange.caller)]
        named: Any = {"request_id": exchange.seen.request_id, "timeout_s": deadline.remaining(), "trace": trace}
        try:
            async with asyncio.timeout(deadline.remaining() + LAST_WORDS_S):
                if may_stream(body):
                    call = self._controller.relay(request, **named)
                    with exchange.ended_when_caller_goes(call.cancel):
                        await send_answer(exchange, call, with_receipt=with_receipt, heartbeat_s=self._settings.heartbeat_s)
                        exchange.seen.tokens = await call.tokens()
                else:
                    whole = self._controller.relay_whole(request, **named)
                    with exchange.ended_when_caller_goes(whole.cancel):
                        await send_whole(exchange, whole, with_receipt=with_receipt)
        except BaseException as error:
            exchange.seen.tokens = tokens_when_cut(exchange.seen)
            if isinstance(error, CallCancelled):
                raise CallerGone from None
            if isinstance(error, TimeoutError):
                raise not_taken() from None
            raise
