"""Unary calls that are given up end at both ends, and leave nothing behind (they do by grpc's own cancel)."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from benchmarks.cancelled_calls.growth import grown
from pointsman.runtime.unary_calls import answer_of, give_up

_MOST_BYTES = 300
"""Of a call; grpc's own cancel leaves three times as much, and the noise is a tenth of it."""


class Service:
    """Says what became of its calls."""

    def __init__(self) -> None:
        self.begun, self.cancelled = asyncio.Event(), asyncio.Event()

    async def never(self, request: bytes, context: Any) -> bytes:
        """Until the caller gives up."""
        self.begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return request

    async def quick(self, request: bytes, context: Any) -> bytes:
        """Answers."""
        return request


@pytest.fixture
async def served() -> AsyncIterator[tuple[Service, Any, str]]:
    """On a real port."""
    service, server = Service(), grpc.aio.server()
    handlers: Any = {name: grpc.unary_unary_rpc_method_handler(getattr(service, name)) for name in ("never", "quick")}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a", handlers),))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    channel: Any
    async with grpc.aio.insecure_channel(address) as channel:
        yield service, channel, address
    await server.stop(0)


async def test_a_call_that_is_given_up_ends_at_both_ends(served: tuple[Service, Any, str]) -> None:
    """As by `cancel`; one that has ended stays as it ended."""
    service, channel, _ = served
    call = channel.unary_unary("/a/never")(b"x")
    await service.begun.wait()
    give_up(call)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert call.cancelled()
    await asyncio.wait_for(service.cancelled.wait(), 5)
    ended = channel.unary_unary("/a/quick")(b"y")
    assert await answer_of(ended) == b"y"
    give_up(ended)
    assert not ended.cancelled()


async def test_a_cancelled_task_gives_its_call_up(served: tuple[Service, Any, str]) -> None:
    """And is cancelled itself; a failed call raises what it failed by."""
    service, channel, _ = served
    task = asyncio.ensure_future(answer_of(channel.unary_unary("/a/never")(b"x")))
    await service.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(service.cancelled.wait(), 5)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await answer_of(channel.unary_unary("/a/never")(b"x", timeout=0.05))
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("kind", ["unary, `give_up(call)`", "unary, `answer_of(call)` cancelled"])
async def test_nothing_is_left_of_a_call_that_is_given_up(served: tuple[Service, Any, str], kind: str) -> None:
    """By the resident memory of a process that makes 5,000 of them."""
    *_, address = served
    told = multiprocessing.get_context("spawn").Queue()
    process = multiprocessing.get_context("spawn").Process(target=_grown, args=(address, kind, told))
    process.start()
    try:
        assert await asyncio.to_thread(told.get, True, 60) < _MOST_BYTES
    finally:
        await asyncio.to_thread(process.join, 10)


def _grown(address: str, kind: str, told: Any) -> None:
    told.put(asyncio.run(grown(address, kind, first=2_000, counted=5_000))[0])
