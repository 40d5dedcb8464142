"""Closed-loop and open-loop load: when calls begin."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pointsman.loadtest.samples import Sample

Call = Callable[[], Awaitable[tuple[float, str]]]
"""Makes one call: when its first byte came on the running loop's clock, and what went wrong, which is empty where nothing did."""
NOT_SENT: Final = "not sent"
"""Of an open-loop call that found as many others outstanding as there may be."""


@dataclass(frozen=True, slots=True)
class Load:
    """How to press. `concurrency` callers each of whom waits for their answer, or arrivals at `rate` per second whoever waits."""

    seconds: float
    warmup_s: float = 0.0
    concurrency: int = 1
    rate: float | None = None
    seed: int = 0
    most_outstanding: int = 10_000
    """Open-loop calls at once."""


async def drive(call: Call, load: Load) -> list[Sample]:
    """The calls that were due after the warm-up. Ends once the last has been answered."""
    clock = asyncio.get_running_loop().time
    begin = clock() + load.warmup_s
    end = begin + load.seconds
    if load.rate is None:
        samples = await _closed(call, load.concurrency, end)
        # Of callers who wait for each other's answers a call counts where it ended.
        return [sample for sample in samples if begin <= sample.ended <= end]
    arrivals = _arrivals(clock(), end, load.rate, random.Random(load.seed))
    return [sample for sample in await drive_at(call, arrivals, load.most_outstanding) if sample.due >= begin]


async def drive_at(call: Call, arrivals: Iterable[float], most_outstanding: int) -> list[Sample]:
    """Open-loop calls at those times of the running loop's clock, in order, which are decided beforehand: a service that stalls is asked
    no less for it, and its calls count from when they were due. Ends once the last has been answered."""
    samples: list[Sample] = []
    running: set[asyncio.Task[None]] = set()
    clock = asyncio.get_running_loop().time

    async def caller(due: float) -> None:
        samples.append(await _one(call, due))

    for due in arrivals:
        if (wait := due - clock()) > 0:
            await asyncio.sleep(wait)
        if len(running) >= most_outstanding:
            samples.append(Sample(due, due, due, due, NOT_SENT))
            continue
        task = asyncio.ensure_future(caller(due))
        running.add(task)
        task.add_done_callback(running.discard)
        if wait <= 0:
            await asyncio.sleep(0)  # arrivals that are late aren't sent in one burst before anything is read
    with contextlib.suppress(ValueError):  # none
        await asyncio.wait(running)
    return samples


async def _closed(call: Call, concurrency: int, end: float) -> list[Sample]:
    samples: list[Sample] = []
    clock = asyncio.get_running_loop().time

    async def caller() -> None:
        while clock() < end:
            samples.append(await _one(call))

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return samples


def _arrivals(begin: float, end: float, rate: float, draw: random.Random) -> Iterator[float]:
    """Poisson's."""
    due = begin
    while (due := due + draw.expovariate(rate)) < end:
        yield due


async def _one(call: Call, due: float | None = None) -> Sample:
    clock = asyncio.get_running_loop().time
    began = clock()
    first_byte, error = await call()
    ended = clock()
    return Sample(began if due is None else due, began, first_byte or ended, ended, error)
