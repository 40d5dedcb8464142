"""The grouping of models by strength, against every possible one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from scorers.sw_ranking.rating_groups import rating_groups


def cost(ratings: list[float], groups: list[int]) -> float:
    """The sum of the groups' population variances."""
    return sum(float(np.var([r for r, g in zip(ratings, groups, strict=True) if g == group])) for group in set(groups))


@pytest.mark.parametrize("seed", range(5))
def test_no_other_split_has_a_smaller_sum_of_variances(seed: int) -> None:
    """All ways to cut nine ordered models into four groups."""
    ratings = sorted(np.random.default_rng(seed).normal(1000, 100, 9).tolist(), reverse=True)
    found = rating_groups(ratings, 4).tolist()
    all_splits = [[sum(i >= cut for cut in cuts) for i in range(9)] for cuts in combinations(range(1, 9), 3)]
    assert sorted(set(found)) == [0, 1, 2, 3]
    assert cost(ratings, found) == pytest.approx(min(cost(ratings, split) for split in all_splits))


def test_the_strongest_are_group_0_in_whatever_order_they_come() -> None:
    """Three clear clusters."""
    assert rating_groups([900, 1200, 1010, 1205, 1000, 1210], 3).tolist() == [2, 0, 1, 0, 1, 0]


def test_of_equal_splits_the_first_wins() -> None:
    """Equidistant models in two groups: one and two, not two and one."""
    assert rating_groups([3, 2, 1], 2).tolist() == [0, 1, 1]


def test_more_groups_than_models_leave_numbers_out_as_upstream() -> None:
    """Five models in six groups: RouteLLM's code gives 0, 2, 3, 4, 5."""
    assert rating_groups([5, 4, 3, 2, 1], 6).tolist() == [0, 2, 3, 4, 5]


def test_one_group_takes_all() -> None:
    """And one model needs no more."""
    assert rating_groups([5, 4, 3], 1).tolist() == [0, 0, 0]
    assert rating_groups([5], 1).tolist() == [0]
