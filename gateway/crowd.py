"""How many requests are in progress at once, on both protocols together."""

from __future__ import annotations

from gateway.limits import Limits


class Crowd:
    """Fewer than `max_lag_above` wait for one another, whoever is behind; as many or more are told from them by the controllers too."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.at_once = 0

    def is_there(self) -> bool:
        """Whether so many are in progress that some may be refused for lag."""
        return self.at_once >= self._limits.now.max_lag_above
