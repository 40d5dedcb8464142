"""How long a refusal waits for the one before it."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from prometheus_client import CollectorRegistry

from gateway.connection import Connection
from gateway.controller_call import ControllerFailed
from gateway.exchange import CallerGone
from gateway.refusal_pace import RefusalPace, is_for_load
from pointsman.runtime.error_forms import to_status
from pointsman.runtime.errors import Overloaded


class Clock:
    """Time that passes when a test says so, or by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


class Pace:
    """A pace of 0.2 s until told otherwise."""

    def __init__(self) -> None:
        self.clock, self.registry, self.pause_s = Clock(), CollectorRegistry(), 0.2
        self.kept = RefusalPace(lambda: self.pause_s, self.registry, clock=lambda: self.clock.now, sleep=self.clock.sleep)

    @property
    def held(self) -> float | None:
        """How many have waited."""
        return self.registry.get_sample_value("pointsman_gateway_refusals_held_total")


class Endless:
    """A pace whose pauses end by nothing but the caller's going; two may wait."""

    def __init__(self) -> None:
        self.kept = RefusalPace(lambda: 0.2, CollectorRegistry(), most=2, clock=lambda: 0.0, sleep=self._sleep)
        self.waiting = 0

    async def _sleep(self, _: float) -> None:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1

    async def held_on(self, connection: Connection) -> asyncio.Task[None]:
        """A refusal that waits."""
        await self.kept.keep(connection)
        before = self.waiting
        held = asyncio.create_task(self.kept.keep(connection))
        while self.waiting == before:
            await asyncio.sleep(0)
        return held


async def test_the_first_refusal_of_a_connection_goes_at_once_and_the_next_after_what_is_left_of_the_pause() -> None:
    """However often it asks, it is refused once in that time; each connection by itself."""
    pace, connection = Pace(), Connection()
    await pace.kept.keep(connection)
    assert pace.clock.slept == []
    pace.clock.now += 0.05
    await pace.kept.keep(connection)
    await pace.kept.keep(connection)
    assert pace.clock.slept == [0.15, 0.2]
    await pace.kept.keep(Connection())
    assert (pace.clock.slept, pace.held) == ([0.15, 0.2], 2)


async def test_who_comes_back_later_doesnt_wait() -> None:
    """As whoever heeds `retry-after` does."""
    pace, connection = Pace(), Connection()
    for _ in range(3):
        await pace.kept.keep(connection)
        pace.clock.now += 0.2
    assert (pace.clock.slept, pace.held) == ([], 0)


async def test_the_setting_counts_as_it_is_now() -> None:
    """With 0 nothing waits."""
    pace, connection = Pace(), Connection()
    pace.pause_s = 0
    for _ in range(3):
        await pace.kept.keep(connection)
    assert pace.clock.slept == []
    pace.pause_s = 1
    await pace.kept.keep(connection)
    assert pace.clock.slept == [1]


async def test_of_many_refusals_only_so_many_wait() -> None:
    """The next one goes at once; where one of those that wait is over, it may wait too."""
    pace, connections = Endless(), [Connection() for _ in range(3)]
    held = [await pace.held_on(each) for each in connections[:2]]
    for _ in range(3):
        await pace.kept.keep(connections[2])
    connections[0].lost()
    with pytest.raises(CallerGone):
        await held[0]
    held[0] = await pace.held_on(Connection())
    for each in held:
        each.cancel()
    await asyncio.wait(held)
    assert pace.waiting == 0


async def test_a_refusal_whose_caller_has_gone_is_over_at_once() -> None:
    """Nobody is there to be told; a stop of the gateway ends it the same way."""
    pace, connection = Endless(), Connection()
    held = await pace.held_on(connection)
    connection.lost()
    with pytest.raises(CallerGone):
        await held
    stopped = await pace.held_on(Connection())
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert pace.waiting == 0


@pytest.mark.parametrize("by_process", [True, False])
def test_of_a_controllers_refusals_those_count_that_say_something_of_it(by_process: bool) -> None:
    """A scorer's full queue isn't the gateway's load, nor is a backend's limit; what the gateway refuses itself always is."""
    error = Overloaded("full", retry_after_s=1)
    assert is_for_load(error)
    error.by_process = by_process
    assert is_for_load(ControllerFailed(grpc.StatusCode.RESOURCE_EXHAUSTED, to_status(error))) is by_process
