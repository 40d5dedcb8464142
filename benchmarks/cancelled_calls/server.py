"""What is called."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc


def resident() -> int:
    """Bytes of memory that this process has, without garbage."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def served(ports: Any) -> None:
    """A process of its own, which puts its port into that queue, and goes on until it is killed."""
    asyncio.run(_serve(ports.put))


async def _serve(told: Callable[[int], None]) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    told(port)
    await server.wait_for_termination()


class _Handlers(grpc.GenericRpcHandler):
    def service(self, details: Any) -> Any:
        """By the path."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return {
            "/a/quick": unary(_quick),
            "/a/never": unary(_never),
            "/a/resident": unary(_resident),
            "/a/stream": stream(_one_and_never),
            "/a/flood": stream(_flood),
        }[details.method]


async def _quick(request: bytes, context: Any) -> bytes:
    return request


async def _never(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(60)
    return request


async def _resident(request: bytes, context: Any) -> bytes:
    return str(resident()).encode()


async def _one_and_never(request: bytes, context: Any) -> None:
    await context.write(request)
    await asyncio.sleep(60)


async def _flood(request: bytes, context: Any) -> None:
    """So that the end of the call always finds it writing."""
    while True:
        await context.write(request)
