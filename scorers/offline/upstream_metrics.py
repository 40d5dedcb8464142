"""The figures by RouteLLM's own arithmetic, for numbers to set beside the ones that it publishes.

RouteLLM cuts the scores into tenths and draws the curve through eleven points, instead of a point after every score. Its cost of a
level is read off a curve that may fall again, so it isn't always the smallest one; `metrics.py` has the definition of the paper.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from scorers.offline.metrics import LEVELS, Curve, Figures, Floats

_TENTHS: Final = 10


class UpstreamOrder:
    """Eleven thresholds, the edges of the scores' tenths: a prompt at or above an edge goes to strong; above it, for the last.

    Where scores are tied edges coincide. RouteLLM raises there; here the duplicates are dropped, so that a constant score has two
    points left, all and none.
    """

    def __init__(self, scores: Floats, weak: Floats, strong: Floats) -> None:
        order = np.argsort(scores, kind="stable")
        self._scores, self._weak = scores[order], weak[order]
        self._gains = (strong - weak)[order]

    def figures(self, weights: Floats) -> Figures:
        """See `Order`."""
        curve = self.curve(weights)
        weak, strong = curve.quality[0], curve.quality[-1]
        covered = curve.shares[-1] - curve.shares[0]
        auc = float(np.trapezoid(curve.quality, curve.shares))
        if np.isclose(weak, strong, rtol=1e-12, atol=0.0):
            nan = float("nan")
            return Figures(nan, auc, nan, nan, nan)
        cpt = [float(np.interp(level * (strong - weak) + weak, curve.quality, curve.shares)) for level in LEVELS]
        return Figures(float((auc - weak * covered) / (strong * covered - weak * covered)), auc, *cpt)

    def curve(self, weights: Floats) -> Curve:
        """See `Order`."""
        rows = np.repeat(np.arange(len(weights)), weights.astype(np.int64))
        edges = np.unique(np.quantile(self._scores[rows], _levels())[:-1])
        n = len(rows)
        # The rows are in order, so an edge sends all from some place on to strong. The last edge is the highest score: none is above.
        places = np.append(np.searchsorted(self._scores[rows], edges), n)[::-1]
        gained = np.append(np.cumsum(self._gains[rows][::-1])[::-1], 0.0)
        return Curve((n - places) / n, (self._weak[rows].sum() + gained[places]) / n)


def _levels() -> Floats:
    """0, 0.1, … 1 as pandas.qcut has them: those a double can't hold are rounded up, which decides whether a score on an edge is in."""
    levels = np.linspace(0, 1, _TENTHS + 1)
    return np.where(levels * _TENTHS == np.arange(_TENTHS + 1), levels, np.nextafter(levels, 1))
