"""A whole answer goes out by one write, and whatever becomes of a request, nothing that was written stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.deadline import Deadline
from gateway.exchange import Exchange
from gateway.observer import Observation
from gateway.rest_server import _Protocol
from tests.wire.gateway.conftest import eventually

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Handler = Callable[[Exchange], Awaitable[None]]


class _Spied:
    """A transport that remembers what is written to it."""

    def __init__(self, transport: asyncio.Transport, writes: list[bytes]) -> None:
        self._transport = transport
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._writes.append(data)
        self._transport.write(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self._writes.append(b"".join(pieces))
        self._transport.writelines(pieces)


@dataclass
class _Caller:
    """A connection, and the writes to it at the other end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    writes: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def _asking(handler: Handler, state: ServerState) -> AsyncIterator[_Caller]:
    """A caller of a server whose requests are handled so."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await handler(Exchange(scope, receive, send, {}, Observation("rest", scope["method"], "the-id", "499")))

    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False, date_header=False)
    config.load()
    writes = list[bytes]()

    class Protocol(_Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            spied: Any = _Spied(transport, writes)
            super().connection_made(spied)

    server = await asyncio.get_running_loop().create_server(lambda: Protocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        yield _Caller(reader, writer, writes)
        writer.close()


@pytest.fixture
def state() -> ServerState:
    """Of the server, whose requests under way it knows."""
    return ServerState()


def _answers(body: bytes, status: int = 200) -> Handler:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(status, [], body)

    return handler


@pytest.mark.parametrize("length", [2, 0, 1_000_000], ids=["short", "none", "long"])
async def test_head_and_body_are_one_write(state: ServerState, length: int) -> None:
    """However long the body is."""
    async with _asking(_answers(b"x" * length), state) as caller:
        caller.writer.write(GET)
        head = await caller.reader.readuntil(b"\r\n\r\n")
        assert await caller.reader.readexactly(length) == b"x" * length
        assert caller.writes == [head + b"x" * length]


async def test_an_answer_without_a_body_isnt_kept_waiting_for_one(state: ServerState) -> None:
    """HEAD has the head of what GET would bring."""
    async with _asking(_answers(b"{}"), state) as caller:
        caller.writer.write(GET.replace(b"GET", b"HEAD") + GET)
        assert b"content-length: 2" in await caller.reader.readuntil(b"\r\n\r\n")
        assert await caller.reader.readuntil(b"{}")
        assert [write[-4:] for write in caller.writes] == [b"\r\n\r\n", b"\r\n{}"]


async def test_pipelined_requests_are_answered_in_their_order(state: ServerState) -> None:
    """Each by a write of its own."""

    async def named(exchange: Exchange) -> None:
        await exchange.answer(200, [], exchange.scope["path"].encode())

    async with _asking(named, state) as caller:
        caller.writer.write(b"".join(GET.replace(b"/ ", path + b" ") for path in (b"/1", b"/2", b"/3")))
        await caller.reader.readuntil(b"/3")
        assert [write[-2:] for write in caller.writes] == [b"/1", b"/2", b"/3"]


async def test_a_connection_that_is_to_be_closed_is_closed_after_the_answer(state: ServerState) -> None:
    """Also after one that has no body to bring the head along."""
    for method in (b"GET", b"HEAD"):
        async with _asking(_answers(b"{}"), state) as caller:
            caller.writer.write(method + b" / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            got = await caller.reader.read()
            assert got.endswith(b"{}" if method == b"GET" else b"connection: close\r\n\r\n")
            assert caller.writes == [got]


async def test_a_caller_is_invited_to_send_before_the_answer(state: ServerState) -> None:
    """`Expect: 100-continue` is told at once, by itself."""

    async def echoes(exchange: Exchange) -> None:
        await exchange.answer(200, [], await exchange.body(10, Deadline.after(10)))

    async with _asking(echoes, state) as caller:
        caller.writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.writer.write(b"echo")
        await caller.reader.readuntil(b"echo")
        assert len(caller.writes) == 2


async def test_a_head_whose_body_never_comes_is_sent(state: ServerState, caplog: pytest.LogCaptureFixture) -> None:
    """The connection then ends, so that nobody takes it for whole."""

    async def breaks(exchange: Exchange) -> None:
        with exchange.together():
            await exchange.start(200, [("content-length", "5")])
            raise ValueError

    async with _asking(breaks, state) as caller:
        caller.writer.write(GET)
        got = await caller.reader.read()
        assert got.startswith(b"HTTP/1.1 200 OK\r\n")
        assert caller.writes == [got]
    assert "Exception in ASGI application" in caplog.text


async def test_a_head_is_sent_where_its_request_is_cancelled(state: ServerState) -> None:
    """As the requests that are too long under way when the server stops."""

    async def waits(exchange: Exchange) -> None:
        with exchange.together():
            await exchange.start(200, [("content-length", "5")])
            await asyncio.Event().wait()

    async with _asking(waits, state) as caller:
        caller.writer.write(GET)
        await eventually(lambda: bool(state.tasks))
        await asyncio.sleep(0.01)
        assert caller.writes == []
        for task in state.tasks:
            task.cancel()
        assert (await caller.reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_what_is_held_for_a_caller_who_has_gone_is_dropped(state: ServerState) -> None:
    """Nothing is written to a connection that is no more."""
    gone = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        with exchange.ended_when_caller_goes(gone.set), exchange.together():
            await exchange.start(200, [("content-length", "5")])
            await gone.wait()

    async with _asking(waits, state) as caller:
        caller.writer.write(GET)
        await eventually(lambda: bool(state.tasks))
        caller.writer.transport.abort()
        await eventually(lambda: not state.tasks)
        assert caller.writes == []


async def test_pieces_that_are_waited_for_go_out_one_by_one(state: ServerState) -> None:
    """A stream's head too."""

    async def streams(exchange: Exchange) -> None:
        await exchange.start(200, [])
        await exchange.write(b"one")
        with exchange.together():
            await exchange.write(b"two")
            await exchange.end()

    async with _asking(streams, state) as caller:
        caller.writer.write(GET)
        await caller.reader.readuntil(b"0\r\n\r\n")
        assert caller.writes[1:] == [b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n"]
