"""Whether something grows: the slope of a line through a series, and how sure that is where neighbours resemble one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_RESAMPLES: Final = 2000
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slope:
    """By least squares, in the series' unit per unit of time, with the bounds of its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @property
    def is_zero(self) -> bool:
        """Whether 0 is within the interval."""
        return self.low <= 0 <= self.high


def slope_of(times: Sequence[float], values: Sequence[float], seed: int = 0) -> Slope:
    """The interval is a circular block bootstrap of the residuals: blocks of a tenth of the series are drawn, so that what lies nearer
    together than that stays together. Raises `ValueError` for fewer than ten values."""
    if len(values) < 10:
        raise ValueError(f"{len(values)} values are too few for a slope")
    x, y = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    value, intercept = np.polyfit(x, y, 1)
    residuals = y - (intercept + value * x)
    draw, block = np.random.default_rng(seed), max(2, len(y) // 10)
    begins = draw.integers(len(y), size=(_RESAMPLES, -(-len(y) // block)))
    places = (begins[:, :, None] + np.arange(block)).reshape(_RESAMPLES, -1)[:, : len(y)] % len(y)
    centred = x - x.mean()
    slopes: Floats = value + residuals[places] @ centred / (centred @ centred)
    low, high = np.percentile(slopes, [2.5, 97.5])
    return Slope(float(value), float(low), float(high))
