"""How well the ranking orders prompts whose battles aren't in the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from scorers.offline.folds import Fold
from scorers.offline.metrics import apgr
from scorers.sw_ranking.battles import Battles
from scorers.sw_ranking.model import Weighing


def held_out(folds: Sequence[Fold], battles: Battles, choices: Sequence[Weighing]) -> Iterator[list[dict[str, float]]]:
    """Per fold, for each choice: APGR by kind of unseen prompt, by a table without the fold's battles."""
    gains = battles.gains()
    for fold in folds:
        row: list[dict[str, float]] = []
        for weighing in choices:
            rates = np.full(len(gains), np.nan)
            rates[fold.held_out] = battles.where(~fold.held_out).ranking(weighing).win_rates(battles.vectors[fold.held_out])
            row.append({kind: apgr(rates[test], gains[test]) for kind, test in fold.kinds.items()})
        yield row
