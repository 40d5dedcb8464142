"""Clients who are there to be killed: `python -m tests.support.faults.vanishing REST_PORT GRPC COUNT`.

Three of five read a stream, one has sent half of its body, one has a stream of gRPC. Says `under way` once all of them are.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from pointsman.v1 import route_service_pb2, route_service_pb2_grpc, routing_pb2
from tests.support.faults.load import TO_STRONG, TO_WEAK
from tests.support.product import ROOT

_PER_CHANNEL = 10


def body(number: int, **fields: Any) -> bytes:
    """A stream with a piece a second."""
    asked = {"model": (TO_STRONG, TO_WEAK)[number % 2], "messages": [{"role": "user", "content": f"vanishing-{number}"}]}
    return json.dumps({**asked, "stream": True, "pause_s": 1, **fields}).encode()


async def over_rest(port: int, number: int, *, half: bool) -> object:
    """Until the answer has begun, or until half of the body has gone out; what is given holds the connection."""
    content = body(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content[: len(content) // 2 if half else None])
    await writer.drain()
    if not half:
        await reader.readuntil(b"data: ")
    return reader, writer


async def over_grpc(channel: grpc.aio.Channel, number: int) -> object:
    """Until the answer has begun."""
    request = route_service_pb2.StreamChatCompletionRequest(routing=routing_pb2.RoutingSpec(), body=body(number))
    stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
    call = stub.StreamChatCompletion(request)
    await call.read()
    return call


@asynccontextmanager
async def vanished(rest_port: int, grpc_address: str, count: int) -> AsyncIterator[None]:
    """They are there inside the context, and are killed on leaving it."""
    command = [sys.executable, "-m", "tests.support.faults.vanishing", str(rest_port), grpc_address, str(count)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)
    try:
        assert process.stdout
        assert await process.stdout.readline() == b"under way\n"
        yield
    finally:
        process.kill()
        await process.wait()


async def main(port: int, address: str, count: int) -> None:
    """Until it is killed."""
    # Channels with the same arguments would share one connection.
    channels = [
        grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(count // 5 // _PER_CHANNEL + 1)
    ]
    held = await asyncio.gather(
        *(
            over_grpc(channels[number // 5 // _PER_CHANNEL], number) if number % 5 == 0 else over_rest(port, number, half=number % 5 == 1)
            for number in range(count)
        )
    )
    sys.stdout.write("under way\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
    assert held


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
