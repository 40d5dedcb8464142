"""What an order of prompts is measured against: each model alone, no order at all, and the best order there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from scorers.offline.metrics import LEVELS, Arithmetic, Curve, ExactOrder, Figures, Floats, curve, figures

_NONE: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Baselines:
    """Of one benchmark: the first three are mean outcomes, the others figures."""

    always_strong: float
    always_weak: float
    best_single: float
    """The better of the two: the strong model isn't, on every benchmark."""
    random_order: Figures
    """What a random order has on average: a straight line from weak to strong. NaN where the strong model gains nothing."""
    oracle: Figures
    """Of the prompts sorted by what the strong model gains on each, which no strategy can know. Its APGR passes 1 where the weak
    model is right on prompts that the strong one isn't."""

    def as_fields(self) -> Mapping[str, Any]:
        """For JSON: a random order's costs are the levels themselves, and left out."""
        random_order = {name: value for name, value in asdict(self.random_order).items() if name in ("apgr", "auc")}
        return {**asdict(self), "random_order": random_order}


def baselines(weak: Floats, strong: Floats, arithmetic: Arithmetic = ExactOrder) -> Baselines:
    """From both models' outcomes (n,)."""
    without, everywhere = float(weak.mean()), float(strong.mean())
    oracle = figures(_oracle_scores(weak, strong), weak, strong, arithmetic)
    auc = (without + everywhere) / 2
    random_order = Figures(_NONE, auc, _NONE, _NONE, _NONE) if np.isnan(oracle.apgr) else Figures(0.5, auc, *LEVELS)
    return Baselines(everywhere, without, max(without, everywhere), random_order, oracle)


def oracle_curve(weak: Floats, strong: Floats) -> Curve:
    """The highest quality at each strong share, whatever the strategy: a point for every prompt."""
    return curve(_oracle_scores(weak, strong), weak, strong)


def _oracle_scores(weak: Floats, strong: Floats) -> Floats:
    """Places rather than gains: equal gains are many, and RouteLLM's arithmetic would drop the points between them."""
    places = np.empty(len(weak))
    places[np.argsort(strong - weak, kind="stable")] = np.arange(len(weak))
    return places
