"""Refuses a share of what comes while the event loop is behind: what is refused at once costs little, and what waits costs everybody.

The share follows the lag itself and has no memory, so that it neither overshoots nor outlasts the overload.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from pointsman.runtime.errors import Overloaded

_FULL: Final = 3.0
"""Of the target: a lag so long has most refused."""
_MOST: Final = 0.95
"""The largest share: some must come in to show that it is over."""
_FEW: Final = 20.0
"""Requests a second: fewer than that aren't why the loop is behind, and refusing them wouldn't help it."""
_LOOKS: Final = 4
"""Over which they are counted."""


class Shedding:
    """Which requests to refuse. `observe` is told the loop's lag at every look, 20 times a second."""

    def __init__(
        self,
        target_s: Callable[[], float | None],
        registry: CollectorRegistry,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        counts: Callable[[], bool] = lambda: True,
    ) -> None:
        """Up to a lag of `target_s` nothing is refused, and with None never; nor where it doesn't count, requests being too few at once.
        `draw` gives numbers of [0, 1)."""
        self._target_s = target_s
        self._draw = draw
        self._clock = clock
        self._counts = counts
        self._before = 0.0
        self._seen, self._since = 0, clock()
        self._looks: deque[tuple[int, float]] = deque(maxlen=_LOOKS)
        """Of each of the last looks: the requests since the one before it, and the seconds."""
        self._many = False
        self.share = 0.0
        """Of new requests that are refused, 0 to 0.95."""
        self._refused = Counter("pointsman_shed", "Requests refused because the event loop was behind.", registry=registry)
        Gauge("pointsman_shed_share", "The share of requests refused for it now.", registry=registry).set_function(lambda: self.share)

    def observe(self, lag_s: float) -> None:
        """Takes one look into account: of two in a row the shorter lag counts, for a single pause is no overload."""
        lag_s, self._before = min(lag_s, self._before), lag_s
        now = self._clock()
        self._looks.append((self._seen, now - self._since))
        self._seen, self._since = 0, now
        self._many = sum(seen for seen, _ in self._looks) >= _FEW * sum(seconds for _, seconds in self._looks)
        target = self._target_s()
        self.share = 0.0 if target is None or not self._many else min(_MOST, max(0.0, (lag_s / target - 1) / (_FULL - 1)))

    def check_wait(self, waited_s: float, crowded: Callable[[], bool] = lambda: False) -> None:
        """Raises `Overloaded` for a request, one of many, that has waited for longer than the target: those behind it needn't then."""
        target = self._target_s()
        if self._many and target is not None and waited_s > target and (self._counts() or crowded()):
            self._refused.inc()
            raise _overloaded()

    def admit(self) -> None:
        """Raises `Overloaded` for a request that is to be refused."""
        if (refusal := self.refusal()) is not None:
            raise refusal

    def refusal(self, crowded: Callable[[], bool] = lambda: False) -> Overloaded | None:
        """The error for a request that is to be refused; None for one that comes in. Asked once for each; `crowded` says of it that there
        are many at once where it comes from, and only some of them here yet."""
        self._seen += 1
        if not self.share or self._draw() >= self.share or not (self._counts() or crowded()):
            return None
        self._refused.inc()
        return _overloaded()


def _overloaded() -> Overloaded:
    error = Overloaded("More comes than this service keeps up with; try again shortly.", retry_after_s=1)
    error.by_process = True
    return error
