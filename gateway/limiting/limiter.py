"""A key's limits, before and after each of its requests; counted by Redis while it answers, else by this process."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

import structlog

from gateway.headers import Headers
from gateway.limiting.meter import REQUESTS, STREAMS, TOKENS, MemoryMeter, Meter, MeterDown
from gateway.limiting.metrics import LimiterMetrics
from gateway.limiting.redis_meter import RedisMeter
from gateway.limiting.told import rate_limit_headers
from pointsman.runtime.errors import RateLimited, Unavailable
from pointsman.runtime.keys_file import KeyEntry

log = structlog.get_logger()
PROBE_S: Final = 1.0
"""How often a Redis that is down is asked for a sign of life, off the requests' path."""
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request: the headers for its answer, the refusal if any, and its place among those in progress."""

    headers: Headers = field(default_factory=list)
    refused: RateLimited | None = None
    limit: str = ""
    """Which one it is over: requests, tokens or streams."""
    meter: Meter | None = None
    place: str | None = None


class Limiter:
    """Asks `shared` where there is one and it answers, else `own`. Without `shared` there is nothing to fail."""

    def __init__(
        self,
        shared: RedisMeter | None,
        own: MemoryMeter,
        metrics: LimiterMetrics,
        *,
        on_failure: Literal["allow", "refuse"] = "allow",
        wait_s: float = 0.1,
    ) -> None:
        """`wait_s` is the most that a request waits for `shared`, each time it is asked."""
        self._shared = shared
        self._on_failure = on_failure
        self._wait_s = wait_s
        self._own = own
        self._metrics = metrics
        self._is_up = True
        self._tasks: set[asyncio.Task[None]] = set()
        metrics.shared(shared is not None)

    async def admit(self, entry: KeyEntry) -> Verdict:
        """Looks whether one more request of the key is within its limits, and counts it where it is.

        What is refused counts for nothing. Raises `Unavailable` where Redis doesn't answer and the settings say refuse.
        """
        verdict = await self._asking(lambda meter: _admitted(meter, entry))
        if verdict.refused:
            self._metrics.refused(entry.name, verdict.limit)
        return verdict

    async def settle(self, entry: KeyEntry, verdict: Verdict, tokens: int) -> None:
        """The request has ended: its tokens count, and its place is free. Never raises."""
        if verdict.meter and verdict.place:
            with contextlib.suppress(MeterDown, TimeoutError):
                async with asyncio.timeout(self._wait_s):
                    await verdict.meter.leave_place(entry.name, verdict.place)
        if entry.tokens_per_minute is not None and tokens:
            with contextlib.suppress(Unavailable):
                await self._asking(lambda meter: meter.charge(TOKENS, entry.name, tokens))

    async def _asking(self, work: Callable[[Meter], Awaitable[R]]) -> R:
        if self._shared is None:
            return await work(self._own)
        if self._is_up:
            try:
                async with asyncio.timeout(self._wait_s):
                    return await work(self._shared)
            except (MeterDown, TimeoutError) as error:
                self._went_down(str(error) or "no answer in time")
        if self._on_failure == "refuse":
            raise Unavailable("What counts the limits (gateway.redis_url) doesn't answer; try again shortly.", retry_after_s=1)
        return await work(self._own)

    def _went_down(self, why: str) -> None:
        if not self._is_up:
            return
        self._is_up = False
        self._metrics.shared(False)
        self._metrics.failed()
        log.error("limits can't be counted in Redis", why=why, meanwhile=self._on_failure)
        task = asyncio.get_running_loop().create_task(self._until_up())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_up(self) -> None:
        assert self._shared
        while not self._is_up:
            await asyncio.sleep(PROBE_S)
            with contextlib.suppress(MeterDown, TimeoutError):
                async with asyncio.timeout(self._wait_s):
                    await self._shared.ping()
                self._is_up = True
        self._metrics.shared(True)
        log.info("limits are counted in Redis again")

    async def close(self) -> None:
        """Ends what runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _admitted(meter: Meter, entry: KeyEntry) -> Verdict:
    """Tokens and places first, and a request counts last, so that what is refused counts for nothing."""
    name, place, over, wait_s = entry.name, None, "", 1.0
    tokens = await meter.window(TOKENS, name) if entry.tokens_per_minute else None
    if tokens and entry.tokens_per_minute and tokens.used >= entry.tokens_per_minute:
        over, wait_s = TOKENS, tokens.wait_s(entry.tokens_per_minute)
    if not over and entry.concurrent_streams:
        place = await meter.take_place(name, entry.concurrent_streams)
        over = "" if place else STREAMS
    try:
        requests = None
        if entry.requests_per_minute:
            is_full = not over and not await meter.hit(REQUESTS, name, entry.requests_per_minute)
            requests = await meter.window(REQUESTS, name)
            if is_full:
                over, wait_s = REQUESTS, requests.wait_s(entry.requests_per_minute)
        if over and place:
            await meter.leave_place(name, place)
    except BaseException:
        if place:
            meter.forget_place(name, place)
        raise
    headers = rate_limit_headers(entry, requests, tokens)
    return Verdict(headers, _refusal(entry, over, wait_s), over, meter, place) if over else Verdict(headers, meter=meter, place=place)


def _refusal(entry: KeyEntry, over: str, wait_s: float) -> RateLimited:
    limits = {
        REQUESTS: f"{entry.requests_per_minute} requests per minute",
        TOKENS: f"{entry.tokens_per_minute} tokens per minute",
        STREAMS: f"{entry.concurrent_streams} requests in progress",
    }
    said = f"This key's limit of {limits[over]} is reached; try again in {max(1, math.ceil(wait_s))} s."
    return RateLimited(said, retry_after_s=round(max(wait_s, 0.001), 3))
