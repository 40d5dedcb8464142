"""Comments that keep a silent stream's connection: where they come, and where they never do."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.event_stream import HEARTBEAT
from gateway.service import Gateway, serving
from pointsman.v1 import route_service_pb2
from tests.wire.gateway.conftest import client_of, settings_for
from tests.wire.gateway.scripted_controller import JSON, SSE, STREAMING, Context, Event, ScriptedController, finished, started

PATH = "/v1/chat/completions"
OTHER = b'{"stream": true, "other": 1}'
PACKED = {**SSE, "content-encoding": "gzip"}


class Pausing:
    """A script that sends some bytes, waits to be told, and sends the rest; a request whose body is `OTHER` always gets a silent stream."""

    def __init__(self, headers: dict[str, str], before: bytes, after: bytes) -> None:
        self.go_on = asyncio.Event()
        self._headers, self._before, self._after = headers, before, after

    async def __call__(self, request: route_service_pb2.RelayRequest, context: Context) -> None:
        if request.body == OTHER:
            await context.write(started(headers=SSE))
            await asyncio.Event().wait()
        if self._before:
            await context.write(started(headers=self._headers))
            await context.write(Event(bytes=self._before))
        await self.go_on.wait()
        if not self._before:
            await context.write(started(headers=self._headers))
        await context.write(Event(bytes=self._after))
        await context.write(finished())


@pytest.fixture
async def quick(controller: ScriptedController) -> AsyncIterator[Gateway]:
    """A gateway whose heart beats fast."""
    async with serving(settings_for(controller.port, heartbeat_s=0.05)) as gateway:
        yield gateway


async def beats(rest: httpx.AsyncClient, count: int) -> None:
    """Returns once a silent stream has had so many."""
    async with rest.stream("POST", PATH, content=OTHER) as answer:
        got = b""
        async for piece in answer.aiter_raw():
            got += piece
            if got.count(HEARTBEAT) >= count:
                break


async def test_a_silent_stream_has_comments_between_its_events(quick: Gateway, controller: ScriptedController) -> None:
    """And the backend's bytes as ever."""
    controller.relay = script = Pausing(SSE, b"data: 1\r\n\r\n", b"data: 2\n\n")
    async with client_of(quick) as rest, rest.stream("POST", PATH, content=STREAMING) as answer:
        got = b""
        async for piece in answer.aiter_raw():
            got += piece
            if got.count(HEARTBEAT) == 3:
                script.go_on.set()
    assert got.startswith(b"data: 1\r\n\r\n" + HEARTBEAT * 3)
    assert got.replace(HEARTBEAT, b"") == b"data: 1\r\n\r\ndata: 2\n\n"


@pytest.mark.parametrize(
    ("headers", "before", "after"),
    [
        (SSE, b'data: {"id', b'": 1}\n\n'),
        (SSE, b"data: 1\n", b"data: 2\n\n"),
        (SSE, b"", b"data: 1\n\n"),
        (JSON, b'{"a":\n\n', b"1}"),
        (PACKED, gzip.compress(b"data: 1\n\n") + b"\n\n", b"more"),
    ],
    ids=["inside a line", "inside an event", "before the backend's headers", "not a stream of events", "compressed"],
)
async def test_nowhere_else_there_are_any(
    quick: Gateway, controller: ScriptedController, headers: dict[str, str], before: bytes, after: bytes
) -> None:
    """While another stream has several."""
    controller.relay = script = Pausing(headers, before, after)
    reader, writer = await asyncio.open_connection("127.0.0.1", quick.rest_port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(STREAMING)}\r\n\r\n".encode() + STREAMING)
    async with client_of(quick) as rest:
        await controller.running.wait()
        await beats(rest, 4)
    if not before:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.01)
    script.go_on.set()
    _, _, chunks = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    if headers is SSE:  # on a busy machine the end itself is late enough for one after the last event
        chunks = chunks.replace(chunk(after) + chunk(HEARTBEAT), chunk(after))
    assert chunks == b"".join(chunk(piece) for piece in [*filter(None, (before, after)), b""])


def chunk(piece: bytes) -> bytes:
    """As HTTP/1.1 sends it."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


async def test_they_can_be_turned_off(controller: ScriptedController) -> None:
    """null, while a gateway beside it has several."""
    controller.relay = script = Pausing(SSE, b"data: 1\n\n", b"data: 2\n\n")
    async with (
        serving(settings_for(controller.port, heartbeat_s=None)) as gateway,
        serving(settings_for(controller.port, heartbeat_s=0.05)) as other,
        client_of(gateway) as rest,
        client_of(other) as beating,
    ):
        answer = asyncio.create_task(rest.post(PATH, content=STREAMING))
        await beats(beating, 4)
        script.go_on.set()
        assert (await answer).content == b"data: 1\n\ndata: 2\n\n"
