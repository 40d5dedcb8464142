"""A real gateway in front of a scripted controller, and real clients of both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import httpx
import pytest

from gateway.service import Gateway, serving
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.v1 import route_service_pb2_grpc
from tests.support.canary import keep
from tests.support.gateways import gateway_before
from tests.wire.gateway.scripted_controller import ScriptedController, controller_on

MAX_BODY = 100_000


def settings_for(
    *ports: int, max_concurrent: int = 100, default_timeout_s: float = 30, drain_s: float = 0.2, **more: Any
) -> GatewaySettings:
    """A gateway on free ports before controllers on these."""
    return gateway_before(
        *(f"127.0.0.1:{port}" for port in ports),
        max_body_bytes=MAX_BODY,
        max_concurrent=max_concurrent,
        default_timeout_s=default_timeout_s,
        drain_s=drain_s,
        **more,
    )


async def eventually(holds: Callable[[], bool]) -> None:
    """Waits until it holds; the test's own time limit ends a wait in vain."""
    while not holds():
        await asyncio.sleep(0.01)


def client_of(gateway: Gateway) -> httpx.AsyncClient:
    """A REST client of that gateway."""
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=30, trust_env=False)


@pytest.fixture
async def controller() -> AsyncIterator[ScriptedController]:
    """The controller; it answers `{"ok": true}` until told otherwise."""
    async with controller_on(ScriptedController()) as controller:
        yield controller


@pytest.fixture
async def gateway(controller: ScriptedController) -> AsyncIterator[Gateway]:
    """The gateway."""
    async with serving(settings_for(controller.port)) as gateway, client_of(gateway) as client:
        yield gateway
        keep("metrics", (await client.get("/metrics")).text)


@pytest.fixture
async def rest(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A REST client."""
    async with client_of(gateway) as client:
        yield client


@pytest.fixture
async def channel(gateway: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    """A gRPC channel to the gateway."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> route_service_pb2_grpc.RouteServiceAsyncStub:
    """A gRPC client."""
    return route_service_pb2_grpc.RouteServiceStub(channel)
