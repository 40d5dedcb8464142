"""A timeout that arrives as it was sent, and what is told by it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import grpc
import pytest

from pointsman.runtime.waiting import KEY, arriving, waited_s


@pytest.mark.parametrize(
    ("seconds", "arrives"),
    [(600.0, "600.000"), (599.9997, "599.000"), (0.0004, "0.001"), (0.29, "0.290"), (9.999, "9.990"), (59.99, "59.900"), (1000.0, None)],
)
def test_a_timeout_is_never_longer_than_asked_and_hardly_shorter(seconds: float, arrives: str | None) -> None:
    assert arriving(seconds)[1] == arrives


def test_what_isnt_said_wasnt_waited() -> None:
    assert [waited_s(None, 1), waited_s("5", None), waited_s("nonsense", 1), waited_s(b"5", 1), waited_s("5", 6)] == [0] * 5
    assert waited_s("5", 4.75) == 0.25


async def test_grpc_carries_such_timeouts_as_they_are() -> None:
    """A call that is taken up at once has waited for next to nothing, whatever its timeout."""
    draw, waited = random.Random(3), list[float]()

    async def handler(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        said = dict(context.invocation_metadata() or ())[KEY]
        remaining = context.time_remaining()
        assert remaining is not None
        waited.append(float(said) - remaining)
        return b""

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"Call": grpc.unary_unary_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Test/Call")
        for _ in range(200):
            timeout, said = arriving(10 ** draw.uniform(-0.5, 2.99))
            assert said is not None
            await call(b"", timeout=timeout, metadata=((KEY, said),))
    await asyncio.wait_for(server.stop(0), 5)
    # Never more than passes between a call and its handler, also on a busy machine; less where gRPC sent a longer timeout again.
    assert max(waited) < 0.5
    assert -0.003 < sorted(waited)[len(waited) // 2] < 0.02
