"""sw_ranking over made-up arenas, and RouteLLM's refit for every prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.scorers.timing import BATCH
from scorers.sw_ranking.config import Solver
from scorers.sw_ranking.model import SimilarityWeightedRanking
from scorers.sw_ranking.table import BattleTable, build_table, stored

_MODELS: Final = 64
_GROUPS: Final = 10
_STRONG: Final = 0
_WEAK: Final = 40


def arena(battles: int, dim: int, storage: str) -> tuple[BattleTable, NDArray[np.float32]]:
    """A table and 32 queries (32, dim); a fifth of the battles are ties."""
    draw = np.random.default_rng(7)
    prompts = draw.standard_normal((battles + BATCH, dim), dtype=np.float32)
    prompts += np.float32(0.4)
    a = draw.integers(_MODELS, size=battles)
    b = (a + draw.integers(1, _MODELS, size=battles)) % _MODELS
    strength = np.linspace(1, -1, _MODELS)
    won = draw.random(battles) < 1 / (1 + np.exp(strength[b] - strength[a]))
    outcome = np.where(draw.random(battles) < 0.2, 2, np.where(won, 0, 1))
    groups = [model * _GROUPS // _MODELS for model in range(_MODELS)]
    table = build_table(prompts[:battles], a.tolist(), b.tolist(), outcome.tolist(), groups)
    if storage == "int8":
        table = replace(table, embeddings=stored(table.embeddings, "int8"))
    return table, prompts[battles:]


def ranking(table: BattleTable, solver: Solver) -> SimilarityWeightedRanking:
    """As it serves."""
    return SimilarityWeightedRanking(table, strong=_STRONG, weak=_WEAK, solver=solver)


class Upstream:
    """RouteLLM's computation: cosines in float64, norms and all, then the refit on every battle twice. Its pandas part is left out."""

    def __init__(self, table: BattleTable) -> None:
        """`table` is float32."""
        self._embeddings = table.embeddings.astype(np.float64)
        group = table.rating_group.astype(np.int64)
        self._a, self._b, self._outcome = group[table.model_a], group[table.model_b], table.outcome

    def win_rate(self, query: NDArray[np.float32]) -> float:
        """Of one prompt."""
        e = query.astype(np.float64)
        cosines = self._embeddings @ e / (np.linalg.norm(self._embeddings, axis=1) * np.linalg.norm(e))
        n = len(cosines)
        rows = np.zeros((2 * n, _GROUPS))
        rows[np.arange(2 * n), np.tile(self._a, 2)] = np.log(10)
        rows[np.arange(2 * n), np.tile(self._b, 2)] = -np.log(10)
        labels = np.tile(self._outcome == 0, 2).astype(np.float64)
        labels[:n][self._outcome == 2] = 1
        weights = np.tile(10 * 10 ** (cosines / cosines.max()), 2)
        ratings = LogisticRegression(fit_intercept=False, C=np.inf).fit(rows, labels, sample_weight=weights).coef_[0]
        return float(1 / (1 + 10 ** (ratings[_WEAK * _GROUPS // _MODELS] - ratings[_STRONG * _GROUPS // _MODELS])))
