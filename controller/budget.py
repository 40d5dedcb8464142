"""A share of what happens: a token bucket that events fill, so that what they may cause extra never grows faster than they do."""

from __future__ import annotations

from typing import Final

BURST: Final = 10.0
_ROUNDING: Final = 1e-9


class Budget:
    """Each event adds `share` (0 to 1) of a token, up to ten; each extra takes one. Begins full, so that little traffic has some too."""

    def __init__(self, share: float, burst: float = BURST) -> None:
        self._share = share
        self._burst = burst
        self._tokens = burst if share > 0 else 0.0

    def add(self) -> None:
        """An event."""
        self._tokens = min(self._burst, self._tokens + self._share)

    def take(self) -> bool:
        """Whether one extra may be."""
        if self._tokens < 1 - _ROUNDING:
            return False
        self._tokens -= 1
        return True
