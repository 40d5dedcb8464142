"""Clients who read too slowly or vanish, beside fifty who behave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.support.faults.bars import SLACK_BYTES, check
from tests.support.faults.measure import MIB, Row, load, under_load
from tests.support.faults.slow_readers import slow_readers
from tests.support.faults.stack import Stack
from tests.support.faults.vanishing import vanished

_READERS, _SHORT_S, _LONG_S, _READING_S = 8, 6.0, 90.0, 15.0
_HELD_BYTES = 64 * MIB
_VANISHING = 500
_KEPT_BYTES = 32 * MIB
"""What allocators keep of the memory of the first five hundred, for the next."""


async def test_clients_that_read_a_byte_a_second_cost_little_memory_and_end_at_their_deadline(stack: Stack, rows: list[Row]) -> None:
    """Eight, before 60 MB each: what they don't read stays with the backend. Half of them have long deadlines."""
    async with AsyncExitStack() as held:

        @asynccontextmanager
        async def reading() -> AsyncIterator[None]:
            await held.enter_async_context(slow_readers(stack.ports.rest, stack.grpc, _READERS, (_SHORT_S, _LONG_S)))
            yield

        running = load(stack.rest, stack.grpc)
        row = await under_load(f"{_READERS} clients read 1 byte a second", reading(), stack.pids, running, lasts_s=_READING_S)
        rows.append(row)
        assert stack.in_progress() == _READERS // 2
    await asyncio.sleep(2)
    row.memory.after = await asyncio.to_thread(row.memory.now)
    check(row, set(), strong_too=True, slack_bytes=_KEPT_BYTES)
    grown = {name: row.memory.most[name] - size for name, size in row.memory.before.items()}
    assert all(more < _HELD_BYTES for more in grown.values()), grown


@pytest.mark.parametrize("time", ["the first time", "again"])
async def test_500_clients_that_vanish_leave_nothing_behind(stack: Stack, rows: list[Row], time: str) -> None:
    """Killed in the middle of their answers, and a hundred in the middle of their bodies."""
    before = stack.weak_state()["hung_up_on"]
    vanishing, running = vanished(stack.ports.rest, stack.grpc, _VANISHING), load(stack.rest, stack.grpc)
    row = await under_load(f"500 clients vanish, {time}", vanishing, stack.pids, running, lasts_s=1)
    rows.append(row)
    check(row, set(), strong_too=True, slack_bytes=SLACK_BYTES if time == "again" else _KEPT_BYTES)
    assert (stack.metric("pointsman_requests_in_progress"), stack.in_progress(), stack.weak_state()["open"]) == (0, 0, 0)
    assert stack.weak_state()["hung_up_on"] >= before + _VANISHING * 4 // 5 // 2
