"""The arithmetic of a sliding window: what is used, what is left, and when there is room again.

The window's count is that of the interval under way, and of the one before it the part that still lies in the window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Two intervals of `length_s` seconds each: what was counted in the one before, seconds until nothing of it counts any more, what
    was counted in the one under way, and seconds until that one ends."""

    length_s: float
    previous: int = 0
    previous_left_s: float = 0.0
    current: int = 0
    current_left_s: float = 0.0

    @property
    def used(self) -> int:
        """What counts now."""
        return math.floor(self.previous * self.previous_left_s / self.length_s + self.current)

    def remaining(self, limit: int) -> int:
        """What is left of `limit`, from 0."""
        return max(0, limit - self.used)

    @property
    def reset_s(self) -> float:
        """Seconds until nothing counts any more, where nothing is added."""
        if self.current:
            return self.current_left_s + self.length_s
        return self.previous_left_s if self.previous else 0.0

    def wait_s(self, limit: int) -> float:
        """Seconds until less than `limit` counts, where nothing is added; 0 where that is so now."""
        if self.used < limit:
            return 0.0
        if self.current < limit and self.previous:
            # The earlier interval's part shrinks evenly: when is it down to what the limit leaves for it?
            return max(0.0, self.previous_left_s - (limit - self.current) * self.length_s / self.previous)
        # Only once this interval is itself the one before, and a part of it out of the window.
        return self.current_left_s + self.length_s * (1 - limit / self.current)
