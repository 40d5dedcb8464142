"""A caller's connection, as far as requests on it care: whether it is still there, and when it was refused last."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final

SCOPE_KEY: Final = "pointsman.connection"
"""Of the ASGI scope, where the server's protocol puts it."""
WHOLE_KEY: Final = "pointsman.whole"
"""Of the same, once the request has come to its end."""


class Connection:
    """Tells those that ask once it is lost. (ASGI's own way is a task of each request that waits for `http.disconnect`.)"""

    def __init__(self) -> None:
        self._to_tell: set[Callable[[], object]] = set()
        self.is_lost = False
        self.refused_at = -math.inf
        """When a request on it was refused last for load, on the monotonic clock, in seconds."""

    def watch(self, lost: Callable[[], object], *, instead: bool = False) -> None:
        """`lost` is called when the connection is lost, or now where it is; `instead` of all others, where it says so."""
        if instead:
            self._to_tell.clear()
        if self.is_lost:
            lost()
        else:
            self._to_tell.add(lost)

    def forget(self, lost: Callable[[], object]) -> None:
        """It isn't called any more."""
        self._to_tell.discard(lost)

    def lost(self) -> None:
        """Nobody is at the other end any more."""
        self.is_lost = True
        while self._to_tell:
            self._to_tell.pop()()


class EndedWhenLost:
    """Calls `end` the moment the connection is lost, and however the block is left. (A class, which costs less than a generator.)"""

    __slots__ = ("_connection", "_end")

    def __init__(self, connection: Connection, end: Callable[[], object]) -> None:
        self._connection = connection
        self._end = end

    def __enter__(self) -> None:
        self._connection.watch(self._end)

    def __exit__(self, *_: object) -> None:
        self._connection.forget(self._end)
        self._end()


async def ended_when_cancelled(working: Coroutine[Any, Any, None], connection: Connection) -> None:
    """Does the work in a task of its own, and raises what it raises. Where the task that waits is cancelled, the connection is lost, and
    the work ends by that.

    grpc.aio cancels the task of a call whose caller has gone, and what that task waits for in gRPC itself, a message of a controller's,
    is then never freed; the end of the call to the controller frees it (benchmarks/cancelled_calls.md).
    """
    work = asyncio.ensure_future(working)
    connection.watch(work.cancel)  # until there is something better to end
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError:
        connection.lost()
        while not work.done():
            # What isn't at its end now is told once more, and less kindly, when the server stops.
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                work.cancel()
        if not work.cancelled():
            work.exception()  # nobody is there to hear it
        raise
    work.result()
