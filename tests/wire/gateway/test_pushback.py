"""An error that says when to come back says it to the retry policy of its caller's channel too: `grpc-retry-pushback-ms`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from gateway.service import Gateway, serving
from pointsman.client import AsyncClient, RouteError
from pointsman.runtime import errors
from pointsman.runtime.errors import Overloaded, PointsmanError, Unavailable
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.canary import PROMPT
from tests.wire.gateway.conftest import settings_for
from tests.wire.gateway.retrying import ROUTE, Call, relayed, retrying, route
from tests.wire.gateway.scripted_controller import Context, ScriptedController, controller_on, plays

_KEY = "grpc-retry-pushback-ms"
_EXHAUSTED = "RESOURCE_EXHAUSTED"
_WAIT_S = 0.2
# By its own clock a channel would come back far too soon, or not before its call's deadline.
_SOON, _LATE = ("0.001s", "0.001s"), ("1000s", "1000s")


class _Failing(ScriptedController):
    """The next calls fail so, one each; those after them don't."""

    def __init__(self, *failures: PointsmanError) -> None:
        super().__init__()
        self.failures = list(failures)

    async def Route(self, request: route_service_pb2.RouteRequest, context: Context) -> route_service_pb2.RouteResponse:
        self.failure = self.failures.pop(0) if self.failures else None
        return await super().Route(request, context)

    async def Relay(self, request: route_service_pb2.RelayRequest, context: Context) -> None:  # type: ignore[override]  # as its parent's
        if self.failures:
            self._remember(context)
            await plays(self.failures.pop(0))(request, context)
        await super().Relay(request, context)


@asynccontextmanager
async def _failing(*failures: PointsmanError) -> AsyncIterator[tuple[Gateway, ScriptedController]]:
    async with controller_on(_Failing(*failures)) as controller, serving(settings_for(controller.port)) as gateway:
        yield gateway, controller


async def _trailing(gateway: Gateway) -> dict[str, Any]:
    """Of an error, as a channel without a policy gets it."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Route(ROUTE, timeout=20)
        return dict(caught.value.trailing_metadata())


@pytest.mark.parametrize("backoff", [_SOON, _LATE], ids=["soon", "late"])
@pytest.mark.parametrize("call", [route, relayed])
async def test_a_channel_comes_back_when_it_was_told(call: Call, backoff: tuple[str, str]) -> None:
    """Each time anew, and whatever its own clock says; of a stream, before its first message."""
    async with (
        _failing(*[Overloaded("full", retry_after_s=_WAIT_S)] * 2) as (gateway, controller),
        retrying(gateway, _EXHAUSTED, *backoff) as stub,
    ):
        began = time.monotonic()
        await call(stub)
        assert time.monotonic() - began >= 2 * _WAIT_S
    assert len(controller.metadata) == 3


async def test_a_stream_that_has_begun_is_not_tried_again() -> None:
    """Whatever its error says."""
    async with controller_on(ScriptedController()) as controller, serving(settings_for(controller.port)) as gateway:
        controller.failure = Overloaded("full", retry_after_s=0.01)
        async with retrying(gateway, _EXHAUSTED, *_SOON) as stub:
            answer = stub.StreamChatCompletion(route_service_pb2.StreamChatCompletionRequest(body=b"{}"), timeout=20)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                assert [event async for event in answer] == []
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(controller.metadata) == 1


@pytest.mark.parametrize(
    ("error", "timeout_s"),
    [
        (Overloaded("full", retry_after_s=20.5), 20),
        (Overloaded("full", retry_after_s=30), None),  # the settings' default_timeout_s
        (errors.BodyTooLarge("long"), 20),
    ],
    ids=["longer than the call has", "longer than a call without a deadline has", "not mended by waiting"],
)
async def test_what_no_waiting_mends_is_told_at_once(error: PointsmanError, timeout_s: float | None) -> None:
    """A channel that waited would lose the reason to its deadline."""
    async with _failing(error) as (gateway, controller), retrying(gateway, _EXHAUSTED, *_SOON) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match=error.message) as caught:
            await stub.Route(ROUTE, timeout=timeout_s)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(controller.metadata) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Overloaded("full", retry_after_s=1.5), "1500"),
        (errors.RateLimited("enough", retry_after_s=0.0011), "2"),
        (errors.BackendUnreachable("gone", retry_after_s=1), "1000"),
        (errors.BackendRateLimited("slow down", retry_after_s=3600), "-1"),
        (Unavailable("starting"), None),
        (errors.BackendFailed("500"), None),
        (errors.BackendFailed("503", retry_after_s=0), None),
        (errors.InvalidBody("no"), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, PointsmanError) else value,
)
async def test_what_is_told(error: PointsmanError, told: str | None) -> None:
    """By retry_after_s. That the controller tells its gateways -1, whatever it is, is between the two."""
    async with _failing(error) as (gateway, _):
        assert (await _trailing(gateway)).get(_KEY) == told


async def test_a_full_gateway_says_it_too(controller: ScriptedController) -> None:
    """Of itself, as of one that finds no controller."""
    async with serving(settings_for(controller.port, max_concurrent=1)) as full, AsyncClient(f"127.0.0.1:{full.grpc_port}") as client:
        occupying = asyncio.create_task(client.route("hang"))
        await controller.running.wait()
        assert (await _trailing(full))[_KEY] == "1000"
        occupying.cancel()
    async with serving(settings_for(1)) as alone:
        assert (await _trailing(alone))[_KEY] == "1000"


async def test_our_client_waits_once_for_each_try() -> None:
    """Its channel does, in the place of its backoff; the last error is raised at once, and what it says is the caller's to wait for."""
    failures = [Unavailable("starting", retry_after_s=seconds) for seconds in (_WAIT_S, _WAIT_S, 20)]
    async with _failing(*failures) as (gateway, controller), AsyncClient(f"127.0.0.1:{gateway.grpc_port}", timeout=60) as client:
        began = time.monotonic()
        with pytest.raises(RouteError) as raised:
            await client.route(PROMPT)
        assert 2 * _WAIT_S <= time.monotonic() - began < 15
    assert (raised.value.retry_after_s, len(controller.metadata)) == (20, 3)
