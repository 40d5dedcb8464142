"""How many requests are in progress at once, on both protocols together."""

from __future__ import annotations

from gateway.limits import Limits


class Crowd:
    """Up to `max_lag_above` wait for one another, whoever is behind; more are told from them by the controllers too."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.at_once = 0

    def is_there(self) -> bool:
        """Whether so many are in progress, the one that asks among them, that some may be refused for lag."""
        return self.at_once > self._limits.now.max_lag_above
