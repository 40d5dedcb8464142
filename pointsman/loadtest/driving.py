"""Closed-loop and open-loop load: when calls begin."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
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
    return [sample for sample in await _open(call, load, end) if sample.due >= begin]


async def _closed(call: Call, concurrency: int, end: float) -> list[Sample]:
    samples: list[Sample] = []
    clock = asyncio.get_running_loop().time

    async def caller() -> None:
        while clock() < end:
            samples.append(await _one(call))

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return samples


async def _open(call: Call, load: Load, end: float) -> list[Sample]:
    """Poisson arrivals, decided beforehand: a service that stalls is asked no less for it, and its calls count from when they were due."""
    samples: list[Sample] = []
    running: set[asyncio.Task[None]] = set()
    clock = asyncio.get_running_loop().time

    async def caller(due: float) -> None:
        samples.append(await _one(call, due))

    for due in _arrivals(clock(), end, load):
        if (wait := due - clock()) > 0:
            await asyncio.sleep(wait)
        if len(running) >= load.most_outstanding:
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


def _arrivals(begin: float, end: float, load: Load) -> Iterator[float]:
    assert load.rate is not None
    draw = random.Random(load.seed)
    due = begin
    while (due := due + draw.expovariate(load.rate)) < end:
        yield due


async def _one(call: Call, due: float | None = None) -> Sample:
    clock = asyncio.get_running_loop().time
    began = clock()
    first_byte, error = await call()
    ended = clock()
    return Sample(began if due is None else due, began, first_byte or ended, ended, error)
