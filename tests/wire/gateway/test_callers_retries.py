"""A gRPC caller's own retry policy works against a gateway: what failed before anything was answered is tried again by its channel."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import grpc
import pytest

from gateway.service import Gateway, serving
from pointsman.client import AsyncClient, RouteError
from pointsman.runtime.errors import Unavailable
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.canary import PROMPT
from tests.wire.gateway.conftest import client_of, eventually, settings_for
from tests.wire.gateway.retrying import Call, relayed, retrying, route, streamed, whole
from tests.wire.gateway.scripted_controller import ScriptedController, controller_on

_HANG = route_service_pb2.RouteRequest(prompt="hang")


async def _ended(gateway: Gateway, code: str) -> int:
    """How many calls the gateway has ended so."""
    async with client_of(gateway) as client:
        text = (await client.get("/metrics")).text
    found = re.findall(rf'^pointsman_gateway_requests_total\{{.*protocol="grpc",status="{code}"\}} (\S+)$', text, re.MULTILINE)
    return int(sum(map(float, found)))


@pytest.mark.parametrize("call", [route, whole, streamed, relayed])
async def test_a_call_while_the_controller_is_down_is_tried_again(call: Call) -> None:
    """Unary calls and streams: once the gateway has said UNAVAILABLE the controller comes up, and the caller sees only the answer."""
    async with controller_on(ScriptedController()) as gone:
        port = gone.port
    async with serving(settings_for(port)) as gateway, retrying(gateway, "UNAVAILABLE") as stub:
        asked = asyncio.create_task(call(stub))
        while not await _ended(gateway, "UNAVAILABLE"):
            assert not asked.done(), asked.exception()
            await asyncio.sleep(0.02)
        async with controller_on(ScriptedController(), port):
            await asked


async def test_what_the_controller_refuses_for_now_is_tried_again(gateway: Gateway, controller: ScriptedController) -> None:
    """Its channel to the gateway is the gateway's; whether a caller comes back is the caller's to say."""
    controller.failure = Unavailable("starting")
    async with retrying(gateway, "UNAVAILABLE") as stub:
        asked = asyncio.create_task(route(stub))
        await eventually(lambda: bool(controller.metadata))
        controller.failure = None
        await asked
    assert len(controller.metadata) > 1


async def test_what_a_full_gateway_refuses_is_tried_again(controller: ScriptedController) -> None:
    """Where the policy names RESOURCE_EXHAUSTED; the client of ours names UNAVAILABLE alone."""
    async with serving(settings_for(controller.port, max_concurrent=1)) as gateway, retrying(gateway, "RESOURCE_EXHAUSTED") as stub:
        occupying = stub.Route(_HANG)
        await controller.running.wait()
        asked = asyncio.create_task(route(stub))
        while not await _ended(gateway, "RESOURCE_EXHAUSTED"):
            assert not asked.done(), asked.exception()
            await asyncio.sleep(0.02)
        occupying.cancel()
        await asked


@pytest.mark.parametrize("call", [route, whole, streamed, relayed])
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
    """Of what the controller refuses, after three tries, and of what the gateway does by itself."""
    controller.failure = Unavailable("starting")
    said = {"x-pointsman-request-id": "mine"}
    async with AsyncClient(f"127.0.0.1:{gateway.grpc_port}") as client:
        with pytest.raises(RouteError, match="starting"):
            await client.route(PROMPT, metadata=said)
        assert len(controller.metadata) == 3
    controller.failure = None
    async with serving(settings_for(controller.port, max_concurrent=1)) as full, AsyncClient(f"127.0.0.1:{full.grpc_port}") as client:
        occupying = asyncio.create_task(client.route("hang"))
        await controller.running.wait()
        with pytest.raises(RouteError) as raised:
            await client.route(PROMPT, metadata=said)
        assert (raised.value.reason, raised.value.request_id) == ("OVERLOADED", "mine")
        occupying.cancel()
