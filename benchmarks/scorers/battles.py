"""sw_ranking over made-up arenas, and RouteLLM's refit for every prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.scorers.timing import BATCH
from scorers.sw_ranking.config import Solver, Storage
from scorers.sw_ranking.model import SimilarityWeightedRanking
from scorers.sw_ranking.table import BattleTable, build_table, stored

_MODELS: Final = 64
_GROUPS: Final = 10
_BLOCK: Final = 32_768
_STRONG: Final = 0
_WEAK: Final = 40


def arena(battles: int, dim: int, storage: Storage) -> tuple[BattleTable, NDArray[np.float32]]:
    """A table and 32 queries (32, dim); a fifth of the battles are ties."""
    draw = np.random.default_rng(7)
    a = draw.integers(_MODELS, size=battles)
    b = (a + draw.integers(1, _MODELS, size=battles)) % _MODELS
    strength = np.linspace(1, -1, _MODELS)
    won = draw.random(battles) < 1 / (1 + np.exp(strength[b] - strength[a]))
    outcome = np.where(draw.random(battles) < 0.2, 2, np.where(won, 0, 1))
    groups = [model * _GROUPS // _MODELS for model in range(_MODELS)]
    table = build_table(np.empty((battles, 0), dtype=np.float32), a.tolist(), b.tolist(), outcome.tolist(), groups)
    # Drawn apart and block by block, for a million prompts in float32 are 6 GB; they are alike, so that their order means nothing.
    embeddings = np.empty((battles, dim), dtype=storage)
    for start in range(0, battles, _BLOCK):
        block = slice(start, min(start + _BLOCK, battles))
        embeddings[block] = stored(_prompts(draw, block.stop - start, dim), storage)
    return replace(table, embeddings=embeddings), _prompts(draw, BATCH, dim)


def _prompts(draw: np.random.Generator, count: int, dim: int) -> NDArray[np.float32]:
    return draw.standard_normal((count, dim), dtype=np.float32) + np.float32(0.4)


def ranking(table: BattleTable, solver: Solver) -> SimilarityWeightedRanking:
    """As it serves."""
    return SimilarityWeightedRanking(table, strong=_STRONG, weak=_WEAK, solver=solver)


class Upstream:
    """RouteLLM's computation: cosines in float64, norms and all, then the refit on every battle twice, from a pandas frame.

    The steps are those of its routers.py and similarity_weighted/utils.py at 0b64fda.
    """

    def __init__(self, table: BattleTable) -> None:
        """`table` is float32."""
        self._embeddings = table.embeddings.astype(np.float64)
        group = table.rating_group.astype(np.int64)
        winner = np.array(["model_a", "model_b", "tie"])[table.outcome]
        self._battles = pd.DataFrame({"model_a": group[table.model_a], "model_b": group[table.model_b], "winner": winner})
        self._strong, self._weak = int(group[_STRONG]), int(group[_WEAK])

    def win_rate(self, query: NDArray[np.float32]) -> float:
        """Of one prompt."""
        e = query.astype(np.float64)
        cosines = self._embeddings @ e / (np.linalg.norm(self._embeddings, axis=1) * np.linalg.norm(e))
        ratings = self._refitted(10 * 10 ** (cosines / cosines.max()))
        return float(1 / (1 + 10 ** ((ratings[self._weak] - ratings[self._strong]) / 400)))

    def _refitted(self, weights: NDArray[np.float64]) -> pd.Series:
        """Ratings by group."""
        groups = pd.concat([self._battles["model_a"], self._battles["model_b"]]).unique()
        column = pd.Series(np.arange(len(groups)), index=groups)
        battles = pd.concat([self._battles, self._battles], ignore_index=True)
        n = len(battles)
        rows = np.zeros((n, len(groups)))
        rows[np.arange(n), column[battles["model_a"]]] = np.log(10)
        rows[np.arange(n), column[battles["model_b"]]] = -np.log(10)
        labels = np.zeros(n)
        labels[battles["winner"] == "model_a"] = 1
        labels[: n // 2][(battles["winner"] == "tie")[: n // 2]] = 1
        model = LogisticRegression(fit_intercept=False, C=np.inf).fit(rows, labels, sample_weight=np.concatenate([weights, weights]))
        return pd.Series(400 * model.coef_[0] + 1000, index=groups).sort_values(ascending=False)
