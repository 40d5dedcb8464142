"""The one deadline of a request, from the caller to the scorer and the backend."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pointsman.runtime.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the event loop's clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(asyncio.get_running_loop().time() + seconds)

    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - asyncio.get_running_loop().time())

    def share(self, fraction: float, at_most: float) -> float:
        """Seconds that a part of the work may take: a fraction of what is left, and no more than `at_most`."""
        return min(self.remaining() * fraction, at_most)

    def check(self) -> None:
        """Raises `DeadlineExceeded` where nothing is left."""
        if self.remaining() <= 0:
            raise DeadlineExceeded("The deadline passed before there was an answer.")
