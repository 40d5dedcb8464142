"""How many calls may be under way at once on one protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.limits import Limits
from pointsman.runtime.errors import Overloaded
from pointsman.runtime.shedding import Shedding


class Places:
    """At most `max_concurrent` calls at once whatever their methods, and fewer while the event loop is behind.

    gRPC itself counts a call until its caller has taken the answer.
    """

    def __init__(self, limits: Limits, shedding: Shedding) -> None:
        self._limits = limits
        self._shedding = shedding
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """For the length of a call. Raises `Overloaded`."""
        if self._taken >= self._limits.now.max_concurrent:
            raise Overloaded("The gateway has as many requests in progress as it may; try again shortly.", retry_after_s=1)
        self._shedding.admit()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
