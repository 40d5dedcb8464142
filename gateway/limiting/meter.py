"""What counts: in this process, or in a Redis. Both by the `limits` library's sliding window counter, so that limits mean the same.

A sliding window counter, because a key's memory is then two numbers whatever its limit (a moving window keeps an entry per token), and
because no burst of twice the limit fits around the turn of a minute, as with fixed windows.
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Final, Protocol

from limits.aio.storage import MemoryStorage
from limits.aio.storage.base import SlidingWindowCounterSupport

from gateway.limiting.window import Window

REQUESTS: Final = "requests"
TOKENS: Final = "tokens"
STREAMS: Final = "streams"
WINDOW_S: Final = 60
_NO_LIMIT: Final = 1 << 53


class MeterDown(Exception):
    """What counts doesn't answer, or not soon enough."""


class Meter(Protocol):
    """Counts by key name. Every method raises `MeterDown` where it can't."""

    async def hit(self, kind: str, name: str, limit: int) -> bool:
        """Counts one more, unless the window is full."""

    async def charge(self, kind: str, name: str, amount: int) -> None:
        """Counts what has happened, also beyond any limit."""

    async def window(self, kind: str, name: str) -> Window:
        """What counts now."""

    async def take_place(self, name: str, limit: int) -> str | None:
        """A place among the requests in progress; None where all are taken."""

    async def leave_place(self, name: str, place: str) -> None:
        """Gives it back."""

    def forget_place(self, name: str, place: str) -> None:
        """Gives it back as far as that needs no answer."""


class Windows:
    """Requests and tokens, over one of the library's storages."""

    def __init__(self, storage: SlidingWindowCounterSupport, window_s: int = WINDOW_S) -> None:
        self._storage = storage
        self._window_s = window_s

    async def hit(self, kind: str, name: str, limit: int) -> bool:
        """See `Meter`."""
        return await self._storage.acquire_sliding_window_entry(_key(kind, name), limit, self._window_s, 1)

    async def charge(self, kind: str, name: str, amount: int) -> None:
        """See `Meter`."""
        if amount > 0:
            await self._storage.acquire_sliding_window_entry(_key(kind, name), _NO_LIMIT, self._window_s, amount)

    async def window(self, kind: str, name: str) -> Window:
        """See `Meter`."""
        previous, previous_left_s, current, current_left_s = await self._storage.get_sliding_window(_key(kind, name), self._window_s)
        # The library keeps an interval's count for two intervals.
        return Window(self._window_s, previous, previous_left_s, current, max(0.0, current_left_s - self._window_s))


class MemoryMeter(Windows):
    """Of this process; a restart forgets it."""

    def __init__(self, window_s: int = WINDOW_S) -> None:
        super().__init__(MemoryStorage(), window_s)
        self._places: Counter[str] = Counter()

    async def take_place(self, name: str, limit: int) -> str | None:
        """See `Meter`."""
        if self._places[name] >= limit:
            return None
        self._places[name] += 1
        return secrets.token_hex(8)

    async def leave_place(self, name: str, place: str) -> None:
        """See `Meter`."""
        self.forget_place(name, place)

    def forget_place(self, name: str, place: str) -> None:
        """See `Meter`."""
        self._places[name] -= 1
        self._places += Counter()  # drops those at nothing


def _key(kind: str, name: str) -> str:
    return f"{kind}/{name}"
