"""What an event loop's watch tells."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry

from pointsman.runtime.event_loop import EventLoopWatch


async def test_a_loop_that_is_held_up_shows() -> None:
    """By what it was held up, within a look's own grain."""
    registry, lags = CollectorRegistry(), list[float]()
    looking = asyncio.ensure_future(EventLoopWatch(registry, lags.append).keep())
    while not lags:
        await asyncio.sleep(0.01)
    time.sleep(0.4)  # noqa: ASYNC251 (this is it)
    while max(lags) < 0.3:
        await asyncio.sleep(0.01)
    looking.cancel()
    assert registry.get_sample_value("pointsman_event_loop_longest_lag_seconds") == max(lags)
    looks = registry.get_sample_value("pointsman_event_loop_lag_seconds_count")
    assert looks == len(lags)
    assert registry.get_sample_value("pointsman_event_loop_lag_seconds_bucket", {"le": "0.25"}) < len(lags)  # type: ignore[operator]
    assert registry.get_sample_value("pointsman_event_loop_tasks") >= 2  # type: ignore[operator]
