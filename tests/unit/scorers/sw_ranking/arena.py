"""A made-up arena, and the two ways of rating it that ours is held against, written out row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from scorers.sw_ranking.table import BattleTable, build_table

Floats = NDArray[np.float64]
MODELS, GROUPS, DIM = 20, 10, 24


@dataclass(frozen=True, slots=True)
class Arena:
    """Battles between models whose strengths depend on the prompt, and queries of the same kind."""

    table: BattleTable
    queries: NDArray[np.float32]


def arena(battles: int, queries: int = 3, seed: int = 11) -> Arena:
    """20 models in 10 groups of two; a fifth of the battles are ties."""
    draw = np.random.default_rng(seed)
    prompts = (draw.standard_normal((battles + queries, DIM)) + 0.5).astype(np.float32)
    a = draw.integers(MODELS, size=battles)
    b = (a + draw.integers(1, MODELS, size=battles)) % MODELS
    strength = np.linspace(1.5, -1.5, MODELS)
    tilt = prompts[:battles, 0] * 0.4
    a_wins = draw.random(battles) < 1 / (1 + np.exp(-(strength[a] - strength[b]) * (1 + tilt)))
    outcome = np.where(draw.random(battles) < 0.2, 2, np.where(a_wins, 0, 1))
    table = build_table(prompts[:battles], a.tolist(), b.tolist(), outcome.tolist(), [model // 2 for model in range(MODELS)])
    return Arena(table, prompts[battles:])


def upstream_weights(table: BattleTable, query: NDArray[np.float32], base: float = 10.0) -> Floats:
    """RouteLLM's, of each battle: 10 * 10 ** (s / max s)."""
    embeddings, e = table.embeddings.astype(np.float64), query.astype(np.float64)
    cosines = embeddings @ e / (np.linalg.norm(embeddings, axis=1) * np.linalg.norm(e))
    weights: Floats = base * base ** (cosines / cosines.max())
    return weights


def design(table: BattleTable) -> tuple[Floats, Floats]:
    """RouteLLM's rows and labels: every battle twice, its same-group overwrite included."""
    group = table.rating_group.astype(np.int64)
    a, b, outcome = (np.concatenate([side, side]).astype(np.int64) for side in (table.model_a, table.model_b, table.outcome))
    rows = np.zeros((len(a), int(group.max()) + 1))
    rows[np.arange(len(a)), group[a]] = np.log(10)
    rows[np.arange(len(a)), group[b]] = -np.log(10)
    first_copy = np.arange(len(a)) < len(a) // 2
    return rows, np.where(outcome == 2, first_copy, outcome == 0).astype(np.float64)


def upstream_win_rate(table: BattleTable, query: NDArray[np.float32], strong_group: int, weak_group: int) -> float:
    """As RouteLLM computes it, by scikit-learn's lbfgs on all rows."""
    rows, labels = design(table)
    weights = upstream_weights(table, query)
    regression = LogisticRegression(fit_intercept=False, C=np.inf)
    coefficients = regression.fit(rows, labels, sample_weight=np.concatenate([weights, weights])).coef_[0]
    return float(1 - 1 / (1 + 10 ** (coefficients[strong_group] - coefficients[weak_group])))


def bfgs_win_rate(table: BattleTable, query: NDArray[np.float32], strong_group: int, weak_group: int, base: float = 10.0) -> float:
    """Unregularised, on the rows of battles between groups, by BFGS to convergence."""
    rows, labels = design(table)
    between = np.abs(rows.sum(axis=1)) < 1e-9
    weights = upstream_weights(table, query, base)
    weights = np.concatenate([weights, weights])[between]
    rows, signs, weights = rows[between], 2 * labels[between] - 1, weights / weights.sum()

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        margins = signs * (rows @ coefficients)
        slope = -weights * signs / (1 + np.exp(margins))
        return float(weights @ np.logaddexp(0, -margins)), rows.T @ slope

    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 1000}).x
    return float(1 - 1 / (1 + 10 ** (found[strong_group] - found[weak_group])))
