"""The real Batcher under the arrivals of a simulation, with models that only sleep: what the simulator is checked against."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.growth.arrivals import Floats
from benchmarks.growth.parts import Proxy
from benchmarks.growth.simulator import Design
from pointsman.runtime.batcher import Batcher


@dataclass(slots=True)
class Played:
    """What happened: seconds from each arrival to its answer, in order, and the sizes of the models' batches and of calls."""

    latencies: Floats
    batches: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)


async def played(design: Design, arrivals: Floats, seed: int = 0) -> Played:
    """On the running loop's clock. `design`'s service, controllers, replicas, hop and batch sizes count; nothing is too late or refused."""
    loop = asyncio.get_running_loop()
    found = Played(np.full(len(arrivals), np.nan))
    proxy = Proxy(design.replicas)

    async def model(prompts: Sequence[int]) -> Sequence[int]:
        found.batches.append(len(prompts))
        await asyncio.sleep(design.service(len(prompts)))
        return prompts

    replicas: list[Batcher[int, int]] = [
        Batcher(model, max_batch=design.max_batch, max_waiting=len(arrivals)) for _ in range(design.replicas)
    ]

    async def call(prompts: Sequence[int]) -> Sequence[int]:
        found.calls.append(len(prompts))
        replica = proxy.chosen()
        if design.hop_s:
            await asyncio.sleep(design.hop_s)
        answers = await replicas[replica].submit_many(prompts)
        if design.hop_s:
            await asyncio.sleep(design.hop_s)
        proxy.ended(replica)
        return answers

    slots = design.replicas if design.slots is None else design.slots
    controllers: list[Batcher[int, int]] = [
        Batcher(call, max_batch=design.max_batch, max_waiting=len(arrivals), small_batch=design.small_batch, slots=lambda: slots)
        for _ in range(design.controllers)
    ]
    to = np.random.default_rng(seed).integers(design.controllers, size=len(arrivals))
    begun = loop.time()

    async def caller(item: int) -> None:
        await controllers[to[item]].submit(item, flow=item)
        found.latencies[item] = loop.time() - begun - arrivals[item]

    async with asyncio.TaskGroup() as callers:
        for item, at in enumerate(arrivals):
            await asyncio.sleep(max(0.0, begun + float(at) - loop.time()))
            callers.create_task(caller(item))
    return found


class Clockless(asyncio.SelectorEventLoop):
    """An event loop whose time is what its timers say: it never waits, and nothing else on the machine moves its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Leaping(self))

    def time(self) -> float:
        """Seconds from 0."""
        return self.now


class _Leaping(selectors.DefaultSelector):
    """Instead of waiting, it moves the loop's clock."""

    def __init__(self, loop: Clockless) -> None:
        super().__init__()
        self._of = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._of.now += timeout or 0.0
        found: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        return found
