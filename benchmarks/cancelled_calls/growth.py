"""What calls add to the memory of the two processes."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc
import uvloop

from benchmarks.cancelled_calls.kinds import KINDS, Kind
from benchmarks.cancelled_calls.server import resident

FIRST: Final = 3_000
COUNTED: Final = 20_000
AT_ONCE: Final = 16


async def grown(address: str, kind: str, first: int = FIRST, counted: int = COUNTED) -> float:
    """Bytes a call in this process."""
    channel: Any
    async with grpc.aio.insecure_channel(address) as channel:
        await _many(channel, KINDS[kind], first)
        before = resident()
        await _many(channel, KINDS[kind], counted)
        return (resident() - before) / counted


def called(port: int, kind: str, results: Any) -> None:
    """A process of its own, which puts the bytes a call into that queue: its own, and the server's on that port."""
    results.put(uvloop.run(_grown_at_both(f"127.0.0.1:{port}", kind)))


async def _grown_at_both(address: str, kind: str) -> tuple[float, float]:
    channel: Any
    async with grpc.aio.insecure_channel(address) as channel:
        await _many(channel, KINDS[kind], FIRST)
        before = await _residents(channel)
        await _many(channel, KINDS[kind], COUNTED)
        client, server = ((now - then) / COUNTED for then, now in zip(before, await _residents(channel), strict=True))
        return client, server


async def _residents(channel: Any) -> tuple[int, int]:
    server = int(await channel.unary_unary("/a/resident")(b""))
    return resident(), server


async def _many(channel: Any, kind: Kind, count: int) -> None:
    async def some() -> None:
        for _ in range(count // AT_ONCE):
            await kind(channel)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    await asyncio.sleep(0.3)
