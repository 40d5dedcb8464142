"""Refuses at the edge what the controllers would refuse: what they have no time for costs them time even to say so.

Client-side throttling as Google's SRE book has it (chapter "Handling Overload"): of what was asked lately, let through only a little more
than was taken up. Answers take seconds, so what hasn't been refused counts as taken up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from pointsman.runtime.errors import Overloaded

_HALF_LIFE_S: Final = 0.5
_MARGIN: Final = 1.2
"""So much more than was taken up is let through, which finds out that more would be."""
_MARGIN_UNREFUSED: Final = 2.0
"""The same while controllers refuse next to nothing: with the other one it takes 10 s after an overload until all is let through."""
_FEW: Final = 10
"""Of so few requests nothing is concluded."""


class Throttle:
    """For all calls to the controllers. Counts fade, by half in half a second."""

    def __init__(
        self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic, draw: Callable[[], float] = random.random
    ) -> None:
        """`clock` gives seconds, `draw` numbers of [0, 1)."""
        self._clock, self._draw = clock, draw
        self._asked = self._taken = self._bounced = 0.0
        self._faded_at = clock()
        self._refused = Counter("pointsman_gateway_throttled", "Requests refused because controllers refuse too many.", registry=registry)
        Gauge("pointsman_gateway_throttled_share", "The share of requests refused for it now.", registry=registry).set_function(self.share)

    def share(self) -> float:
        """Of new requests that are refused, 0 to 1."""
        self._fade()
        margin = _MARGIN if self._bounced > 1 else _MARGIN_UNREFUSED
        return max(0.0, (self._asked - margin * self._taken) / (self._asked + _FEW))

    def admit(self) -> None:
        """Counts a request. Raises `Overloaded` for one that is to be refused here."""
        share = self.share()
        self._asked += 1
        if share and self._draw() < share:
            self._refused.inc()
            raise Overloaded("More comes than the controllers keep up with; try again shortly.", retry_after_s=1)
        self._taken += 1

    def refused(self) -> None:
        """A controller refused one that was let through, since it is behind."""
        self._taken = max(0.0, self._taken - 1)
        self._bounced += 1

    def _fade(self) -> None:
        now = self._clock()
        kept = 0.5 ** ((now - self._faded_at) / _HALF_LIFE_S)
        self._asked, self._taken, self._bounced = self._asked * kept, self._taken * kept, self._bounced * kept
        self._faded_at = now
