"""The socket that REST is served on."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import weakref
from typing import Any

import pytest

from gateway import connection
from gateway.connection import WHOLE_KEY, Connection
from gateway.rest_server import RestServer, bind_socket
from pointsman.runtime.errors import Unavailable
from tests.wire.gateway.conftest import eventually


def test_a_connection_sends_small_pieces_at_once() -> None:
    """With Nagle's algorithm two pieces of an answer lie 40 ms apart."""
    with bind_socket("127.0.0.1", 0) as bound, socket.create_connection(bound.getsockname()):
        connection, _ = bound.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_taken_port_is_named() -> None:
    """So that nobody searches for it."""
    with bind_socket("127.0.0.1", 0) as taken, pytest.raises(Unavailable, match=str(taken.getsockname()[1])):
        bind_socket("127.0.0.1", taken.getsockname()[1])


async def test_of_a_request_it_is_known_when_it_is_whole() -> None:
    """So that no clock is set for what is there; of two on one connection each for itself."""
    seen = list[bool]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(WHOLE_KEY in scope)
        while (await receive())["more_body"]:
            pass
        seen.append(WHOLE_KEY in scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    with bind_socket("127.0.0.1", 0) as bound:
        rest = RestServer(app, [bound], 1)
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        for first, second in ((b"wh", b"ole"), (b"whole", b""), (b"", b"whole")):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n" + first)
            await eventually(lambda: bool(seen))
            writer.write(second)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            assert seen == [not second, True]
            seen.clear()
        writer.close()
        await rest.stop()


async def test_a_connection_that_is_reset_is_gone_at_once() -> None:
    """And not once its time to wait for another request is over, which takes over a minute: callers who hang up are many."""
    alive = weakref.WeakSet[Connection]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        alive.add(scope[connection.SCOPE_KEY])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    with bind_socket("127.0.0.1", 0) as bound:
        rest = RestServer(app, [bound], 1)
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"ok")
        reset_when_closed = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_when_closed)
        assert len(alive) == 1
        writer.close()
        async with asyncio.timeout(20):
            await eventually(lambda: gc.collect() >= 0 and not alive)
        await rest.stop()
