"""Callers who don't take what they are sent: their deadline ends their requests, as anybody's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest

from gateway.service import Gateway, serving
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.wire.gateway.conftest import client_of, settings_for
from tests.wire.gateway.scripted_controller import JSON, SSE, ScriptedController, sends

_PIECES = [b"data: " + b"x" * 100_000 + b"\n\n"] * 500
"""More than every buffer on the way holds."""


@pytest.fixture
async def impatient(controller: ScriptedController) -> AsyncIterator[Gateway]:
    """A gateway that gives half a second to a caller who names no deadline."""
    async with serving(settings_for(controller.port, default_timeout_s=0.5)) as gateway:
        yield gateway


async def _running(client: httpx.AsyncClient, protocol: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    (value,) = (line.split()[-1] for line in lines if line.startswith(f'pointsman_gateway_requests_in_progress{{protocol="{protocol}"}}'))
    return float(value)


@pytest.mark.parametrize("headers", [SSE, JSON])
async def test_over_rest_the_deadline_ends_a_request_whose_answer_nobody_reads(
    impatient: Gateway, controller: ScriptedController, headers: dict[str, str]
) -> None:
    """Its place is free again, and the controller is told, though the connection is still there."""
    controller.relay = sends(_PIECES, headers=headers)
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(caller, ("127.0.0.1", impatient.rest_port))
        await loop.sock_sendall(caller, b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        await controller.running.wait()
        async with client_of(impatient) as client:
            while await _running(client, "rest") > 1:  # this question is one itself
                await asyncio.sleep(0.05)
        await controller.cancelled.wait()


async def test_over_grpc_it_does_so_too(impatient: Gateway, controller: ScriptedController) -> None:
    """The caller named no deadline, so that the gateway's default is it; once it reads on, it is told."""
    controller.relay = sends(_PIECES, headers=SSE)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{impatient.grpc_port}") as channel, client_of(impatient) as client:
        call = route_service_pb2_grpc.RouteServiceStub(channel).Relay(route_service_pb2.RelayRequest())
        await controller.running.wait()
        while await _running(client, "grpc"):
            await asyncio.sleep(0.05)
        await controller.cancelled.wait()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in call:
                pass
    assert error_info(status_of(caught.value)).reason == "DEADLINE_EXCEEDED"
