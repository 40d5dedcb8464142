"""Thresholds to mark on a curve: which win rate sends a strong share of the prompts to strong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

_LEAST_DIGITS, _MOST_DIGITS = 3, 6
_GAP: Final = 0.105
"""Between the columns of values, of the axis."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The threshold of a strong share, and what it really sends: more where scores are tied."""

    threshold: float
    sent: float
    """From 0 to 1."""
    text: str
    """The threshold, in as many digits as tell shares apart."""


def marked(scores: ArrayLike, shares: Sequence[float]) -> list[Mark]:
    """A quantile of the win rates (n,) for each share, as in a calibration record."""
    rates = np.asarray(scores, dtype=np.float64)
    low, high = np.quantile(rates, (0.1, 0.9))
    digits = int(np.clip(2 - np.floor(np.log10(high - low)), _LEAST_DIGITS, _MOST_DIGITS)) if high > low else _LEAST_DIGITS
    thresholds = [float(each) for each in np.quantile(rates, 1 - np.asarray(shares, dtype=np.float64))]
    return [Mark(each, float(np.mean(rates >= each)), f"{each:.{digits}f}") for each in thresholds]


def columns(shares: Sequence[float]) -> list[float]:
    """Where the values of each share are written, along an axis from 0 to 1: below it, or as near as leaves room for its neighbours'."""
    order = np.argsort(shares, kind="stable")
    places = np.asarray(shares, dtype=np.float64)[order]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + _GAP)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], 1 if i == len(places) - 1 else places[i + 1] - _GAP)
    found = np.empty(len(places))
    found[order] = places
    return [float(each) for each in found]
