"""When prompts come."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Kind = Literal["poisson", "bursty"]

BURST: Final = 2.0
"""A burst's rate over the mean rate."""
BURST_S: Final = 0.5
"""A burst's mean length."""
SHARE: Final = 0.25
"""Of the time is bursts, so that what is left comes at two thirds of the mean rate."""


def arrivals(kind: Kind, rate: float, count: int, seed: int) -> Floats:
    """`count` moments in seconds, rising from 0, at `rate` a second in the mean."""
    draw = np.random.default_rng(seed)
    unit = np.cumsum(draw.exponential(size=count))
    return unit / rate if kind == "poisson" else _stretched(unit, rate, draw)


def _stretched(unit: Floats, rate: float, draw: np.random.Generator) -> Floats:
    """A Poisson process whose rate is drawn too (MMPP of two states): bursts and what is between have exponential lengths.

    `unit` is a process of rate 1; through the inverse of the summed rate it becomes one of that rate.
    """
    calm = (1 - BURST * SHARE) / (1 - SHARE)
    cycles = int(unit[-1] / rate / (BURST_S / SHARE) * 1.5) + 20
    lengths = np.empty(2 * cycles)
    lengths[0::2] = draw.exponential(BURST_S * (1 - SHARE) / SHARE, cycles)
    lengths[1::2] = draw.exponential(BURST_S, cycles)
    rates = np.tile([calm * rate, BURST * rate], cycles)
    times = np.concatenate([[0.0], np.cumsum(lengths)])
    summed = np.concatenate([[0.0], np.cumsum(lengths * rates)])
    if summed[-1] < unit[-1]:  # a row of short ones: the last one goes on
        times = np.append(times, times[-1] + (unit[-1] - summed[-1]) / rate)
        summed = np.append(summed, unit[-1])
    moments: Floats = np.interp(unit, summed, times)
    return moments
