"""How far a process's event loop is behind, told by one task that sleeps and notes how late it wakes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

TICK_S: Final = 0.05
"""Between two looks, in seconds."""
_TICKS_PER_COUNT: Final = 20
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class EventLoopWatch:
    """Measures the loop that `keep` runs on. Whatever holds the loop up for longer than a tick is seen, shorter things by chance."""

    def __init__(self, registry: CollectorRegistry, told: Callable[[float], None] = lambda _: None) -> None:
        """`told` gets the lag in seconds, 0 or more, at every look."""
        self._told = told
        self._lag = Histogram(
            "pointsman_event_loop_lag_seconds", "How late the event loop woke a task, by looks.", buckets=_BUCKETS_S, registry=registry
        )
        self._longest = Gauge("pointsman_event_loop_longest_lag_seconds", "The longest lag since the process began.", registry=registry)
        self._tasks = Gauge("pointsman_event_loop_tasks", "Tasks of the event loop that aren't done.", registry=registry)

    async def keep(self) -> None:
        """Looks until it is cancelled."""
        looks, longest = 0, 0.0
        while True:
            if looks % _TICKS_PER_COUNT == 0:  # all tasks are gone through for it
                self._tasks.set(len(asyncio.all_tasks()))
            looks += 1
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            lag = max(0.0, time.monotonic() - due)
            self._lag.observe(lag)
            if lag > longest:
                longest = lag
                self._longest.set(lag)
            self._told(lag)
