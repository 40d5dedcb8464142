"""Quantiles and their bootstrap without resampling, beside numpy's with."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.stats import percentileofscore

from pointsman.calibration.quantiles import estimated, quantile, rank

SAMPLE = np.sort(np.random.default_rng(4).beta(8, 5, 800))


@pytest.mark.parametrize("fraction", [0.0, 0.013, 0.5, 0.77, 1.0])
def test_a_quantile_is_numpys(fraction: float) -> None:
    """Linear between neighbours."""
    assert quantile(SAMPLE.tolist(), fraction) == pytest.approx(np.quantile(SAMPLE, fraction), abs=1e-15)


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.9, 0.999])
def test_the_interval_is_that_of_whole_resamples(fraction: float) -> None:
    """4,000 of each: the ends differ by less than a tenth of the interval's width."""
    found = estimated(SAMPLE.tolist(), fraction, random.Random(1), 4000)
    draw = np.random.default_rng(2)
    resamples = [np.quantile(draw.choice(SAMPLE, len(SAMPLE)), fraction) for _ in range(4000)]
    low, high = np.quantile(resamples, (0.025, 0.975))
    assert abs(found.low - low) < (high - low) / 10
    assert abs(found.high - high) < (high - low) / 10


def test_the_ends_of_a_sample_have_estimates_too() -> None:
    """The largest of two."""
    found = estimated([0.2, 0.4], 1.0, random.Random(0), 200)
    assert (found.value, found.high) == (0.4, 0.4)
    assert estimated([0.2, 0.4], 0.0, random.Random(0), 200).low == 0.2


@pytest.mark.parametrize("fraction", [0.0, 0.013, 0.5, 0.77, 1.0])
def test_a_rank_is_the_quantiles_inverse(fraction: float) -> None:
    """Where no two of the sample are the same."""
    assert rank(SAMPLE.tolist(), quantile(SAMPLE.tolist(), fraction)) == pytest.approx(fraction, abs=1e-12)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1, 0.0), (0.2, 0.0), (0.25, 0.125), (0.3, 0.5), (0.35, 0.875), (0.4, 1.0), (0.9, 1.0)],
)
def test_ties_are_at_their_middle_and_what_is_outside_at_the_ends(value: float, expected: float) -> None:
    """Half of the sample says 0.3."""
    assert rank([0.2, 0.3, 0.3, 0.3, 0.4], value) == pytest.approx(expected)


def test_a_rank_lies_where_scipys_percentile_does() -> None:
    """Apart from the sample's ends, which are 0 and 1 here: half a prompt each."""
    draw = np.random.default_rng(5)
    sample = np.sort(np.round(draw.beta(2, 5, 2000), 2))
    for value in (0.05, 0.2, 0.21, 0.5):
        assert rank(sample.tolist(), value) == pytest.approx(percentileofscore(sample, value, kind="mean") / 100, abs=1 / 2000)
