"""Readers that stop, against a gateway and a controller in processes of their own: the backend stands still, and memory doesn't grow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.backend import Received, ScriptedBackend, echoing, scripted_backend, streaming
from tests.support.processes import Service, controller_process, gateway_process
from tests.support.scorers import scripted_scorers

READERS: Final = 5
EVENT: Final = b"data: " + b"x" * 65_528 + b"\n\n"
EVENTS: Final = 1600  # 105 MB for each reader
MB: Final = 1_000_000
BODY: Final = json.dumps({"model": "router-mf-1", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
Readers = Callable[[], Any]


@dataclass
class Flood:
    """A backend's stream: what it has written, and how often a caller hung up on it."""

    written: int = 0
    left: int = 0

    async def __call__(self, received: Received, writer: asyncio.StreamWriter) -> None:
        def counted() -> Any:
            for _ in range(EVENTS):
                yield EVENT
                self.written += len(EVENT)

        try:
            await streaming(counted())(received, writer)
        except (asyncio.CancelledError, ConnectionError):
            self.left += 1
            raise

    async def stands_still(self) -> None:
        """Returns when nothing has been written for a while."""
        before = -1
        while not self.written or self.written != before:
            before = self.written
            await asyncio.sleep(0.7)


@dataclass(frozen=True)
class Stack:
    """Both services and where they are."""

    controller: Service
    gateway: Service
    rest: str
    grpc: str
    weak: ScriptedBackend


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """They have answered a stream before, so that what each needs but once is there."""
    folder: Path = tmp_path_factory.mktemp("flow")
    async with (
        scripted_backend("strong", echoing) as strong,
        scripted_backend("weak", streaming([EVENT] * 100)) as weak,
        scripted_scorers({"mf": lambda _: 0.4}) as scorers,
        controller_process(folder, [strong, weak], scorers) as (controller, at),
        gateway_process(folder, at) as (gateway, rest, edge),
    ):
        stack = Stack(controller, gateway, rest, edge, weak)
        async with by_rest(stack) as readers:
            for reader in readers:
                await reader.read()
        yield stack


@asynccontextmanager
async def by_rest(stack: Stack) -> AsyncIterator[list[asyncio.StreamReader]]:
    """REST callers; they read nothing beyond what their own small buffers take."""
    host, _, port = stack.rest.removeprefix("http://").partition(":")
    writers = []
    readers = []
    for _ in range(READERS):
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(BODY)}\r\n\r\n"
        writer.write(head.encode() + BODY)
        readers.append(reader)
        writers.append(writer)
    yield readers
    for writer in writers:
        writer.transport.abort()


@asynccontextmanager
async def by_grpc(stack: Stack, method: str) -> AsyncIterator[list[Any]]:
    """gRPC callers that read one message each."""
    async with grpc.aio.insecure_channel(stack.grpc) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        request = {
            "StreamChatCompletion": route_service_pb2.StreamChatCompletionRequest(body=BODY),
            "Relay": route_service_pb2.RelayRequest(endpoint="chat/completions", body=BODY),
        }[method]
        calls = [getattr(stub, method)(request) for _ in range(READERS)]
        for call in calls:
            await call.read()
        yield calls
        for call in calls:
            call.cancel()


@pytest.mark.parametrize("protocol", ["REST", "StreamChatCompletion", "Relay"])
async def test_readers_that_stop_cost_no_memory_and_stop_the_backend(stack: Stack, protocol: str) -> None:
    """And when they leave the backend hears of it."""
    stack.weak.script = flood = Flood()
    before = stack.controller.rss, stack.gateway.rss
    async with AsyncExitStack() as connected:
        readers = by_rest(stack) if protocol == "REST" else by_grpc(stack, protocol)
        await connected.enter_async_context(readers)
        await flood.stands_still()
        # Most of what was written is in the kernel's buffers, on three connections for each reader.
        assert 0 < flood.written < READERS * EVENTS * len(EVENT) / 3
        assert stack.controller.rss - before[0] < 10 * MB
        assert stack.gateway.rss - before[1] < 10 * MB
    while flood.left < READERS:
        await asyncio.sleep(0.02)


async def test_a_reader_that_goes_on_gets_the_rest(stack: Stack) -> None:
    """Every byte, however long it had stopped."""
    stack.weak.script = flood = Flood()
    async with by_rest(stack) as readers:
        await flood.stands_still()
        head, _, body = (await readers[0].read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body.count(b"x") == EVENTS * EVENT.count(b"x")
