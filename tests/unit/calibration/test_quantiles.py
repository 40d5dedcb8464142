"""Quantiles and their bootstrap without resampling, beside numpy's with."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pointsman.calibration.quantiles import estimated, quantile

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
