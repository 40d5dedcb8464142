"""Clients that read one byte a second of long answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc

from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.faults.load import TO_STRONG, TO_WEAK

PIECES, PAD, PAUSE_S = 3000, 20_000, 0.02
"""A stream of some 60 MB, by a backend that sends 1 MB a second where it can."""


def _body(number: int, **fields: Any) -> bytes:
    asked = {"model": (TO_STRONG, TO_WEAK)[number % 2], "messages": [{"role": "user", "content": f"slow-{number}"}]}
    return json.dumps({**asked, "pad": PAD, "pause_s": PAUSE_S, **fields}).encode()


async def _over_rest(port: int, number: int, timeout_s: float, *, stream: bool) -> None:
    content = _body(number, stream=stream, pieces=PIECES if stream else PIECES // 10)
    loop = asyncio.get_running_loop()
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        own.setblocking(False)
        await loop.sock_connect(own, ("127.0.0.1", port))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-request-timeout: {timeout_s}\r\ncontent-length: {len(content)}\r\n\r\n"
        await loop.sock_sendall(own, head.encode() + content)
        with contextlib.suppress(ConnectionError):
            while await loop.sock_recv(own, 1):
                await asyncio.sleep(1)


async def _over_grpc(address: str, number: int, timeout_s: float) -> None:
    request = route_service_pb2.StreamChatCompletionRequest(body=_body(number, stream=True, pieces=PIECES))
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        with contextlib.suppress(grpc.aio.AioRpcError):
            async for _ in stub.StreamChatCompletion(request, timeout=timeout_s):
                await asyncio.sleep(1)


@asynccontextmanager
async def slow_readers(rest_port: int, grpc_address: str, count: int, timeouts_s: Sequence[float]) -> AsyncIterator[None]:
    """So many read inside the context, with these deadlines in turn: of six, four a stream, one a whole answer of 6 MB, one a stream of
    gRPC."""
    readers = [
        asyncio.create_task(
            _over_grpc(grpc_address, number, timeout_s)
            if number % 6 == 5
            else _over_rest(rest_port, number, timeout_s, stream=number % 6 != 2)
        )
        for number, timeout_s in zip(range(count), itertools.cycle(timeouts_s), strict=False)
    ]
    try:
        yield
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
