"""How long a call waits before a controller takes it up: the hop itself is asked, over the connections that requests take.

What is sent faster than a controller takes it up waits on the connection, where neither process's event loop is behind.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from gateway.controller_client import ControllerClient

_EVERY_S: Final = 0.1
_TIMEOUT_S: Final = 5.0
_FORGETTING: Final = 1.0002
"""The shortest time that a call has taken counts for less and less, so that a longer way to the controllers is got used to in minutes."""


class Hop:
    """Calls for the controllers' health, one call at a time."""

    def __init__(self, controller: ControllerClient) -> None:
        self._controller = controller
        self._begun: float | None = None
        self._took = self._shortest = 0.0
        self.answered = 0
        """Calls that a controller took up."""

    def wait_s(self) -> float:
        """By how much the last call took longer than such calls do, or the one under way does by now where that is more."""
        took = self._took if self._begun is None else max(self._took, time.monotonic() - self._begun)
        return max(0.0, took - self._shortest)

    async def keep(self) -> None:
        """Calls until it is cancelled."""
        while True:
            self._begun = time.monotonic()
            answered = await self._controller.answers(_TIMEOUT_S)
            self._took, self._begun = time.monotonic() - self._begun, None
            if answered:
                self.answered += 1
                self._shortest = min(self._took, self._shortest * _FORGETTING or self._took)
            else:
                self._took = 0.0  # nobody is there: what waits isn't a queue
            await asyncio.sleep(_EVERY_S)
