"""Coalescing: what has arrived already and comes within a few turns of the event loop goes together."""

from __future__ import annotations

import asyncio

from pointsman.runtime.batcher import Batcher
from tests.unit.test_batcher import Gate, settled


def gathering(gate: Gate) -> Batcher[int, int]:
    """One that waits for up to 20 turns for its first four items."""
    return Batcher(gate.run, max_batch=8, max_waiting=100, small_batch=4, turns=20)


async def test_items_of_turns_that_follow_one_another_go_together() -> None:
    gate = Gate(opened=True)
    batcher = gathering(gate)
    callers = []
    for item in (1, 2, 3):
        callers.append(asyncio.create_task(batcher.submit(item)))
        await asyncio.sleep(0)
    assert await asyncio.gather(*callers) == [10, 20, 30]
    assert gate.batches == [[1, 2, 3]]


async def test_a_small_batch_waits_no_longer() -> None:
    """Four are there after one turn."""
    gate = Gate(opened=True)
    batcher = gathering(gate)
    callers = [asyncio.create_task(batcher.submit(item)) for item in (1, 2, 3, 4)]
    await settled()
    assert gate.batches == [[1, 2, 3, 4]]
    await asyncio.gather(*callers)


async def test_a_lone_caller_waits_for_turns_and_for_no_time() -> None:
    """On a clock that stands still."""
    gate = Gate(opened=True)
    batcher = gathering(gate)
    caller = asyncio.create_task(batcher.submit(1))
    for _ in range(30):
        await asyncio.sleep(0)
    assert caller.done()
    assert gate.batches == [[1]]


async def test_who_waits_behind_a_batch_goes_a_few_turns_after_it() -> None:
    """With those who come in these turns."""
    gate = Gate()
    batcher = gathering(gate)
    callers = [asyncio.create_task(batcher.submit(1))]
    for _ in range(30):
        await asyncio.sleep(0)
    callers.append(asyncio.create_task(batcher.submit(2)))
    await settled()
    gate.open.set()
    await callers[0]
    callers.append(asyncio.create_task(batcher.submit(3)))
    await asyncio.gather(*callers)
    assert gate.batches == [[1], [2, 3]]


async def test_closing_leaves_nobody_waiting() -> None:
    """What gathers goes at once."""
    gate = Gate()
    batcher = gathering(gate)
    callers = [asyncio.create_task(batcher.submit(1))]
    await settled()
    closing = asyncio.create_task(batcher.close())
    await settled()
    callers_waiting = batcher.waiting
    gate.open.set()
    await closing
    assert callers_waiting == 0
    assert await asyncio.gather(*callers) == [10]


async def test_closing_answers_who_waits_behind_a_batch() -> None:
    gate = Gate()
    batcher = gathering(gate)
    first = asyncio.create_task(batcher.submit(1))
    for _ in range(30):
        await asyncio.sleep(0)
    second = asyncio.create_task(batcher.submit(2))
    await settled()
    closing = asyncio.create_task(batcher.close())
    gate.open.set()
    await closing
    assert [await first, await second] == [10, 20]
