"""The population stability index: what it is, when it alarms, and that it forgets."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.calibration.drift import Drift

SAMPLE = tuple(np.quantile(np.random.default_rng(0).beta(8, 5, 1000), np.linspace(0, 1, 101)).tolist())


def test_the_index_is_the_sum_over_deciles() -> None:
    """Against numpy's own histogram, with the half that is added to every count."""
    live = np.random.default_rng(1).beta(6, 5, 400)
    drift = Drift(SAMPLE, 1000)
    for value in live.tolist():
        drift.add(value)
    edges = np.quantile(SAMPLE, np.linspace(0.1, 0.9, 9))
    counts = [np.bincount(np.searchsorted(edges, values, side="right"), minlength=10) + 0.5 for values in (live, np.array(SAMPLE))]
    now, then = (count / count.sum() for count in counts)
    assert drift.index == pytest.approx(float(np.sum((now - then) * np.log(now / then))))


def test_alike_traffic_raises_no_alarm_and_other_traffic_does_until_it_is_gone() -> None:
    """Only the window counts."""
    draw = np.random.default_rng(2)
    drift = Drift(SAMPLE, 500)
    alarms = []
    for values in (draw.beta(8, 5, 3000), draw.beta(5, 8, 500), draw.beta(8, 5, 1000)):
        alarm = False
        for value in values.tolist():
            drift.add(value)
            alarm |= drift.is_past(0.2)
        alarms.append(alarm)
    assert alarms[:2] == [False, True]
    assert not drift.is_past(0.2)
    assert drift.seen == 500


def test_few_win_rates_raise_no_alarm() -> None:
    """However odd they are."""
    drift = Drift(SAMPLE, 500)
    for _ in range(249):
        drift.add(0.0)
    assert drift.index > 0.2
    assert not drift.is_past(0.2)
    drift.add(0.0)
    assert drift.is_past(0.2)
    assert Drift(SAMPLE, 500).index == 0


@pytest.mark.parametrize(("window", "needed"), [(50, 50), (100, 100), (150, 100), (200, 100), (500, 250)])
def test_the_alarm_waits_for_a_hundred_win_rates_and_for_half_of_the_window(window: int, needed: int) -> None:
    """Of a window that is smaller than a hundred, for all of it."""
    drift = Drift(SAMPLE, window)
    for _ in range(needed - 1):
        drift.add(0.0)
    assert not drift.is_past(0.2)
    drift.add(0.0)
    assert drift.is_past(0.2)


@pytest.mark.parametrize(("window", "needed"), [(50, 50), (500, 100)])
def test_the_index_is_told_once_it_says_something(window: int, needed: int) -> None:
    """Before that it is noise."""
    drift = Drift(SAMPLE, window)
    for _ in range(needed - 1):
        drift.add(0.5)
    assert not drift.is_telling
    drift.add(0.5)
    assert drift.is_telling


def test_a_sample_of_few_different_win_rates_is_compared_by_what_it_has() -> None:
    """Half of it is one value: that isn't drift."""
    drift = Drift((0.5,) * 50 + (0.7,) * 50, 200)
    for value in (0.5, 0.7) * 100:
        drift.add(value)
    assert drift.index < 0.01
