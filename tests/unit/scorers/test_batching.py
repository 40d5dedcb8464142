"""Which prompts go through a model together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scorers.batching import alike


def _cost(lengths: list[int], batches: list[list[int]], fixed: int) -> int:
    return sum(fixed + len(batch) * max(lengths[i] for i in batch) for batch in batches)


def test_every_prompt_is_in_one_batch_and_none_is_too_large() -> None:
    """At most as many prompts as asked for; at most as many padded tokens, except for one prompt alone that has more."""
    lengths = [int(n) for n in np.random.default_rng(0).integers(2, 256, 100)]
    found = alike(lengths, most=8, fixed=40, most_tokens=250)
    assert sorted(i for batch in found for i in batch) == list(range(100))
    assert max(len(batch) for batch in found) <= 8
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 250 for batch in found)
    assert any(len(batch) == 1 and lengths[batch[0]] > 250 for batch in found)


def test_the_short_ones_come_first() -> None:
    """And those of one length stay in their order."""
    assert alike([9, 2, 9, 2], most=2, fixed=0) == [[1, 3], [0, 2]]


@pytest.mark.parametrize("seed", range(5))
def test_no_other_split_costs_less(seed: int) -> None:
    """Against every way of cutting the sorted prompts."""
    lengths = sorted(int(n) for n in np.random.default_rng(seed).integers(1, 100, 8))
    cuts = [[0, *cut, 8] for count in range(8) for cut in itertools.combinations(range(1, 8), count)]
    ways = [[list(range(a, b)) for a, b in itertools.pairwise(cut)] for cut in cuts]
    least = min(_cost(lengths, way, 40) for way in ways if max(map(len, way)) <= 5)
    assert _cost(lengths, alike(lengths, most=5, fixed=40), 40) == least


def test_a_short_prompt_is_not_padded_to_a_long_one_but_to_a_like_one() -> None:
    """Where a forward pass of its own costs less than the padding, and only there."""
    assert alike([10, 12, 200], most=32, fixed=40) == [[0, 1], [2]]
    assert alike([10, 12, 200], most=32, fixed=1000) == [[0, 1, 2]]


def test_no_prompts_are_no_batches() -> None:
    """An empty call."""
    assert alike([], most=8) == []
