"""How long a call has waited to be taken up, told without clocks that agree.

gRPC sends a call's timeout as what is left of it, and the server counts from when the call's headers arrive. A caller that says beside it
what it sent lets the server see how much of that is gone when the handler begins: the time that the call waited in the server.
"""

from __future__ import annotations

import math
from typing import Final

KEY: Final = "x-pointsman-timeout"
"""The metadata key: the timeout in seconds that arrives. Only gateways write it."""
CROWDED: Final = ("x-pointsman-crowded", "1")
"""Metadata of a gateway that has many requests in progress: those that wait in gRPC's core the controller can't count."""
_STEPS: Final = ((1, 0.001), (10, 0.01), (100, 0.1), (1000, 1.0))
_BELOW: Final = 0.4
"""Of a step: what is sent lies so far below what is to arrive, since gRPC rounds up, and adds up to a millisecond before it does."""


def arriving(seconds: float) -> tuple[float, str | None]:
    """The timeout to give gRPC, and how it arrives, for the metadata: a hundredth shorter than this at most, and never longer.

    gRPC sends few digits and rounds up. None for 1,000 seconds and more, of which it sends too few. Now and then it sends, in the place of
    a timeout, one that was sent before and is up to 3 % longer: such a call seems to have waited less than it has, and never more.
    """
    step = next((step for below, step in _STEPS if seconds < below), None)
    if step is None:
        return seconds, None
    # A hair more before it is cut off: 0.29 / 0.01 is 28.999999999999996.
    arrives = max(0.001, math.floor(seconds / step + 1e-9) * step)
    finer = next(step for up_to, step in _STEPS if arrives <= up_to)  # 9.96 isn't sent as 10
    return (arrives - _BELOW * finer if finer > 0.001 else arrives), f"{arrives:.3f}"


def waited_s(said: str | bytes | None, remaining_s: float | None) -> float:
    """Seconds, 0 where the caller didn't say its timeout."""
    if not isinstance(said, str) or remaining_s is None:
        return 0.0
    try:
        return max(0.0, float(said) - remaining_s)
    except ValueError:
        return 0.0
