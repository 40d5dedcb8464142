"""What a call of grpc.aio leaves behind in its process, by kind and by how it ends. On purpose, not in CI:

    .venv/bin/python -m benchmarks.cancelled_calls > benchmarks/cancelled_calls.md

Each kind has a client process of its own, which makes 3,000 calls first, and then counts what 20,000 more add to its resident memory.
A call is given up once the server has taken it up, as the answer to another one made after it shows: callers who give up sooner don't
wait for the server, calls pile up in the queue of its core, and beyond a thousand core ends some that nobody gave up, as CANCELLED.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import grpc
import uvloop

from pointsman.runtime.unary_calls import answer_of, give_up

_FIRST, _COUNTED, _AT_ONCE = 3_000, 20_000, 16
Kind = Callable[[Any], Awaitable[object]]


async def _quick(request: bytes, context: Any) -> bytes:
    return request


async def _never(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(60)
    return request


async def _one_and_never(request: bytes, context: Any) -> None:
    await context.write(request)
    await asyncio.sleep(60)


class _Handlers(grpc.GenericRpcHandler):
    def service(self, details: Any) -> Any:
        """By the path."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return {"/a/quick": unary(_quick), "/a/never": unary(_never), "/a/stream": stream(_one_and_never)}[details.method]


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
}


async def grown(address: str, kind: str, first: int = _FIRST, counted: int = _COUNTED) -> float:
    """Bytes a call."""
    channel: Any
    async with grpc.aio.insecure_channel(address) as channel:
        await _many(channel, KINDS[kind], first)
        before = _resident()
        await _many(channel, KINDS[kind], counted)
        return (_resident() - before) / counted


async def serve(told: Callable[[int], None]) -> None:
    """Until it is killed."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    told(port)
    await server.wait_for_termination()


async def _many(channel: Any, kind: Kind, count: int) -> None:
    async def some() -> None:
        for _ in range(count // _AT_ONCE):
            await kind(channel)

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    await asyncio.sleep(0.3)
    gc.collect()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _served(ports: Any) -> None:
    asyncio.run(serve(ports.put))


def _measured(port: int, kind: str, results: Any) -> None:
    results.put(uvloop.run(grown(f"127.0.0.1:{port}", kind)))


def main() -> None:
    """Prints the table."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    server = context.Process(target=_served, args=(queue,), daemon=True)
    server.start()
    port = queue.get()
    print("# What calls leave behind\n\n    .venv/bin/python -m benchmarks.cancelled_calls > benchmarks/cancelled_calls.md\n")
    versions = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "uvloop"))
    print(f"{time.strftime('%Y-%m-%d')}, {versions}; {_COUNTED:,} calls each, {_AT_ONCE} at once.\n")
    print("| call | bytes of resident memory it leaves |\n|---|---|")
    for kind in KINDS:
        client = context.Process(target=_measured, args=(port, kind, queue))
        client.start()
        print(f"| {kind} | {queue.get():.0f} |", flush=True)
        client.join()
    server.kill()


if __name__ == "__main__":
    main()
