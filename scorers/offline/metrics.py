"""How good an order of prompts is: the cost-quality curve and its figures, as RouteLLM's paper defines them.

Routing sends the prompts with the highest win rates to strong. Along the curve, from none to all of them, the *recovered* share of
the strong model's gain (PGR) is set against the *strong share* of calls (cost). Prompts of one score move together, so their order
within a tie doesn't matter; between points the curve is a straight line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
LEVELS: Final = (0.2, 0.5, 0.8)
"""The recovered shares whose cost is cpt20, cpt50 and cpt80."""
MOST_RESAMPLED: Final = 100_000
"""Rows of a resample: beyond them the work for an interval doesn't grow."""
_INTERVAL: Final = (0.025, 0.975)
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one order of prompts. NaN where the strong model gains nothing over all."""

    apgr: float
    """Area under recovered against strong share; a random order gives 0.5 on average."""
    auc: float
    """Area under quality against strong share, in the outcomes' own unit."""
    cpt20: float
    """The smallest strong share that recovers 20 %, from 0 to 1."""
    cpt50: float
    cpt80: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Quality against strong share: points from the smallest share to the largest, straight lines between them."""

    shares: Floats
    """From 0 to 1."""
    quality: Floats
    """The mean outcome, in the outcomes' own unit."""

    def quality_at(self, share: float) -> float:
        return float(np.interp(share, self.shares, self.quality))


class Order(Protocol):
    """Rows sorted by score once, for the figures of any resample: `weights` (n,) says how many times each sorted row counts."""

    def figures(self, weights: Floats) -> Figures: ...

    def curve(self, weights: Floats) -> Curve: ...


Arithmetic = Callable[[Floats, Floats, Floats], Order]
"""How figures come of scores, weak outcomes and strong outcomes, each (n,)."""


class ExactOrder:
    """Rows sorted by score, highest first: a point of the curve after every group of ties, no binning."""

    def __init__(self, scores: Floats, weak: Floats, strong: Floats) -> None:
        order = np.argsort(-scores, kind="stable")
        self._gains = (strong - weak)[order]
        self._weak = weak[order]
        self._last_of_tie = np.append(np.diff(scores[order]) != 0, True)

    def figures(self, weights: Floats) -> Figures:
        """See `Order`."""
        total = weights.sum()
        shares, sums = self._sums(weights)
        gained = sums / total
        auc = float(_dot(weights, self._weak) / total + np.trapezoid(gained, shares))
        # Scores of many digits don't sum to 0 where they should.
        if abs(sums[-1]) <= _ROUNDING * _dot(weights, np.abs(self._gains)):
            nan = float("nan")
            return Figures(nan, auc, nan, nan, nan)
        recovered = gained / gained[-1]
        cpt = [_first_share(shares, recovered, level) for level in LEVELS]
        return Figures(float(np.trapezoid(recovered, shares)), auc, *cpt)

    def curve(self, weights: Floats) -> Curve:
        """See `Order`."""
        shares, sums = self._sums(weights)
        return Curve(shares, (_dot(weights, self._weak) + sums) / weights.sum())

    def _sums(self, weights: Floats) -> tuple[Floats, Floats]:
        """Strong shares, and what the rows sent to strong gain in sum, at each point."""
        shares = np.concatenate([[0.0], np.cumsum(weights)[self._last_of_tie] / weights.sum()])
        return shares, np.concatenate([[0.0], np.cumsum(weights * self._gains)[self._last_of_tie]])


def apgr(strong_win_rates: ArrayLike, gains: ArrayLike) -> float:
    """Average performance gap recovered, from scores (n,) and the strong model's result minus the weak one's (n,)."""
    gained = np.asarray(gains, dtype=np.float64)
    return figures(strong_win_rates, np.zeros_like(gained), gained).apgr


def figures(strong_win_rates: ArrayLike, weak: ArrayLike, strong: ArrayLike, arithmetic: Arithmetic = ExactOrder) -> Figures:
    """From scores (n,) and both models' outcomes (n,)."""
    scores = _floats(strong_win_rates)
    return arithmetic(scores, _floats(weak), _floats(strong)).figures(np.ones(len(scores)))


def curve(strong_win_rates: ArrayLike, weak: ArrayLike, strong: ArrayLike, arithmetic: Arithmetic = ExactOrder) -> Curve:
    """The points that the figures are made of; arguments as there."""
    scores = _floats(strong_win_rates)
    return arithmetic(scores, _floats(weak), _floats(strong)).curve(np.ones(len(scores)))


def with_intervals(
    strong_win_rates: ArrayLike,
    weak: ArrayLike,
    strong: ArrayLike,
    *,
    draws: int,
    seed: int,
    arithmetic: Arithmetic = ExactOrder,
    most: int = MOST_RESAMPLED,
    progress: Callable[[int], None] = lambda _: None,
) -> Mapping[str, float]:
    """The figures and, as `<name>_low` and `<name>_high`, their 95 % percentile bootstrap intervals over `draws` resamples of rows.

    A resample has `most` rows at most (m out of n bootstrap): what it strays from the figure is scaled by the root of its part of the
    rows. NaN where no resample has the figure. `progress` hears how many resamples are done.
    """
    columns = _floats(strong_win_rates), _floats(weak), _floats(strong)
    order, n, draw = arithmetic(*columns), np.size(weak), np.random.default_rng(seed)
    resampled = []
    for number in range(draws):
        if n <= most:
            found = order.figures(np.bincount(draw.integers(0, n, n), minlength=n).astype(np.float64))
        else:
            rows = draw.integers(0, n, most)
            found = arithmetic(*(column[rows] for column in columns)).figures(np.ones(most))
        resampled.append(asdict(found))
        progress(number + 1)
    result = asdict(order.figures(np.ones(n)))
    shrunk = math.sqrt(min(1.0, most / n))
    for name, figure in list(result.items()):
        known = [each[name] for each in resampled if not np.isnan(each[name])]
        low, high = np.quantile(known, _INTERVAL) if known else (float("nan"), float("nan"))
        if shrunk < 1:
            low, high = figure + shrunk * (low - figure), figure + shrunk * (high - figure)
        result[f"{name}_low"], result[f"{name}_high"] = float(low), float(high)
    return result


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _dot(a: Floats, b: Floats) -> float:
    """Without BLAS, whose threads take longer to meet than a sum of this size takes: 8 ms instead of 0.01 on two busy cores."""
    return float(np.einsum("i,i", a, b))


def _first_share(shares: Floats, recovered: Floats, level: float) -> float:
    """The smallest share at which the curve reaches the level: it isn't monotone, so the first crossing counts."""
    after = int(np.argmax(recovered >= level))
    if after == 0:
        return float(shares[0]) if recovered[0] >= level else float("nan")
    before = after - 1
    part = (level - recovered[before]) / (recovered[after] - recovered[before])
    return float(shares[before] + part * (shares[after] - shares[before]))
