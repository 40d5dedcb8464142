"""Models of like strength in one group, so that a battle between any two of them tells of all: RouteLLM's tiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

UPSTREAM_GROUPS: Final = 10
_NONE: Final = 1e9  # upstream's infinity


def rating_groups(ratings: Sequence[float], groups: int) -> NDArray[np.int64]:
    """Each model's group (models,), 0 the strongest: contiguous in rating, with the least sum of the groups' population variances.

    As upstream does it, to the letter: a group's variance counts the same whatever its size, the first of equal splits wins, and
    where there are more groups than models some group numbers are left out (5 models in 6 groups: 0, 2, 3, 4, 5).
    """
    order = np.argsort(-np.asarray(ratings, dtype=np.float64), kind="stable")
    ordered = np.asarray(ratings, dtype=np.float64)[order]
    found = np.empty(len(ordered), dtype=np.int64)
    start = 0
    for group, last in enumerate(_last_of_groups(ordered, groups)):
        found[order[start : last + 1]] = group
        start = max(start, last + 1)
    return found


def _last_of_groups(ordered: NDArray[np.float64], groups: int) -> list[int]:
    """Where each group ends (its last model), by the dynamic programme over the models from the first to each j."""
    models = len(ordered)
    variance = np.array([[np.var(ordered[i : j + 1]) if j > i else 0.0 for j in range(models)] for i in range(models)])
    cost = variance[0]
    splits = np.zeros((groups, models), dtype=np.int64)
    for group in range(1, groups):
        before, cost = cost, np.zeros(models)
        for j in range(1, models):
            candidates = before[:j] + variance[1 : j + 1, j]
            split = int(np.argmin(candidates))
            if candidates[split] < _NONE:
                splits[group, j] = split
            cost[j] = min(float(candidates[split]), _NONE)
    ends, end = [models - 1], models - 1
    for group in range(groups - 1, 0, -1):
        end = int(splits[group, end])
        ends.append(end)
    return ends[::-1]
