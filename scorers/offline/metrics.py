"""How good an order of prompts is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def apgr(strong_win_rates: ArrayLike, gains: ArrayLike) -> float:
    """Average performance gap recovered: the share of the strong model's gain that routing wins, averaged over all thresholds.

    Both are (n,): the scores, and per prompt the strong model's result minus the weak one's. It's the area (trapezoids) under
    gap recovered against the share of calls to strong, from 0 to 1; prompts of one score move together, so their order within
    a tie doesn't matter. A random order gives 0.5 on average. NaN where the strong model gains nothing over all.
    """
    scores, gained = np.asarray(strong_win_rates, dtype=np.float64), np.asarray(gains, dtype=np.float64)
    shares, recovered = _curve(scores, gained)
    total = recovered[-1]
    return float(np.trapezoid(recovered / total, shares)) if total else float("nan")


def _curve(scores: NDArray[np.float64], gained: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    sums = np.cumsum(gained[order])[last_of_tie]
    shares = (np.flatnonzero(last_of_tie) + 1) / len(scores)
    return np.concatenate([[0.0], shares]), np.concatenate([[0.0], sums])
