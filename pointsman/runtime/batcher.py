"""Coalescing: many callers' items in one call, with no timer.

One batch runs while the next one gathers; when it ends, what waits goes at once. So an idle caller waits for nobody, and a
busy server sees large batches. (A timed window does worse at every load: docs/decisions/0003.)
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Generic, TypeVar

from pointsman.runtime.errors import Overloaded, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    """An item and who hears of it; `since` is on the monotonic clock."""

    item: Item
    future: asyncio.Future[Result]
    since: float


class Batcher(Generic[Item, Result]):
    """Gathers items into calls of `run`, which takes them in order and returns as many results in the same order.

    `max_batch` items go in one call, at most `slots()` calls are in flight, at most `max_waiting` items wait: one more is
    `Overloaded`. A call takes its share of what waits, one of `slots()`, so that no server works for long on what others could have begun
    meanwhile; but `small_batch` items, where as many wait, since one call of a few costs less than a few calls. Fewer than `enough`, which
    is as many where it isn't named, go after `turns` turns of the event loop: who has arrived already goes with them
    (docs/decisions/0022).
    Items of different flows take turns, so that one caller's thousand don't stand before another's one; those of one flow keep their order.
    An item that is `hopeless` when its turn comes is a `TimeoutError` and isn't sent. An error that `run` raises reaches every item of its
    batch and no other; one among its results reaches that item alone. A cancelled caller leaves the queue, or, once its batch runs, only
    stops listening; where `run` may be cancelled (`abandons`), the last one to leave ends it. `sent` is told each batch's size and the
    seconds that its oldest item waited.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int,
        max_waiting: int,
        small_batch: int | None = None,
        slots: Callable[[], int] = lambda: 1,
        hopeless: Callable[[Item], bool] = lambda _: False,
        sent: Callable[[int, float], None] = lambda _size, _waited: None,
        abandons: bool = False,
        turns: int = 1,
        enough: int | None = None,
    ) -> None:
        self._run = run
        self._abandons = abandons
        self._max_batch = max_batch
        self._small_batch = max_batch if small_batch is None else min(small_batch, max_batch)
        self._enough = self._small_batch if enough is None else min(enough, max_batch)
        self._max_waiting = max_waiting
        self._slots = slots
        self._hopeless = hopeless
        self._sent = sent
        self._flows: OrderedDict[Hashable, deque[_Waiting[Item, Result]]] = OrderedDict()
        """Whose turn is next stands first; none is empty."""
        self._count = 0
        self._in_flight: set[asyncio.Task[None]] = set()
        self._closed = False
        self._turns = turns
        self._turns_left = 0
        """Until the pump; 0 where it isn't on its way."""

    @property
    def waiting(self) -> int:
        """Items in the queue; those in flight aren't counted."""
        return self._count

    async def submit(self, item: Item, flow: Hashable = None) -> Result:
        """The item's result. Raises `Overloaded` where the queue is full, `TimeoutError` where it's hopeless, and whatever `run` raises."""
        loop = asyncio.get_running_loop()
        self._admit(1)
        future: asyncio.Future[Result] = loop.create_future()
        self._enqueue(flow, _Waiting(item, future, monotonic()))
        self._pump_soon()
        return await future

    async def submit_many(self, items: Sequence[Item], flow: Hashable = None) -> list[Result]:
        """The items' results, in order; all of them are queued or none. Raises as `submit` does."""
        loop = asyncio.get_running_loop()
        self._admit(len(items))
        futures: list[asyncio.Future[Result]] = [loop.create_future() for _ in items]
        for item, future in zip(items, futures, strict=True):
            self._enqueue(flow, _Waiting(item, future, monotonic()))
        self._pump_soon()
        try:
            return list(await asyncio.gather(*futures))
        finally:
            # One item's failure, or the caller's going away, leaves its other items unheard: they needn't run.
            for future in futures:
                future.cancel()

    async def close(self) -> None:
        """Refuses new items, and waits for what runs or waits."""
        self._closed = True
        self._pump()
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    def _admit(self, count: int) -> None:
        if self._closed:
            raise Unavailable("The service is stopping; try again shortly.", retry_after_s=1)
        if self._count + count > self._max_waiting:
            self._pump()  # what needn't wait doesn't count
        if self._count + count > self._max_waiting:
            self._forget_the_gone()
        if self._count + count > self._max_waiting:
            raise Overloaded("The scoring queue is full; try again shortly.", retry_after_s=1)

    def _forget_the_gone(self) -> None:
        """Those whose callers have gone don't count; they are looked for only when it matters."""
        kept = ((flow, deque(each for each in queue if not each.future.done())) for flow, queue in self._flows.items())
        self._flows = OrderedDict((flow, queue) for flow, queue in kept if queue)
        self._count = sum(map(len, self._flows.values()))

    def _enqueue(self, flow: Hashable, waiting: _Waiting[Item, Result]) -> None:
        self._flows.setdefault(flow, deque()).append(waiting)
        self._count += 1

    def _pump_soon(self) -> None:
        """After this turn of the event loop, or a few: who comes meanwhile goes together. Where no slot is free, the batch that ends
        sees to it."""
        if not self._turns_left and len(self._in_flight) < self._slots():
            self._turns_left = self._turns
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turns_left = max(0, self._turns_left - 1)
        if self._turns_left and self._count < self._enough:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._pump()

    def _pump(self) -> None:
        self._turns_left = 0
        while self._count and len(self._in_flight) < (slots := self._slots()):
            share = max(self._small_batch, math.ceil(self._count / slots))
            if not (batch := self._take(min(share, self._max_batch))):
                return
            oldest = min(each.since for each in batch)
            self._sent(len(batch), monotonic() - oldest)
            task = asyncio.create_task(self._run_batch(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._batch_done)
            if self._abandons:
                for each in batch:
                    each.future.add_done_callback(partial(_left, batch, task))

    def _take(self, most: int) -> list[_Waiting[Item, Result]]:
        """Empty where nobody is left who waits."""
        batch: list[_Waiting[Item, Result]] = []
        while self._flows and len(batch) < most:
            flow, queue = next(iter(self._flows.items()))
            waiting = queue.popleft()
            self._count -= 1
            if queue:
                self._flows.move_to_end(flow)
            else:
                del self._flows[flow]
            if waiting.future.done():
                continue
            if self._hopeless(waiting.item):
                waiting.future.set_exception(TimeoutError())
            else:
                batch.append(waiting)
        return batch

    async def _run_batch(self, batch: list[_Waiting[Item, Result]]) -> None:
        try:
            results = await self._run([each.item for each in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(results)} results for a batch of {len(batch)}")
        except Exception as error:  # noqa: BLE001 (whatever it is, its waiters must hear it)
            # Told to everyone who waits; raised nowhere else.
            for each in batch:
                if not each.future.done():
                    each.future.set_exception(error)
            return
        for each, result in zip(batch, results, strict=True):
            if each.future.done():
                continue
            if isinstance(result, Exception):
                each.future.set_exception(result)
            else:
                each.future.set_result(result)

    def _batch_done(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if self._closed or self._turns == 1 or self._count >= self._enough:
            self._pump()
        elif self._count:
            self._pump_soon()


def _left(batch: Sequence[_Waiting[Item, Result]], task: asyncio.Task[None], _: asyncio.Future[Result]) -> None:
    """Ends the call of a batch that nobody waits for any more."""
    if not task.done() and all(each.future.cancelled() for each in batch):
        task.cancel()
