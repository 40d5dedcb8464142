"""Who asks, on its way from the gateway to the controller, and as a label of metrics."""

from __future__ import annotations

from typing import Final

CALLER_KEY: Final = "x-pointsman-caller-bin"
"""The metadata key of a `pointsman.v1.Caller`. Only gateways write it."""
USAGE_KEY: Final = "x-pointsman-usage-tokens"
"""The trailing metadata in which the controller tells the gateway how many tokens an answer took."""
MOST_NAMES: Final = 200
OTHER: Final = "other"


class CallerNames:
    """Callers' names as a label's values: at most `most`, the first that come; any further one is `other`."""

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._known: set[str] = {""}

    def label(self, name: str) -> str:
        """The name, or `other`. None at all, where no keys are asked for, stays empty."""
        if name not in self._known:
            if len(self._known) > self._most:
                return OTHER
            self._known.add(name)
        return name
