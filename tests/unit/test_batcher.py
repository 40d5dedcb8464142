"""Coalescing without a timer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pointsman.runtime.batcher import Batcher
from pointsman.runtime.errors import Overloaded, Unavailable


class Gate:
    """A `run` that remembers its batches and answers when it's opened."""

    def __init__(self, *, opened: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        if opened:
            self.open.set()

    async def run(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.open.wait()
        if 13 in items:
            raise ValueError("thirteen")
        return [item * 10 for item in items]


async def settled() -> None:
    """Lets everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def submitted(batcher: Batcher[int, int], *items: int) -> list[asyncio.Task[int]]:
    """The first item by itself, so that it's in flight; then the others in one turn of the event loop."""
    first = asyncio.create_task(batcher.submit(items[0]))
    await settled()
    others = [asyncio.create_task(batcher.submit(item)) for item in items[1:]]
    await settled()
    return [first, *others]


async def test_a_lone_caller_waits_for_nobody() -> None:
    """The first item goes at once, alone."""
    gate = Gate(opened=True)
    assert await Batcher(gate.run, max_batch=8, max_waiting=8).submit(1) == 10
    assert gate.batches == [[1]]


async def test_what_waits_while_a_batch_runs_goes_together_in_order() -> None:
    """One batch is in flight; the next holds all that gathered meanwhile."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=8, max_waiting=8)
    callers = await submitted(batcher, 1, 2, 3, 4)
    await settled()
    assert gate.batches == [[1]]
    assert batcher.waiting == 3
    gate.open.set()
    assert await asyncio.gather(*callers) == [10, 20, 30, 40]
    assert gate.batches == [[1], [2, 3, 4]]


async def test_no_batch_is_larger_than_max_batch_and_a_call_may_span_several() -> None:
    """Seven items in batches of three keep their order."""
    gate = Gate(opened=True)
    assert await Batcher(gate.run, max_batch=3, max_waiting=8).submit_many(list(range(7))) == [i * 10 for i in range(7)]
    assert [len(batch) for batch in gate.batches] == [3, 3, 1]


async def test_slots_is_how_many_batches_run_at_once() -> None:
    """With two slots a second batch starts beside the first."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=1, max_waiting=8, slots=lambda: 2)
    call = asyncio.create_task(batcher.submit_many([1, 2, 3]))
    await settled()
    assert gate.batches == [[1], [2]]
    gate.open.set()
    assert await call == [10, 20, 30]


async def test_one_item_more_than_the_queue_holds_is_overload_and_queues_nothing() -> None:
    """A call that doesn't fit is refused whole."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=1, max_waiting=2)
    running = asyncio.create_task(batcher.submit(1))
    await settled()
    queued = asyncio.create_task(batcher.submit(2))
    await settled()
    with pytest.raises(Overloaded):
        await batcher.submit_many([3, 4])
    assert batcher.waiting == 1
    gate.open.set()
    assert [await running, await queued] == [10, 20]


async def test_callers_who_have_gone_hold_no_place_in_the_queue() -> None:
    """A queue full of the departed takes new items."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=1, max_waiting=2)
    running = asyncio.create_task(batcher.submit(1))
    await settled()
    gone = [asyncio.create_task(batcher.submit(item)) for item in (2, 3)]
    await settled()
    for task in gone:
        task.cancel()
    await settled()
    queued = asyncio.create_task(batcher.submit_many([4, 5]))
    await settled()
    gate.open.set()
    assert (await running, await queued) == (10, [40, 50])
    assert gate.batches == [[1], [4], [5]]


async def test_an_error_reaches_its_own_batch_and_no_other() -> None:
    """The batch of thirteen fails; the one before and the one after don't."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=1, max_waiting=8)
    callers = [asyncio.create_task(batcher.submit(i)) for i in (1, 13, 2)]
    await settled()
    gate.open.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert answers[0] == 10
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 20


async def test_a_cancelled_caller_leaves_the_queue() -> None:
    """What nobody waits for isn't run."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=8, max_waiting=8)
    running, gone, stays = await submitted(batcher, 1, 2, 3)
    await settled()
    gone.cancel()
    await settled()
    gate.open.set()
    assert [await running, await stays] == [10, 30]
    assert gate.batches == [[1], [3]]


async def test_a_run_that_loses_a_result_fails_its_batch() -> None:
    """As many results as items, or none."""

    async def short(items: Sequence[int]) -> Sequence[int]:
        return list(items)[1:]

    with pytest.raises(RuntimeError, match="1 results for a batch of 2"):
        await Batcher(short, max_batch=2, max_waiting=2).submit_many([1, 2])


async def test_closing_answers_all_that_waits_and_refuses_what_comes() -> None:
    """Close drains the queue, not just the batch in flight."""
    gate = Gate()
    batcher: Batcher[int, int] = Batcher(gate.run, max_batch=1, max_waiting=8)
    call = asyncio.create_task(batcher.submit_many([1, 2, 3]))
    await settled()
    closing = asyncio.create_task(batcher.close())
    await settled()
    with pytest.raises(Unavailable):
        await batcher.submit(4)
    gate.open.set()
    await closing
    assert await call == [10, 20, 30]


@pytest.mark.parametrize("abandons", [False, True])
async def test_the_last_caller_to_leave_ends_the_batch_where_that_is_allowed(abandons: bool) -> None:
    """Not before, and what waits goes at once. A model's run can't be ended, so it isn't allowed unless asked for."""
    doors = [asyncio.Event() for _ in range(3)]
    batches: list[list[int]] = []

    async def run(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        await doors[len(batches) - 1].wait()
        return [item * 10 for item in items]

    batcher: Batcher[int, int] = Batcher(run, max_batch=2, max_waiting=8, abandons=abandons)
    _, first, second, third = await submitted(batcher, 0, 1, 2, 3)
    doors[0].set()
    await settled()
    first.cancel()
    await settled()
    assert batches == [[0], [1, 2]]
    second.cancel()
    await settled()
    assert batches == [[0], [1, 2], *([[3]] if abandons else [])]
    doors[1].set()
    doors[2].set()
    assert await third == 30
