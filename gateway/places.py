"""How many calls may be under way at once on one protocol."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from gateway.controller_call import ControllerFailed
from gateway.crowd import Crowd
from gateway.limits import Limits
from gateway.throttle import Throttle
from pointsman.runtime.errors import Overloaded
from pointsman.runtime.shedding import Shedding


class Places:
    """At most `max_concurrent` calls at once whatever their methods, and fewer while the event loop is behind, or the controllers are.

    gRPC itself counts a call until its caller has taken the answer.
    """

    def __init__(self, limits: Limits, shedding: Shedding, throttle: Throttle, crowd: Crowd) -> None:
        self._limits = limits
        self._crowd = crowd
        self._shedding = shedding
        self._throttle = throttle
        self._taken = 0

    def one(self) -> Self:
        """In a `with`, for the length of a call; entering it raises `Overloaded`."""
        return self

    def __enter__(self) -> None:
        if self._taken >= self._limits.now.max_concurrent:
            raise Overloaded("The gateway is full (gateway.max_concurrent requests in progress); try again shortly.", retry_after_s=1)
        self._crowd.at_once += 1
        try:
            self._shedding.admit()
            self._throttle.admit()
        except Overloaded:
            self._crowd.at_once -= 1
            raise
        self._taken += 1

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._taken -= 1
        self._crowd.at_once -= 1
        if isinstance(error, ControllerFailed) and error.is_for_load:
            self._throttle.refused()
