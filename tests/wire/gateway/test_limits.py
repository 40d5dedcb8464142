"""What is bounded at the edge, and what happens when the caller goes away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import httpx

from gateway.service import Gateway, serving
from pointsman.v1 import route_service_pb2
from tests.wire.gateway.conftest import MAX_BODY, client_of, settings_for
from tests.wire.gateway.scripted_controller import SSE, STREAMING, Context, Event, ScriptedController, sends, started

PATH = "/v1/chat/completions"


async def _hangs(request: route_service_pb2.RelayRequest, context: Context) -> None:
    await asyncio.Event().wait()


async def _hangs_in_a_stream(request: route_service_pb2.RelayRequest, context: Context) -> None:
    await context.write(started(headers=SSE))
    await context.write(Event(bytes=b"data: 1\n\n"))
    await asyncio.Event().wait()


async def test_a_body_at_the_limit_passes(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """The limit itself is allowed."""
    assert (await rest.post(PATH, content=b" " * MAX_BODY)).status_code == 200
    assert len(controller.requests[0].body) == MAX_BODY


async def test_a_body_over_the_limit_is_refused_and_the_caller_reads_why(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """50 MB by content-length: 413 in shape, the controller hears nothing, the next request works."""
    answer = await rest.post(PATH, content=b" " * 50_000_000)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"
    assert controller.requests == []
    assert (await rest.post(PATH, content=b"{}")).status_code == 200


async def test_a_chunked_body_over_the_limit_is_refused_before_it_ends(gateway: Gateway, controller: ScriptedController) -> None:
    """A body that never ends is counted as it comes; the answer is there while the caller still could send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.rest_port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode())
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    for _ in range(MAX_BODY // 0x8000 + 1):
        writer.write(chunk)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head
    assert b"body_too_large" in await reader.readuntil(b"}}")
    writer.write(chunk + b"0\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    assert controller.requests == []


async def test_a_caller_that_asks_first_is_told_before_it_sends(gateway: Gateway) -> None:
    """`Expect: 100-continue` with too long a body: the final answer comes instead of the invitation."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.rest_port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {MAX_BODY + 1}\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_one_request_more_than_allowed_is_told_to_come_back(controller: ScriptedController) -> None:
    """429 with retry-after, probes still answer, and the place is free again once the first has gone."""
    controller.relay = _hangs
    async with serving(settings_for(controller.port, max_concurrent=1)) as gateway, client_of(gateway) as rest:
        first = asyncio.create_task(rest.post(PATH, content=b"{}"))
        await controller.running.wait()
        second = await rest.post(PATH, content=b"{}")
        assert (second.status_code, second.headers["retry-after"]) == (429, "1")
        assert second.json()["error"]["type"] == "rate_limit_error"
        assert (await rest.get("/health")).status_code == 200
        first.cancel()
        await controller.cancelled.wait()
        controller.relay = sends([b"{}"])
        while (await rest.post(PATH, content=b"{}")).status_code != 200:
            await asyncio.sleep(0.01)


async def test_a_caller_that_leaves_before_the_answer_cancels_the_call(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """Nobody waits, so nothing runs on."""
    controller.relay = _hangs
    request = asyncio.create_task(rest.post(PATH, content=b"{}"))
    await controller.running.wait()
    request.cancel()
    await controller.cancelled.wait()


async def test_a_caller_that_leaves_in_the_middle_of_a_stream_cancels_the_call(
    rest: httpx.AsyncClient, controller: ScriptedController
) -> None:
    """Also while the backend is silent."""
    controller.relay = _hangs_in_a_stream
    async with rest.stream("POST", PATH, content=STREAMING) as answer:
        assert await anext(answer.aiter_raw()) == b"data: 1\n\n"
    await controller.cancelled.wait()


async def test_a_caller_that_reads_no_more_and_leaves_cancels_the_call(gateway: Gateway, controller: ScriptedController) -> None:
    """With every buffer on the way full; the sender stops and then is cancelled."""
    written = 0

    async def floods(request: route_service_pb2.RelayRequest, context: Context) -> None:
        nonlocal written
        await context.write(started(headers=SSE))
        while True:
            await context.write(Event(bytes=b"x" * 100_000))
            written += 1

    controller.relay = floods
    with socket.create_connection(("127.0.0.1", gateway.rest_port)) as caller:
        caller.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(STREAMING)}\r\n\r\n".encode() + STREAMING)
        await controller.running.wait()
        await _until_it_stands_still(lambda: written)
    await controller.cancelled.wait()


async def _until_it_stands_still(value: Callable[[], int]) -> None:
    before = -1
    while value() != before:
        before = value()
        await asyncio.sleep(0.3)


async def test_a_caller_that_leaves_while_it_sends_its_body_is_no_request(gateway: Gateway, controller: ScriptedController) -> None:
    """Half a body is never relayed, and the gateway goes on."""
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.rest_port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf".encode())
    await writer.drain()
    writer.close()
    async with client_of(gateway) as rest:
        seen = 'pointsman_gateway_requests_total{endpoint="/v1/chat/completions",method="POST",protocol="rest",status="4xx"} 1.0'
        while seen not in (await rest.get("/metrics")).text:
            await asyncio.sleep(0.01)
    assert controller.requests == []


async def test_a_body_that_never_arrives_ends_with_the_deadline(gateway: Gateway) -> None:
    """A slow sender doesn't hold its place for ever."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.rest_port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nx-request-timeout: 0.05\r\n\r\nhalf".encode())
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 504 ")
    writer.close()


async def test_metrics_count_bytes_and_requests(rest: httpx.AsyncClient) -> None:
    """Both directions, by endpoint; nothing is in progress but the question itself."""
    await rest.post(PATH, content=b"12345")
    text = (await rest.get("/metrics")).text
    labels = '{endpoint="/v1/chat/completions",protocol="rest"}'
    assert f"pointsman_gateway_request_bytes_total{labels} 5.0" in text
    assert f"pointsman_gateway_response_bytes_total{labels} 12.0" in text
    assert f"pointsman_gateway_request_seconds_count{labels} 1.0" in text
    assert 'pointsman_gateway_requests_in_progress{protocol="rest"} 1.0' in text
