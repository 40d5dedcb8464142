"""How a call ends: by itself, or before it by one of grpc.aio's ways to give it up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from pointsman.runtime.unary_calls import answer_of, give_up

Kind = Callable[[Any], Awaitable[object]]
"""Makes one call on a channel."""


async def _answered(channel: Any) -> None:
    await channel.unary_unary("/a/quick")(b"x")


async def _cancelled(channel: Any) -> None:
    call = await _taken_up(channel)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call


async def _task_cancelled(channel: Any) -> None:
    async def asks(call: Any) -> None:
        await call

    await _cut_short(asks(await _taken_up(channel)))


async def _given_up(channel: Any) -> None:
    call = await _taken_up(channel)
    give_up(call)
    with suppress(asyncio.CancelledError):
        await call


async def _task_gives_up(channel: Any) -> None:
    await _cut_short(answer_of(await _taken_up(channel)))


async def _stream_cancelled(channel: Any) -> None:
    call = channel.unary_stream("/a/stream")(b"x")
    await call.read()
    call.cancel()


async def _flood_cancelled(channel: Any) -> None:
    call = channel.unary_stream("/a/flood")(b"x")
    await call.read()
    call.cancel()


async def _read_and_cancelled(channel: Any) -> None:
    call, reading = await _being_read(channel)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await reading


async def _reader_cancelled(channel: Any) -> None:
    _, reading = await _being_read(channel)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading


async def _being_read(channel: Any) -> tuple[Any, asyncio.Task[object]]:
    call = channel.unary_stream("/a/stream")(b"x")
    await call.read()
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0)
    return call, reading


async def _taken_up(channel: Any) -> Any:
    call = channel.unary_unary("/a/never")(b"x")
    await _answered(channel)
    return call


async def _cut_short(work: Any) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


KINDS: Final[dict[str, Kind]] = {
    "unary, answered": _answered,
    "unary, `call.cancel()`": _cancelled,
    "unary, the awaiting task cancelled": _task_cancelled,
    "unary, `give_up(call)`": _given_up,
    "unary, `answer_of(call)` cancelled": _task_gives_up,
    "stream of answers, `call.cancel()`": _stream_cancelled,
    "stream of answers, `call.cancel()` while a task reads it": _read_and_cancelled,
    "stream of answers, the reading task cancelled": _reader_cancelled,
    "stream of answers that never pauses, `call.cancel()`": _flood_cancelled,
}
