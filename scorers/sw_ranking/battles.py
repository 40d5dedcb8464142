"""Embedded battles, from which tables are built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scorers.offline.preferences import TIE, Battle
from scorers.router import ModelPair
from scorers.sw_ranking.config import Storage
from scorers.sw_ranking.model import SimilarityWeightedRanking, Weighing, grouped
from scorers.sw_ranking.table import BattleOutcome, BattleTable, build_table


@dataclass(frozen=True, slots=True)
class Battles:
    """n battles: embeddings (n, dim) float32 of their prompts, and `sides` (n, 3): model_a, model_b and the outcome as numbers."""

    vectors: NDArray[np.float32]
    sides: NDArray[np.int64]
    models: Mapping[str, int]
    pair: ModelPair
    groups: int

    def where(self, chosen: NDArray[np.bool_]) -> Battles:
        """Those of them."""
        return replace(self, vectors=self.vectors[chosen], sides=self.sides[chosen])

    def table(self, storage: Storage = "float32") -> BattleTable:
        """The table of them all, models grouped by their own ratings in it."""
        a, b, outcome = self.sides.T.tolist()
        table = build_table(self.vectors, a, b, outcome, [0] * len(self.models), storage)
        return replace(table, rating_group=grouped(table, self.groups).astype(np.int16))

    def ranking(self, weighing: Weighing, storage: Storage = "float32") -> SimilarityWeightedRanking:
        """The pair's ranking by that table. Raises `CheckpointRefused` where the battles can't rate the pair."""
        strong, weak = self.models[self.pair.strong], self.models[self.pair.weak]
        return SimilarityWeightedRanking(self.table(storage), strong=strong, weak=weak, weighing=weighing)

    def gains(self) -> NDArray[np.float64]:
        """Per battle what the pair's strong side made of it: 0.5, 0 or -0.5; NaN for a battle of any two other models."""
        strong, weak = self.models[self.pair.strong], self.models[self.pair.weak]
        a, b, outcome = self.sides.T
        gain = np.array([0.5, -0.5, 0.0])[outcome]
        return np.where((a == strong) & (b == weak), gain, np.where((a == weak) & (b == strong), -gain, np.nan))


def embedded(battles: Sequence[Battle], vectors: NDArray[np.float32], pair: ModelPair, groups: int) -> Battles:
    """The battles with their prompts' embeddings; models are numbered by name, after the strong and the weak one."""
    others = sorted({name for battle in battles for name in (battle.model_a, battle.model_b)} - {pair.strong, pair.weak})
    models = {name: number for number, name in enumerate([pair.strong, pair.weak, *others])}
    sides = [(models[b.model_a], models[b.model_b], _outcome(b)) for b in battles]
    return Battles(vectors, np.array(sides, dtype=np.int64).reshape(-1, 3), models, pair, groups)


def _outcome(battle: Battle) -> BattleOutcome:
    if battle.winner == TIE:
        return BattleOutcome.TIE
    return BattleOutcome.A if battle.winner == battle.model_a else BattleOutcome.B
