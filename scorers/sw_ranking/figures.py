"""What a table's `figures.json` says of the battles that were held out of it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scorers.offline.figures import thresholds
from scorers.offline.metrics import apgr
from scorers.sw_ranking.battles import Battles
from scorers.sw_ranking.config import Storage
from scorers.sw_ranking.model import Weighing

_MOST: Final = 4096  # held-out prompts that are scored
_FEWEST: Final = 20  # battles of the pair below which an APGR says nothing


def figures_of(table: Battles, validation: Battles, weight_base: float, storage: Storage, *, benchmarks: bool) -> dict[str, Any]:
    """Rows, APGR on the validation split by the table as stored and in float32, and what storing it so changes."""
    gains = validation.gains()
    rows = np.concatenate([np.flatnonzero(~np.isnan(gains)), np.flatnonzero(np.isnan(gains))])[:_MOST]
    queries, gains = validation.vectors[rows], gains[rows]
    plain, kept = (table.ranking(Weighing(weight_base), kind).win_rates(queries) for kind in ("float32", storage))
    outcomes = np.bincount(table.sides[:, 2], minlength=3).tolist()
    difference = np.abs(plain - kept)
    return {
        "rows": {
            "table": len(table.sides),
            "validation": len(validation.sides),
            "models": len(table.models),
            "model_a_wins": outcomes[0],
            "model_b_wins": outcomes[1],
            "ties": outcomes[2],
        },
        "weight_base": weight_base,
        "validation_apgr": _apgr(kept, gains),
        "validation_apgr_float32": _apgr(plain, gains),
        "validation_apgr_how": "The shipped table on the validation split, none of whose prompts is in the table.",
        "storage": storage,
        "storage_error": {"max": _figure(difference.max(initial=0)), "mean": _figure(difference.mean() if len(rows) else 0)},
        "storage_error_how": "Differences of the validation split's win rates from those of the same table in float32.",
        "win_rate_range": [round(float(rate), 5) for rate in (kept.min(), kept.max())] if len(rows) else None,
        **(thresholds(kept, benchmarks=benchmarks) if len(rows) else {}),
    }


def _apgr(win_rates: NDArray[np.float64], gains: NDArray[np.float64]) -> float | None:
    known = ~np.isnan(gains)
    if known.sum() < _FEWEST or gains[known].sum() == 0:
        return None
    return round(apgr(win_rates[known], gains[known]), 4)


def _figure(value: float) -> float:
    return float(f"{value:.2g}")
