"""Win rates by similarity-weighted ranking.

Upstream refits Bradley-Terry on every battle for every prompt. The fit sees the battles only through summed weights, so here a
prompt's weights are summed as they are computed, per pair of models and outcome, then per pair of rating groups; what's left to
fit has as many parameters as there are groups. The result is the same to rounding (upstream's, where its solver stops early,
to 1e-4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scorers.errors import CheckpointRefused
from scorers.sw_ranking.bradley_terry import Floats, comparable, fit_ratings, model_ratings
from scorers.sw_ranking.config import UPSTREAM_WEIGHT_BASE, Similarity, Solver
from scorers.sw_ranking.cosines import cosines_to
from scorers.sw_ranking.rating_groups import rating_groups
from scorers.sw_ranking.table import BattleTable

_SIMILARITIES: Final = 1 << 23  # held at once, over all prompts of a batch
_WON_BY_A: Final = np.array([1.0, 0.0, 0.5])  # by BattleOutcome


@dataclass(frozen=True, slots=True)
class Weighing:
    """How much a battle counts: base ** (1 + similarity), which is upstream's `10 * 10 ** (s / max s)` for base 10 and `max`."""

    base: float = UPSTREAM_WEIGHT_BASE
    similarity: Similarity = "max"

    def weights(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """From cosines (n, battles), up to a factor that's each row's own and that no rating sees; the array is reused.

        Where no battle is similar at all (the largest cosine isn't above 0), `max` weighs all alike.
        """
        if self.similarity == "max":
            largest = cosines.max(axis=1, keepdims=True)
            cosines /= np.where(largest > 0, largest, np.float32(np.inf))
        cosines -= cosines.max(axis=1, keepdims=True)
        cosines *= np.float32(np.log(self.base))
        weights: NDArray[np.float32] = np.exp(cosines, out=cosines)
        return weights


class SimilarityWeightedRanking:
    """One pair's win rates from a battle table."""

    def __init__(
        self,
        table: BattleTable,
        *,
        strong: int,
        weak: int,
        solver: Solver = "exact",
        weighing: Weighing | None = None,
        groups: int | None = None,
    ) -> None:
        """`strong` and `weak` are numbers of models; `groups` regroups them. Raises `CheckpointRefused` where no rating can exist."""
        self._cosines, self._weighing = cosines_to(table.embeddings), weighing or Weighing()
        self._starts = _starts(table)
        self._battles = len(table.outcome)
        counts = np.diff(np.append(self._starts, self._battles)).astype(np.float64)
        group = grouped(table, groups) if groups else table.rating_group.astype(np.int64)
        players, fold = _fold(table, self._starts, group, phantom=solver == "compat")
        wins = (counts @ fold).reshape(players, players)
        rated = _rated(wins, int(group[strong]), int(group[weak]))
        self._strong, self._weak = (int(np.searchsorted(rated, group[model])) for model in (strong, weak))
        self._fold = fold[:, (rated[:, None] * players + rated).ravel()]
        self._players = len(rated)

    def win_rates(self, queries: NDArray[np.float32]) -> Floats:
        """The strong model's (n,), from the prompts' embeddings (n, dim); NaN for one that isn't finite."""
        rows = max(1, _SIMILARITIES // self._battles)
        return np.concatenate([np.zeros(0), *(self._win_rates(queries[i : i + rows]) for i in range(0, len(queries), rows))])

    def _win_rates(self, queries: NDArray[np.float32]) -> Floats:
        usable = np.isfinite(queries.sum(axis=1, dtype=np.float64))[:, None]
        weights = self._weighing.weights(self._cosines(np.where(usable, queries, np.float32(0))))
        sums = np.add.reduceat(weights, self._starts, axis=1).astype(np.float64)
        ratings = fit_ratings((sums @ self._fold).reshape(-1, self._players, self._players))
        rates = 1 / (1 + np.exp(ratings[:, self._weak] - ratings[:, self._strong]))
        return np.where(usable[:, 0], rates, np.nan)


def grouped(table: BattleTable, groups: int) -> NDArray[np.int64]:
    """Each model's rating group (models,), by the unweighted fit over all battles."""
    a, b, outcome = (column.astype(np.int64) for column in (table.model_a, table.model_b, table.outcome))
    wins = np.zeros((len(table.rating_group), len(table.rating_group)))
    np.add.at(wins, (a, b), _WON_BY_A[outcome])
    np.add.at(wins, (b, a), 1 - _WON_BY_A[outcome])
    return rating_groups(model_ratings(wins).tolist(), groups)


def _starts(table: BattleTable) -> NDArray[np.intp]:
    """Where each run of battles of one model_a, model_b and outcome begins."""
    columns = (table.model_a, table.model_b, table.outcome)
    changes = np.any([np.diff(column.astype(np.int64)) != 0 for column in columns], axis=0)
    return np.concatenate([[0], np.flatnonzero(changes) + 1])


def _fold(table: BattleTable, starts: NDArray[np.intp], group: NDArray[np.int64], *, phantom: bool) -> tuple[int, Floats]:
    """How many players there are, and what a unit of each run's weight adds to the wins of each over each: (runs, players * players).

    Upstream writes a battle within a group as +ln 10 and then -ln 10 into one column, so that only the latter is left: it's a battle
    of the group as model_b against somebody of rating 0. With `phantom` that somebody is one more player; else it says nothing.
    """
    players = int(group.max()) + 1 + phantom
    a, b, outcome = group[table.model_a[starts]], group[table.model_b[starts]], table.outcome[starts]
    a = np.where(a == b, players - 1, a) if phantom else a
    runs = np.arange(len(starts))
    fold = np.zeros((len(starts), players, players))
    fold[runs, a, b] = _WON_BY_A[outcome]
    fold[runs, b, a] = 1 - _WON_BY_A[outcome]
    fold[:, np.arange(players), np.arange(players)] = 0
    return players, fold.reshape(len(starts), -1)


def _rated(wins: Floats, strong: int, weak: int) -> NDArray[np.intp]:
    if strong == weak:
        raise CheckpointRefused("The battle table has the strong and the weak model in one rating group; more rating_groups may part them.")
    rated = comparable(wins, strong)
    if weak not in rated:
        raise CheckpointRefused("The battle table can't rate the pair: wins or ties must connect the strong and the weak model both ways.")
    return rated
