"""One fault under steady load: fifty callers before, during and after it, and the row that comes of it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import psutil

from tests.support.faults.load import CALLERS
from tests.support.faults.outcomes import Outcome, Sums, is_well, restored_after
from tests.support.product import ROOT

MIB = 1 << 20
FAULT_S, WELL_S, GIVE_UP_S = 8.0, 2.5, 60.0
ENOUGH = CALLERS
"""Requests in the last `WELL_S` that say that all is well: one of each caller."""
Pids = Callable[[], Mapping[str, Sequence[int]]]


@dataclass
class Load:
    """A running load and all it has told."""

    process: Process
    outcomes: list[Outcome] = field(default_factory=list)

    async def read(self) -> None:
        """Until its process ends."""
        assert self.process.stdout
        async for line in self.process.stdout:
            self.outcomes.append(Outcome(**json.loads(line)))


@asynccontextmanager
async def load(rest: str, grpc: str, *, pair: str = "default", deadline_s: float = 5.0, further: Sequence[str] = ()) -> AsyncIterator[Load]:
    """Fifty callers, where `further` options don't say otherwise; leaving has them finish and send a last round."""
    options = ["--pair", pair, "--deadline", str(deadline_s), "--seed", str(time.monotonic_ns()), *further]
    command = [sys.executable, "-m", "tests.support.faults.load", rest, grpc, *options]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=DEVNULL, stdout=PIPE)
    running = Load(process)
    reading = asyncio.create_task(running.read())
    try:
        yield running
        process.send_signal(signal.SIGTERM)
        await reading
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


@dataclass
class Memory:
    """Of the gateway and of the controllers together, in bytes of their own share (PSS): before, at most, after."""

    pids: Pids
    before: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)

    def now(self) -> dict[str, int]:
        """Measured; counts towards the most."""
        found = {name: sum(map(_pss, pids)) for name, pids in self.pids().items()}
        self.most = {name: max(size, self.most.get(name, 0)) for name, size in found.items()}
        return found


def _pss(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_full_info().pss)
    except psutil.Error:
        return 0  # it has just ended


@dataclass
class Row:
    """What a fault cost."""

    fault: str
    sums: Sums
    memory: Memory
    restored_s: float
    outcomes: list[Outcome]
    """From the fault on, the last round left out."""
    last: list[Outcome]
    """The last round."""


async def under_load(
    fault: str,
    failing: AbstractAsyncContextManager[None],
    pids: Pids,
    running: AbstractAsyncContextManager[Load],
    *,
    lasts_s: float = FAULT_S,
    heals_itself: bool = False,
    give_up_s: float = GIVE_UP_S,
    enough: int = ENOUGH,
    well_s: float = WELL_S,
) -> Row:
    """Runs the load, fails for `lasts_s` by entering `failing` and mends by leaving it, and waits until all is well.

    `heals_itself` counts the time until service is restored from the beginning of the fault. All is well once the last `well_s` had
    `enough` requests, and none that wasn't answered as decided. Raises `TimeoutError` where it isn't.
    """
    memory = Memory(pids)
    async with running as under:
        async with asyncio.timeout(GIVE_UP_S):
            while not is_well(under.outcomes, time.monotonic(), well_s, enough):
                await asyncio.sleep(0.1)
        await asyncio.sleep(well_s)  # buffers and caches are as they stay
        memory.before = await asyncio.to_thread(memory.now)
        begun = time.monotonic()
        async with failing:
            until = time.monotonic() + lasts_s
            while time.monotonic() < until:
                await asyncio.to_thread(memory.now)
                await asyncio.sleep(0.5)
        mended = time.monotonic()
        while time.monotonic() < mended + well_s or not is_well(under.outcomes, time.monotonic(), well_s, enough):
            if time.monotonic() > mended + give_up_s:
                raise TimeoutError(f"not well again; the latest requests: {Sums.of(under.outcomes[-CALLERS:])}")
            await asyncio.to_thread(memory.now)
            await asyncio.sleep(0.5)
    await asyncio.sleep(1)
    memory.after = await asyncio.to_thread(memory.now)
    outcomes = [outcome for outcome in under.outcomes if outcome.ended >= begun and not outcome.final]
    restored_s = max(0.0, restored_after(outcomes, begun if heals_itself else mended))
    return Row(fault, Sums.of(outcomes), memory, restored_s, outcomes, [outcome for outcome in under.outcomes if outcome.final])
