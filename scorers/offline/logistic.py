"""The convex fit that mf and bert share: one direction whose product with a prompt's vector orders prompts by preference.

The loss (cross-entropy against the preference, ties as 0.5, plus l2/2 · ‖u‖²) is convex in u: Newton's method finds its one
minimum, with nothing left to chance. Gradient descent on mf's factors did worse on domains it hadn't seen (docs/decisions/0008).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scorers.offline.benchmarks import Outcome
from scorers.offline.folds import averaged, folds, overall
from scorers.offline.metrics import apgr
from scorers.offline.training import Report

Floats = NDArray[np.float64]
_STEPS: Final = 50
_CONVERGED: Final = 1e-9


def fit_vector(vectors: Floats, preferences: Floats, l2: float) -> Floats:
    """The minimum u (dim,), from vectors (n, dim) and preferences (n,) of 0, 0.5 or 1."""
    u = np.zeros(vectors.shape[1])
    ridge = l2 * np.eye(vectors.shape[1])
    for _ in range(_STEPS):
        rates = sigmoid(vectors @ u)
        gradient = vectors.T @ (rates - preferences) + l2 * u
        hessian = (vectors * (rates * (1 - rates))[:, None]).T @ vectors + ridge
        step = np.linalg.solve(hessian, gradient)
        u -= step
        if np.abs(step).max() < _CONVERGED:
            break
    return u


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + e^-x), elementwise."""
    rates: Floats = 1 / (1 + np.exp(-logits))
    return rates


def choose_l2(outcomes: Sequence[Outcome], vectors: Floats, choices: Sequence[float], report: Report) -> tuple[float, dict[str, float]]:
    """The strength of the regularisation that does best on rows held out of the fit, and its APGR by kind."""
    stage = "choosing the regularisation"
    report(stage, 0, len(choices))
    tried: list[tuple[float, dict[str, float]]] = []
    for l2 in choices:
        tried.append((l2, held_out(outcomes, vectors, l2)))
        report(stage, len(tried), len(choices))
    return max(tried, key=lambda each: overall(each[1]))


def held_out(outcomes: Sequence[Outcome], vectors: Floats, l2: float) -> dict[str, float]:
    """APGR by kind of unseen prompt, the mean over the folds; a random order gives 0.5."""
    preferences = np.array([o.preference for o in outcomes])
    rows = []
    for fold in folds(outcomes):
        u = fit_vector(vectors[~fold.held_out], preferences[~fold.held_out], l2)
        rows.append({kind: apgr(vectors[test] @ u, preferences[test] - 0.5) for kind, test in fold.kinds.items()})
    return averaged(rows)
