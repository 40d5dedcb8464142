"""The one deadline of a request, from the caller to the scorer and the backend."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from pointsman.runtime.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds. (The event loop's own costs a system call and is a millisecond coarse.)"""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - monotonic())

    def share(self, fraction: float, at_most: float) -> float:
        """Seconds that a part of the work may take: a fraction of what is left, and no more than `at_most`."""
        return min(self.remaining() * fraction, at_most)

    def check(self) -> None:
        """Raises `DeadlineExceeded` where nothing is left."""
        if self.remaining() <= 0:
            raise DeadlineExceeded("The deadline passed before there was an answer; give the call longer.")
