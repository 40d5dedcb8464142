"""Coalescing: many callers' items in one call, with no timer.

One batch runs while the next one gathers; when it ends, what waits goes at once. So an idle caller waits for nobody, and a
busy server sees large batches. (A timed window does worse at every load: docs/decisions/0003.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from pointsman.runtime.errors import Overloaded, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Gathers items into calls of `run`, which takes them in order and returns as many results in the same order.

    `max_batch` items go in one call, at most `slots` calls are in flight, at most `max_waiting` items wait: one more is
    `Overloaded`. An error that `run` raises reaches every item of its batch and no other; one among its results reaches that
    item alone. A cancelled caller leaves the queue, or, once
    its batch runs, only stops listening; where `run` may be cancelled (`abandons`), the last one to leave ends it.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int,
        max_waiting: int,
        slots: int = 1,
        abandons: bool = False,
    ) -> None:
        self._run = run
        self._abandons = abandons
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._slots = slots
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def waiting(self) -> int:
        """Items in the queue; those in flight aren't counted."""
        return len(self._waiting)

    async def submit(self, item: Item) -> Result:
        """The item's result. Raises `Overloaded` where the queue is full, and whatever `run` raises."""
        return (await self.submit_many([item]))[0]

    async def submit_many(self, items: Sequence[Item]) -> list[Result]:
        """The items' results, in order; all of them are queued or none."""
        if self._closed:
            raise Unavailable("The service is stopping.", retry_after_s=1)
        if len(self._waiting) + len(items) > self._max_waiting:
            # Those whose callers have gone don't count; they are looked for only when it matters.
            self._waiting = deque((item, future) for item, future in self._waiting if not future.done())
        if len(self._waiting) + len(items) > self._max_waiting:
            raise Overloaded("The scoring queue is full; try again shortly.", retry_after_s=1)
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Result]] = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        self._pump()
        try:
            return list(await asyncio.gather(*futures))
        finally:
            # One item's failure, or the caller's going away, leaves its other items unheard: they needn't run.
            for future in futures:
                future.cancel()

    async def close(self) -> None:
        """Refuses new items and waits for what runs."""
        self._closed = True
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    def _pump(self) -> None:
        while len(self._in_flight) < self._slots and (batch := self._take()):
            task = asyncio.get_running_loop().create_task(self._run_batch(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._batch_done)
            if self._abandons:
                for _, future in batch:
                    future.add_done_callback(partial(_left, batch, task))

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._max_batch:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    async def _run_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._run([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(results)} results for a batch of {len(batch)}")
        except Exception as error:  # noqa: BLE001 (whatever it is, its waiters must hear it)
            # Told to everyone who waits; raised nowhere else.
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _batch_done(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._pump()


def _left(batch: Sequence[tuple[Item, asyncio.Future[Result]]], task: asyncio.Task[None], _: asyncio.Future[Result]) -> None:
    """Ends the call of a batch that nobody waits for any more."""
    if not task.done() and all(future.cancelled() for _, future in batch):
        task.cancel()
