"""What counts in Redis, and what counts here, mean the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.limiting.meter import REQUESTS, TOKENS, MemoryMeter, Meter, MeterDown
from gateway.limiting.redis_meter import RedisMeter
from tests.support.redis_server import RedisServer, redis_server


@pytest.fixture(params=["memory", "redis"])
async def meter(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Meter]:
    """Each, with a window of one second."""
    if request.param == "memory":
        yield MemoryMeter(window_s=1)
        return
    async with redis_server(tmp_path) as server:
        redis = RedisMeter(server.url, wait_s=5, window_s=1)
        yield redis
        await redis.close()


async def test_a_full_window_takes_no_more_until_it_has_slid(meter: Meter) -> None:
    """And one key's window isn't another's."""
    assert [await meter.hit(REQUESTS, "a", 2) for _ in range(3)] == [True, True, False]
    assert (await meter.window(REQUESTS, "a")).used == 2
    assert await meter.hit(REQUESTS, "b", 2)
    await asyncio.sleep((await meter.window(REQUESTS, "a")).wait_s(2) + 0.05)
    assert await meter.hit(REQUESTS, "a", 2)


async def test_a_charge_goes_over_any_limit(meter: Meter) -> None:
    """Since it has happened already."""
    await meter.charge(TOKENS, "a", 10**9)
    await meter.charge(TOKENS, "a", 0)
    window = await meter.window(TOKENS, "a")
    assert (window.used, window.remaining(100)) == (10**9, 0)
    assert 0 < window.wait_s(100) <= window.reset_s <= 2


async def test_places_are_as_many_as_the_limit(meter: Meter) -> None:
    """One that is given back is free at once."""
    first, second = await meter.take_place("a", 2), await meter.take_place("a", 2)
    assert first
    assert second
    assert await meter.take_place("a", 2) is None
    assert await meter.take_place("b", 1)
    await meter.leave_place("a", first)
    assert await meter.take_place("a", 2)


async def test_places_of_a_gateway_that_was_killed_come_back(redis: RedisServer) -> None:
    """It renews its leases no more; those of one that lives stay, also beyond a lease's length."""
    async with AsyncExitStack() as stack:
        killed, living = (RedisMeter(redis.url, wait_s=5, lease_s=0.4) for _ in range(2))
        for each in (killed, living):
            stack.push_async_callback(each.close)
        await killed.take_place("a", 2)
        mine = await living.take_place("a", 2)
        assert mine
        renewing = asyncio.create_task(living.keep_renewing())
        assert await living.take_place("a", 2) is None
        await asyncio.sleep(0.6)
        assert await living.take_place("a", 2)
        assert await living.take_place("a", 2) is None
        renewing.cancel()


async def test_a_redis_that_is_gone_is_told_without_its_address(redis: RedisServer) -> None:
    """The kind of failure alone."""
    meter = RedisMeter(redis.url, wait_s=0.5)
    await redis.stop()
    with pytest.raises(MeterDown) as caught:
        await meter.hit(REQUESTS, "a", 2)
    assert str(redis.port) not in str(caught.value)
    await meter.close()
