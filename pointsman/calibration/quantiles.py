"""Quantiles of a sample and how far another sample would move them; in pure Python, since the controller has no numpy."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_LOW, _HIGH = 0.025, 0.975
DRAWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantile and its 95 % percentile bootstrap interval."""

    value: float
    low: float
    high: float


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """Of a sorted sample, interpolated linearly between neighbours (numpy's default, which RouteLLM's calibrate_threshold.py takes)."""
    place = fraction * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 2) if len(ordered) > 1 else 0
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (high - low) * (place - below)


def rank(ordered: Sequence[float], value: float) -> float:
    """The share of the sample below a value, 0 to 1: the inverse of `quantile`.

    Linear between neighbours; a value that several of the sample have is at their middle, one outside of the sample at its end.
    """
    first, after = bisect_left(ordered, value), bisect_right(ordered, value)
    if first < after:
        place = (first + after - 1) / 2
    elif 0 < first < len(ordered):
        low, high = ordered[first - 1], ordered[first]
        place = first - 1 + (value - low) / (high - low)
    else:
        place = 0.0 if first == 0 else len(ordered) - 1
    return place / (len(ordered) - 1)


def estimated(ordered: Sequence[float], fraction: float, draw: random.Random, draws: int = DRAWS) -> Estimate:
    """The quantile with its bootstrap interval.

    A resample needn't be drawn whole: of n draws with replacement the k-th smallest is the sample's value at place n · U, U being the
    k-th smallest of n uniform draws, which is Beta(k, n + 1 - k) (David and Nagaraja, Order Statistics, 2003, section 2.1).
    """
    found = sorted(_resampled(ordered, fraction, draw) for _ in range(draws))
    return Estimate(quantile(ordered, fraction), quantile(found, _LOW), quantile(found, _HIGH))


def _resampled(ordered: Sequence[float], fraction: float, draw: random.Random) -> float:
    n = len(ordered)
    place = fraction * (n - 1)
    k = int(place) + 1
    lower = draw.betavariate(k, n + 1 - k)
    low = ordered[min(n - 1, int(n * lower))]
    if k == n:
        return low
    # The next one up, given this one: the smallest of the n - k draws above it.
    upper = lower + (1 - lower) * draw.betavariate(1, n - k)
    high = ordered[min(n - 1, int(n * upper))]
    return low + (high - low) * (place - k + 1)
