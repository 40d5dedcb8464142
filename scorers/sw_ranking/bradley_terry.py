"""Ratings from who beat whom: Bradley-Terry, a tie being half a win for each side (RouteLLM's duplicated rows).

The likelihood of any number of battles depends on no more than the weight of i's wins over j, so the fit has as many parameters
as there are players, whatever the number of battles, and Newton's method finds its one maximum in a few steps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_STEPS: Final = 500
_CONVERGED: Final = 1e-8  # the step after this one would be the square of it
_PRIOR: Final = 1e-3


def fit_ratings(wins: Floats) -> Floats:
    """Ratings (n, players) in nats, each row's mean 0, from `wins` (n, players, players): the weight of row's wins over column.

    Player i beats j with probability sigmoid(rating i - rating j); 400 / ln 10 of Elo's points are one nat. The maximum must exist
    (see `comparable`); a row that doesn't converge is NaN. The diagonal isn't looked at.
    """
    players = wins.shape[-1]
    scale = np.maximum(wins.sum(axis=(1, 2), keepdims=True), np.finfo(np.float64).tiny)
    won = np.where(np.eye(players, dtype=bool), 0.0, wins) / scale
    games = won + won.swapaxes(1, 2)
    ratings = np.zeros(won.shape[:2])
    longest = np.full(len(won), np.inf)
    for _ in range(_STEPS):
        step = _newton_step(won, games, ratings)
        longest = np.ptp(step, axis=1)
        # So much of the step is sure to climb from anywhere, for the second derivative bounds the third; near the top it's all of it.
        ratings += step * (np.log1p(longest) / np.maximum(longest, 1e-300))[:, None]
        if not (longest > _CONVERGED).any():
            break
    ratings[~(longest <= _CONVERGED)] = np.nan
    return ratings


def comparable(wins: Floats, player: int) -> NDArray[np.intp]:
    """The players, in order, whose ratings differ by a finite amount from that one's, from `wins` (players, players).

    Those are the ones connected with it both ways by wins or ties (Ford's condition). The others' battles with them say nothing
    about the differences among them, for the likelihood is largest where those battles are certain.
    """
    reached = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(max(1, len(wins).bit_length())):
        reached = (reached.astype(np.float32) @ reached.astype(np.float32)) > 0
    return np.flatnonzero(reached[player] & reached[:, player])


def model_ratings(wins: Floats) -> Floats:
    """Ratings (models,) of the unweighted fit, on which models are grouped, from `wins` (models, models).

    Where some model never loses or never wins, every pair is given a thousandth of a tie, which keeps all ratings finite.
    """
    if len(comparable(wins, 0)) < len(wins):
        wins = wins + _PRIOR
    return np.asarray(fit_ratings(wins[None])[0], dtype=np.float64)


def _newton_step(won: Floats, games: Floats, ratings: Floats) -> Floats:
    players = won.shape[-1]
    rates = 1 / (1 + np.exp(ratings[:, None, :] - ratings[:, :, None]))
    gradient = (won - games * rates).sum(axis=2)
    curvature = games * rates * (1 - rates)
    total = curvature.sum(axis=2)
    # A shift of all ratings changes nothing; the constant takes that freedom, and the gradient has no part along it.
    hessian = total[:, :, None] * np.eye(players) - curvature + total.mean(axis=1)[:, None, None] / players
    step: Floats = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
    return step
