"""Coming back to a service that refuses for now, as those do who ask it for many prompts; clients leave that to their callers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import grpc

from pointsman.client.failures import RouteError
from pointsman.runtime.errors import Unavailable

TRIES: Final = 8
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 60.0
"""That a service may ask for; more is a limit that isn't to be sat out."""
Answer = TypeVar("Answer")


def patiently(ask: Callable[[], Answer], tries: int = TRIES, stopped: threading.Event | None = None) -> Answer:
    """What `ask` gives, asked `tries` times at most, where the service refuses for its load or a limit.

    Raises the last refusal, also once `stopped` is set, which ends a wait; any other `RouteError` at once: nobody there, say, for which
    the client has tried again already.
    """
    stopped = stopped or threading.Event()
    for tried in range(1, tries):
        try:
            return ask()
        except RouteError as error:
            wait_s = _wait_s(error, tried) if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED else None
            if wait_s is None or stopped.wait(wait_s):
                raise
    return ask()


async def patiently_async(ask: Callable[[], Awaitable[Answer]], tries: int = TRIES) -> Answer:
    """The same for asyncio and for thousands of prompts, whose asker waits for a service that is gone for a while too.

    `ask` may raise `Unavailable` for what it misses in an answer.
    """
    for tried in range(1, tries):
        try:
            return await ask()
        except (RouteError, Unavailable) as error:
            wait_s = _wait_s(error, tried)
            if wait_s is None:
                raise
        await asyncio.sleep(wait_s)
    return await ask()


def _wait_s(error: RouteError | Unavailable, tried: int) -> float | None:
    """As long as was said, and at least a while that doubles; None where waiting doesn't help, or takes too long."""
    if error.retry_after_s is None or error.retry_after_s > _LONGEST_WAIT_S:
        return None
    return max(error.retry_after_s, _FIRST_WAIT_S * 2.0 ** (tried - 1))
