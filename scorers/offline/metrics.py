"""How good an order of prompts is: the cost-quality curve and its figures, as RouteLLM's paper defines them.

Routing sends the prompts with the highest win rates to strong. Along the curve, from none to all of them, the *recovered* share of
the strong model's gain (PGR) is set against the *strong share* of calls (cost). Prompts of one score move together, so their order
within a tie doesn't matter; between points the curve is a straight line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_INTERVAL: Final = (0.025, 0.975)


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


def apgr(strong_win_rates: ArrayLike, gains: ArrayLike) -> float:
    """Average performance gap recovered, from scores (n,) and the strong model's result minus the weak one's (n,)."""
    gained = np.asarray(gains, dtype=np.float64)
    return figures(strong_win_rates, np.zeros_like(gained), gained).apgr


def figures(strong_win_rates: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> Figures:
    """From scores (n,) and both models' outcomes (n,)."""
    order = _Order(np.asarray(strong_win_rates, dtype=np.float64), np.asarray(weak, np.float64), np.asarray(strong, np.float64))
    return order.figures(np.ones(len(order.gains)))


def with_intervals(strong_win_rates: ArrayLike, weak: ArrayLike, strong: ArrayLike, *, draws: int, seed: int) -> Mapping[str, float]:
    """The figures and, as `<name>_low` and `<name>_high`, their 95 % percentile bootstrap intervals over `draws` resamples of rows."""
    order = _Order(np.asarray(strong_win_rates, dtype=np.float64), np.asarray(weak, np.float64), np.asarray(strong, np.float64))
    n, draw = len(order.gains), np.random.default_rng(seed)
    counts = (np.bincount(draw.integers(0, n, n), minlength=n).astype(np.float64) for _ in range(draws))
    resampled = [asdict(order.figures(weights)) for weights in counts]
    result = asdict(order.figures(np.ones(n)))
    for name in list(result):
        low, high = np.nanquantile([each[name] for each in resampled], _INTERVAL) if resampled else (float("nan"), float("nan"))
        result[f"{name}_low"], result[f"{name}_high"] = float(low), float(high)
    return result


class _Order:
    """Rows sorted by score, highest first, once for all resamples."""

    def __init__(self, scores: Floats, weak: Floats, strong: Floats) -> None:
        order = np.argsort(-scores, kind="stable")
        self.gains = (strong - weak)[order]
        self._weak = weak[order]
        self._last_of_tie = np.append(np.diff(scores[order]) != 0, True)

    def figures(self, weights: Floats) -> Figures:
        """With each row counted `weights` (n,) times."""
        total = weights.sum()
        shares = np.concatenate([[0.0], np.cumsum(weights)[self._last_of_tie] / total])
        gained = np.concatenate([[0.0], np.cumsum(weights * self.gains)[self._last_of_tie] / total])
        auc = float(np.dot(weights, self._weak) / total + np.trapezoid(gained, shares))
        if not gained[-1]:
            nan = float("nan")
            return Figures(nan, auc, nan, nan, nan)
        recovered = gained / gained[-1]
        cpt = [_first_share(shares, recovered, level) for level in (0.2, 0.5, 0.8)]
        return Figures(float(np.trapezoid(recovered, shares)), auc, *cpt)


def _first_share(shares: Floats, recovered: Floats, level: float) -> float:
    """The smallest share at which the curve reaches the level: it isn't monotone, so the first crossing counts."""
    after = int(np.argmax(recovered >= level))
    if after == 0:
        return float(shares[0]) if recovered[0] >= level else float("nan")
    before = after - 1
    part = (level - recovered[before]) / (recovered[after] - recovered[before])
    return float(shares[before] + part * (shares[after] - shares[before]))
