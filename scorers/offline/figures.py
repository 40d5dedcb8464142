"""What every strategy's `figures.json` says in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from scorers.offline.folds import FOLDS

STRONG_SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
APGR_IS: Final = "APGR: area under gap recovered against strong share, over all thresholds; random is 0.5."


def thresholds(win_rates: ArrayLike, *, benchmarks: bool) -> dict[str, Any]:
    """Thresholds by strong share, from the validation split's win rates (n,)."""
    what = "exam questions, so not those of other traffic" if benchmarks else "those of other traffic differ"
    rates = np.asarray(win_rates)
    return {
        "threshold_by_strong_share": {str(s): round(float(np.quantile(rates, 1 - s)), 5) for s in STRONG_SHARES},
        "threshold_by_strong_share_how": f"Quantiles of the validation split's win rates: {what}.",
    }


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """To four digits."""
    return {name: round(value, 4) for name, value in figures.items()}


def how_held_out(*, benchmarks: bool, chosen: str) -> str:
    """How the held-out figures came about; `chosen` names what was chosen by them."""
    kinds = (
        f"seen_domains and gsm8k: {FOLDS} folds of the training prompts, each fitted without one; unseen_domains: {FOLDS} folds of whole "
        "MMLU domains"
        if benchmarks
        else f"prompts: {FOLDS} folds of the training prompts, each fitted without one"
    )
    return f"{APGR_IS} {kinds}; each the mean of its folds, at the {chosen} that did best over {'the three' if benchmarks else 'them'}."
