"""The bound that certificates stand on: how often it fails, and what it refuses to say."""

from __future__ import annotations

import random
from math import exp, log

import numpy as np
import pytest

from pointsman.calibration.betting import fewest, log_p_value
from pointsman.calibration.certifying import Label, certify, grid_of


def population(size: int, seed: int) -> list[Label]:
    """Win rates that tell: the lower one is, the more often weak is right too."""
    draw = np.random.default_rng(seed)
    rates = draw.beta(8, 5, size)
    strong = draw.random(size) < 0.85
    weak = np.where(draw.random(size) < 0.9 - 0.4 * rates, strong, ~strong)
    return [Label(*row) for row in zip(rates.tolist(), strong.astype(float).tolist(), weak.astype(float).tolist(), strict=True)]


def true_loss(labels: list[Label], threshold: float) -> float:
    """Over all of them."""
    return sum(label.loss(threshold) for label in labels) / len(labels)


def test_p_values_are_small_no_more_often_than_they_say() -> None:
    """A mean loss right at the limit, skewed: of 2,000 samples of 200 at most 5 % (and binomial error) are rejected at 0.05."""
    draw = np.random.default_rng(8)
    samples = np.where(draw.random((2000, 200)) < 0.05, 1.0, 0.0)
    rejected = sum(log_p_value(sample.tolist(), 0.05, 0.05) <= log(0.05) for sample in samples)
    assert rejected <= 0.05 * 2000 + 3 * (2000 * 0.05 * 0.95) ** 0.5


def test_a_clear_mean_is_rejected_and_an_unclear_one_is_not() -> None:
    """And more labels make it clearer."""
    losses = [0.0] * 95 + [1.0] * 5
    random.Random(0).shuffle(losses)
    assert exp(log_p_value(losses, 0.3, 0.05)) < 1e-4
    assert exp(log_p_value(losses, 0.06, 0.05)) > 0.05
    assert log_p_value(losses * 20, 0.1, 0.05) < log_p_value(losses * 4, 0.1, 0.05) < log_p_value(losses, 0.1, 0.05)
    assert log_p_value([], 0.1, 0.05) == 0
    assert log_p_value([0.0] * 500 + [1.0] * 100, 0.1, 0.05) == 0  # they began well


@pytest.mark.parametrize(("limit", "delta"), [(0.03, 0.05), (0.01, 0.1)])
def test_so_many_losses_of_nothing_are_needed(limit: float, delta: float) -> None:
    """One fewer is never enough, and a tenth more is."""
    count = fewest(limit, delta)
    assert log_p_value([0.0] * round(1.1 * count), limit, delta) <= log(delta) < log_p_value([0.0] * (count - 1), limit, delta)


def test_the_certified_threshold_rarely_loses_more_than_it_promises() -> None:
    """300 redraws of 600 labels, with a weak share worth having."""
    everyone = population(20_000, 1)
    grid, draw = grid_of([label.strong_win_rate for label in everyone]), random.Random(2)
    broken, shares = 0, []
    for _ in range(300):
        found = certify(draw.choices(everyone, k=600), grid, 0.04, 0.1)
        assert found is not None
        assert found.loss <= found.bound <= 0.04
        shares.append(found.weak_share)
        broken += true_loss(everyone, found.threshold) > 0.04
    assert broken <= 300 * 0.1 + 3 * (300 * 0.09) ** 0.5
    assert sum(shares) / len(shares) > 0.1


def test_nothing_is_certified_of_too_few_labels_or_none_that_bear_it_out() -> None:
    """All strong needs no certificate."""
    grid = [0.2, 0.5, 0.8]
    assert certify([], grid, 0.05, 0.05) is None
    assert certify([Label(0.1, 1, 1)] * 10, grid, 0.01, 0.05) is None
    assert certify([Label(0.1, 1, 0)] * 500, grid, 0.05, 0.05) is None
    assert certify([Label(0.1, 1, 1)] * 500, grid, 0.0, 0.05) is None


def test_the_first_threshold_that_fails_ends_the_search() -> None:
    """Though a later one would pass: the order was fixed before, and what comes after isn't tested."""
    lost, won = [Label(0.3, 1, 0)] * 100, [Label(0.6, 0, 1)] * 400
    easy = [Label(0.1, 1, 1)] * 500
    found = certify([*lost, *won, *easy], [0.2, 0.5, 0.9], 0.05, 0.05)
    assert found is not None
    assert found.threshold == 0.2
    assert true_loss([*lost, *won, *easy], 0.9) < 0


def test_a_grid_has_a_threshold_for_every_percent() -> None:
    """Of the win rates it was given; repeated ones count once."""
    assert grid_of([n / 1000 for n in range(1000)]) == pytest.approx([n / 100 for n in range(1, 100)] + [0.999])
    assert grid_of([0.5, 0.5, 0.7]) == [0.5, 0.7]
