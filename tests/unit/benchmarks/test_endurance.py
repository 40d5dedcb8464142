"""What the endurance benchmarks conclude from what they saw."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.endurance.idle import named
from benchmarks.endurance.overload import normal_after
from benchmarks.endurance.slope import slope_of
from pointsman.loadtest.samples import Sample


def _second(number: int, took_s: float = 0.05, error: str = "") -> list[Sample]:
    """Calls of one second."""
    dues = [number + step / 10 for step in range(10)]
    return [Sample(due, due, due, due + took_s, error) for due in dues]


def test_it_is_normal_from_the_first_of_three_good_seconds() -> None:
    """A slow second, a refused call, and a good second between them don't count."""
    samples = [*_second(0, took_s=0.9), *_second(1), *_second(2, error="HTTP 429"), *_second(3), *_second(4), *_second(5)]
    assert normal_after(samples, 0.0, limit_s=0.1) == 3
    assert normal_after(samples[:-10], 0.0, limit_s=0.1) is None


def test_a_growing_series_has_a_slope_and_noise_that_remembers_has_none() -> None:
    """Neighbours that resemble one another widen the interval."""
    draw, hours = np.random.default_rng(1), np.arange(360) / 360
    steps = draw.normal(0, 0.05, 360)
    noise = np.convolve(steps, 0.9 ** np.arange(50))[:360]
    growing = slope_of(list(hours), list(100 + 5 * hours + noise))
    assert growing.low < 5 < growing.high
    assert not growing.is_zero
    flat = slope_of(list(hours), list(100 + noise))
    assert flat.is_zero
    alone = slope_of(list(hours), list(100 + draw.permutation(noise)))
    assert alone.high - alone.low < flat.high - flat.low


def test_a_handful_is_no_series() -> None:
    with pytest.raises(ValueError, match="too few"):
        slope_of([0, 1, 2], [1, 1, 1])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ray::ServeReplica:random:Scorer  ", "ray::ServeReplica:random:Scorer"),
        ("/venv/bin/python -u -m scorers --settings s.yaml", "scorers"),
        ("/venv/bin/python -u /venv/ray/_private/log_monitor.py --logs-dir=/tmp", "log_monitor.py"),
        ("/venv/ray/core/src/ray/gcs/gcs_server --log_dir=/tmp", "gcs_server"),
        ("haproxy", "haproxy"),
    ],
)
def test_a_process_is_named_for_what_it_runs(line: str, name: str) -> None:
    assert named(line.split(" ")) == name
