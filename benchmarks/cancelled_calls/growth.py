"""What calls add to the memory of the two processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import grpc
import uvloop

from benchmarks.cancelled_calls.kinds import KINDS, Kind
from benchmarks.cancelled_calls.server import resident

FIRST: Final = 3_000
COUNTED: Final = 20_000
AT_ONCE: Final = 16


Look = Callable[[Any], Awaitable[Sequence[int]]]
"""At the resident memory of one process or several, by a channel to the server's."""


async def here(_: Any) -> Sequence[int]:
    """This process's alone."""
    return (resident(),)


async def at_both(channel: Any) -> Sequence[int]:
    """This process's, and the server's."""
    server = int(await channel.unary_unary("/a/resident")(b""))
    return resident(), server


async def grown(address: str, kind: str, first: int = FIRST, counted: int = COUNTED, look: Look = here) -> Sequence[float]:
    """Bytes a call, in each process that is looked at."""
    channel: Any
    async with grpc.aio.insecure_channel(address) as channel:
        await _many(channel, KINDS[kind], first)
        before = await look(channel)
        await _many(channel, KINDS[kind], counted)
        return [(now - then) / counted for then, now in zip(before, await look(channel), strict=True)]


def called(port: int, kind: str, results: Any) -> None:
    """A process of its own, which puts the bytes a call into that queue: its own, and the server's on that port."""
    results.put(uvloop.run(grown(f"127.0.0.1:{port}", kind, look=at_both)))


async def _many(channel: Any, kind: Kind, count: int) -> None:
    async def some() -> None:
        for _ in range(count // AT_ONCE):
            await kind(channel)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    await asyncio.sleep(0.3)
