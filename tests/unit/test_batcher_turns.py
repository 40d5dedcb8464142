"""Coalescing: whose turn it is, what is too late, and what is told of it."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.runtime.batcher import Batcher
from tests.unit.test_batcher import Gate, settled, submitted


async def test_flows_take_turns() -> None:
    """One caller's many don't stand before another's one; each flow keeps its order."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=3, max_waiting=100)
    first = asyncio.create_task(batcher.submit(0))
    await settled()
    many = asyncio.create_task(batcher.submit_many([1, 2, 3, 4, 5], "many"))
    await settled()
    few = [asyncio.create_task(batcher.submit(number, flow)) for number, flow in ((100, "a"), (200, "b"), (201, "b"))]
    await settled()
    gate.open.set()
    await asyncio.gather(first, many, *few)
    assert gate.batches == [[0], [1, 100, 200], [2, 201, 3], [4, 5]]


async def test_what_is_hopeless_when_its_turn_comes_is_not_sent() -> None:
    """Its caller hears at once; the others' batch is as full as without it."""
    gate = Gate()
    hopeless: set[int] = set()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=2, max_waiting=100, hopeless=lambda item: item in hopeless)
    callers = await submitted(batcher, 1, 2, 3, 4)
    await settled()
    hopeless.add(2)
    gate.open.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert gate.batches == [[1], [3, 4]]
    assert [type(answer) for answer in answers] == [int, TimeoutError, int, int]
    assert batcher.waiting == 0


async def test_each_call_is_told_with_its_size_and_its_wait() -> None:
    gate = Gate()
    told: list[tuple[int, float]] = []
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=8, max_waiting=8, sent=lambda size, waited: told.append((size, waited)))
    callers = await submitted(batcher, 1, 2, 3)
    await asyncio.sleep(0.02)
    gate.open.set()
    await asyncio.gather(*callers)
    assert [size for size, _ in told] == [1, 2]
    assert told[1][1] >= 0.015


async def test_a_caller_who_goes_takes_nobody_along_whatever_their_flow() -> None:
    """Neither from the queue nor from a batch that runs."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=8, max_waiting=3)
    callers = await submitted(batcher, 1, 2, 3, 4)
    await settled()
    callers[0].cancel()  # in flight
    callers[1].cancel()  # waits
    await settled()
    callers.append(asyncio.create_task(batcher.submit(5)))  # in the place of the one who has gone
    await settled()
    gate.open.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [sorted(batch) for batch in gate.batches] == [[1], [3, 4, 5]]
    assert answers[2:] == [30, 40, 50]


async def test_who_comes_in_one_turn_of_the_event_loop_goes_together() -> None:
    """Also the first of them, who finds the slot free."""
    gate = Gate(opened=True)
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=8, max_waiting=8)
    await asyncio.gather(*(batcher.submit(number) for number in (1, 2, 3)))
    assert gate.batches == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("small_batch", "waiting", "sizes"),
    [
        (2, 10, [3, 2, 2, 2]),  # a quarter of what waits, and then two are the least
        (4, 10, [4, 4, 2]),
        (1, 3, [1, 1, 1]),
        (2, 100, [16, 16, 16, 13]),  # never more than max_batch; four calls may be in flight
        (None, 10, [10]),
        (40, 20, [16, 4]),
    ],
)
async def test_a_call_takes_its_share_of_what_waits_but_a_few_in_any_case(small_batch: int | None, waiting: int, sizes: list[int]) -> None:
    """One of as many shares as calls may be in flight, here four."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=16, max_waiting=100, small_batch=small_batch, slots=lambda: 4)
    asked = asyncio.create_task(batcher.submit_many(list(range(100, 100 + waiting))))
    await settled()
    assert [len(batch) for batch in gate.batches] == sizes
    gate.open.set()
    await asked


async def test_with_one_call_at_a_time_all_that_waits_goes_together() -> None:
    """There is nobody to share it with."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=16, max_waiting=100, small_batch=1)
    asked = await submitted(batcher, *range(12))
    gate.open.set()
    await asyncio.gather(*asked)
    assert [len(batch) for batch in gate.batches] == [1, 11]
