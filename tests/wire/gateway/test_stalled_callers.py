"""Callers that take no more of their answer and stay: they are let go at their deadline, and their place is free again."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from gateway.service import serving
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.wire.gateway.conftest import client_of, settings_for
from tests.wire.gateway.scripted_controller import SSE, STREAMING, Context, Event, ScriptedController, started

PATH = "/v1/chat/completions"
Relay = route_service_pb2.RelayRequest


async def floods(request: route_service_pb2.RelayRequest, context: Context) -> None:
    """Until nobody reads."""
    await context.write(started(headers=SSE))
    while True:
        await context.write(Event(bytes=b"x" * 100_000))


async def test_over_rest(controller: ScriptedController) -> None:
    """The controller's call has ended, and the connection closes without an end to the answer."""
    controller.relay = floods
    async with serving(settings_for(controller.port, max_concurrent=1)) as gateway, client_of(gateway) as rest:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.rest_port, limit=1024)
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nhost: x\r\nx-request-timeout: 0.2\r\ncontent-length: {len(STREAMING)}\r\n\r\n".encode() + STREAMING
        )
        await controller.cancelled.wait()
        while (await rest.post(PATH, content=STREAMING, headers={"x-request-timeout": "0.01"})).status_code == 429:
            await asyncio.sleep(0.05)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert not answer.endswith(b"0\r\n\r\n")


async def test_over_grpc(controller: ScriptedController) -> None:
    """Without a deadline of its own the settings' holds; a caller that reads on gets what had come and a typed error."""
    controller.relay = floods
    async with (
        serving(settings_for(controller.port, max_concurrent=1, default_timeout_s=0.2)) as gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        stalled = stub.Relay(Relay(body=b"{}"))
        await stalled.read()
        assert not await _has_place(stub)
        await controller.cancelled.wait()
        while not await _has_place(stub):
            await asyncio.sleep(0.05)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _read_on(stalled)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error_info(status_of(caught.value)).reason == "DEADLINE_EXCEEDED"


async def _has_place(stub: Any) -> bool:
    try:
        await stub.Route(route_service_pb2.RouteRequest(prompt="x"))
    except grpc.aio.AioRpcError as error:
        info = error_info(status_of(error))
        refused = (error.code(), info.reason, info.metadata["request_id"] != "")
    else:
        return True
    assert refused == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", True)
    return False


async def _read_on(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass
