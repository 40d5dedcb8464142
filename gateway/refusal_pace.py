"""Refusals at a pace: where callers come back at once when they are refused, refusing them becomes the load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from gateway.connection import Connection, EndedWhenLost
from gateway.controller_call import ControllerFailed
from gateway.exchange import CallerGone
from pointsman.runtime.errors import Overloaded

_MOST: Final = 1000
"""Refusals that wait at once; further ones are cheaper to send than to keep."""


class RefusalPace:
    """Between two refusals of one connection for load lies a pause. The first goes at once, and nothing else ever waits."""

    def __init__(
        self,
        pause_s: Callable[[], float],
        registry: CollectorRegistry,
        *,
        most: int = _MOST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`pause_s` is in seconds, 0 for none, as is what `clock` gives and `sleep` takes; at most `most` wait at once."""
        self._pause_s = pause_s
        self._most = most
        self._clock = clock
        self._sleep = sleep
        self._waiting = 0
        self._held = Counter(
            "pointsman_gateway_refusals_held", "Refusals that waited, since their connection had just had one.", registry=registry
        )

    async def keep(self, connection: Connection) -> None:
        """Waits until the connection may be refused now. Raises `CallerGone` where it is lost meanwhile."""
        left_s = connection.refused_at + self._pause_s() - self._clock()
        if left_s > 0 and self._waiting < self._most:
            self._held.inc()
            self._waiting += 1
            try:
                await self._wait(connection, left_s)
            finally:
                self._waiting -= 1
        connection.refused_at = self._clock()

    async def _wait(self, connection: Connection, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        with EndedWhenLost(connection, sleeping.cancel):
            await asyncio.wait([sleeping])
        if connection.is_lost:
            raise CallerGone


def is_for_load(error: Overloaded | ControllerFailed) -> bool:
    """Whether it says that the gateway or its controllers are behind. (A scorer's full queue is of that scorer's requests alone.)"""
    return isinstance(error, Overloaded) or error.is_for_load
