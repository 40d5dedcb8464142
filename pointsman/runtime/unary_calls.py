"""Unary calls that are given up, without a leak.

`grpc.aio.UnaryUnaryCall.cancel()`, and the cancellation of a task that awaits such a call, cancel the task in which grpc waits for its
core; what it had handed to core, about a kilobyte, is then never freed (grpcio 1.85; benchmarks/cancelled_calls.md). Cancelled in core
alone, the call comes to its end by itself, and frees it. A call with a stream of answers has this, a tenth of it, only where the task
that reads is cancelled and not the call.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeVar

import grpc

Answer = TypeVar("Answer")
_SAID: Final = "Given up by the caller."


def give_up(call: grpc.aio.UnaryUnaryCall[Any, Any]) -> None:
    """Ends the call at both ends, as its `cancel()` does; nothing happens to one that has ended."""
    core: Any = getattr(call, "_cython_call", None)  # grpc has no public way
    if core is None:
        call.cancel()
    elif not call.done():
        core.cancel(_SAID)


async def answer_of(call: grpc.aio.UnaryUnaryCall[Any, Answer]) -> Answer:
    """The call's answer; where the task that awaits it is cancelled, the call is given up. Raises `grpc.aio.AioRpcError`."""
    ended = asyncio.Event()
    call.add_done_callback(lambda _: ended.set())
    try:
        await ended.wait()
    except asyncio.CancelledError:
        give_up(call)
        raise
    return await call
