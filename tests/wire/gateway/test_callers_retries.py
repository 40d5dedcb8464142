"""A gRPC caller's own retry policy works against a gateway: what failed before anything was answered is tried again by its channel."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from gateway.service import Gateway, serving
from pointsman.client import AsyncClient, RouteError
from pointsman.runtime.errors import Unavailable
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.canary import PROMPT
from tests.wire.gateway.conftest import client_of, eventually, settings_for
from tests.wire.gateway.scripted_controller import DECISION, ScriptedController, controller_on

if TYPE_CHECKING:
    from pointsman.v1.route_service_pb2_grpc import RouteServiceAsyncStub as Stub

Call = Callable[["Stub"], Coroutine[Any, Any, None]]
_ROUTE = route_service_pb2.RouteRequest(prompt=PROMPT)
_HANG = route_service_pb2.RouteRequest(prompt="hang")


async def _route(stub: Stub) -> None:
    assert (await stub.Route(_ROUTE, timeout=60)).decision == DECISION


async def _whole(stub: Stub) -> None:
    assert (await stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(body=b"{}"), timeout=60)).id == "1"


async def _streamed(stub: Stub) -> None:
    call = stub.StreamChatCompletion(route_service_pb2.StreamChatCompletionRequest(body=b"{}"), timeout=60)
    assert [event.WhichOneof("event") async for event in call] == ["chunk", "chunk", "receipt"]


async def _relayed(stub: Stub) -> None:
    call = stub.Relay(route_service_pb2.RelayRequest(body=b"{}"), timeout=60)
    assert [event.WhichOneof("event") async for event in call] == ["started", "bytes", "finished"]


@asynccontextmanager
async def _retrying(gateway: Gateway, code: str) -> AsyncIterator[Stub]:
    """A stub whose channel tries again on this code, five times at most."""
    policy = {"maxAttempts": 5, "initialBackoff": "0.3s", "maxBackoff": "2s", "backoffMultiplier": 2, "retryableStatusCodes": [code]}
    config = {"methodConfig": [{"name": [{"service": "pointsman.v1.RouteService"}], "retryPolicy": policy}]}
    options = [("grpc.service_config", json.dumps(config))]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}", options=options) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        yield stub


async def _ended(gateway: Gateway, code: str) -> int:
    """How many calls the gateway has ended so."""
    async with client_of(gateway) as client:
        text = (await client.get("/metrics")).text
    found = re.findall(rf'^pointsman_gateway_requests_total\{{.*protocol="grpc",status="{code}"\}} (\S+)$', text, re.MULTILINE)
    return int(sum(map(float, found)))


@pytest.mark.parametrize("call", [_route, _whole, _streamed, _relayed])
async def test_a_call_while_the_controller_is_down_is_tried_again(call: Call) -> None:
    """Unary calls and streams: once the gateway has said UNAVAILABLE the controller comes up, and the caller sees only the answer."""
    async with controller_on(ScriptedController()) as gone:
        port = gone.port
    async with serving(settings_for(port)) as gateway, _retrying(gateway, "UNAVAILABLE") as stub:
        asked = asyncio.create_task(call(stub))
        while not await _ended(gateway, "UNAVAILABLE"):
            assert not asked.done(), asked.exception()
            await asyncio.sleep(0.02)
        async with controller_on(ScriptedController(), port):
            await asked


async def test_what_the_controller_refuses_for_now_is_tried_again(gateway: Gateway, controller: ScriptedController) -> None:
    """Its channel to the gateway is the gateway's; whether a caller comes back is the caller's to say."""
    controller.failure = Unavailable("starting")
    async with _retrying(gateway, "UNAVAILABLE") as stub:
        asked = asyncio.create_task(_route(stub))
        await eventually(lambda: bool(controller.metadata))
        controller.failure = None
        await asked
    assert len(controller.metadata) > 1


async def test_what_a_full_gateway_refuses_is_tried_again(controller: ScriptedController) -> None:
    """Where the policy names RESOURCE_EXHAUSTED; the client of ours names UNAVAILABLE alone."""
    async with serving(settings_for(controller.port, max_concurrent=1)) as gateway, _retrying(gateway, "RESOURCE_EXHAUSTED") as stub:
        occupying = stub.Route(_HANG)
        await controller.running.wait()
        asked = asyncio.create_task(_route(stub))
        while not await _ended(gateway, "RESOURCE_EXHAUSTED"):
            assert not asked.done(), asked.exception()
            await asyncio.sleep(0.02)
        occupying.cancel()
        await asked


@pytest.mark.parametrize("call", [_route, _whole, _streamed, _relayed])
async def test_a_failed_call_has_its_request_id_behind_the_error(call: Call) -> None:
    """And no initial metadata, which would forbid another try."""
    async with controller_on(ScriptedController()) as gone:
        port = gone.port
    async with serving(settings_for(port)) as gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(stub)
        assert not list(caught.value.initial_metadata())
        assert dict(caught.value.trailing_metadata())["x-pointsman-request-id"]


async def test_our_client_finds_the_request_id_of_a_failed_call(gateway: Gateway, controller: ScriptedController) -> None:
    """Of what the gateway refuses by itself and of what the controller does, after three tries of each."""
    controller.failure = Unavailable("starting")
    said = {"x-pointsman-request-id": "mine"}
    async with AsyncClient(f"127.0.0.1:{gateway.grpc_port}") as client:
        with pytest.raises(RouteError, match="starting"):
            await client.route(PROMPT, metadata=said)
        assert len(controller.metadata) == 3
    async with serving(settings_for(1)) as alone, AsyncClient(f"127.0.0.1:{alone.grpc_port}") as client:
        with pytest.raises(RouteError) as raised:
            await client.route(PROMPT, metadata=said)
        assert (raised.value.reason, raised.value.request_id) == ("UNAVAILABLE", "mine")
        assert await _ended(alone, "UNAVAILABLE") == 3
