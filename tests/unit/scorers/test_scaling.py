"""How many replicas the policy asks for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.scaling import ByLoad


class Context:
    """As much of Serve's as is used."""

    def __init__(self, running: int, target: int, **told: list[float]) -> None:
        self.running_replicas = [f"replica {number}" for number in range(running)]
        self.target_num_replicas = target
        self.aggregated_metrics = {name: dict(zip(self.running_replicas, values, strict=False)) for name, values in told.items()}


def needed(context: Any, target_busy: float = 0.7) -> float:
    replicas, state = ByLoad(target_busy)(context)
    assert state == {}
    return replicas


def told(
    busy: list[float], waiting: list[float], seconds: list[float], *, running: int | None = None, target: int | None = None
) -> Context:
    count = len(busy) if running is None else running
    return Context(count, count if target is None else target, busy=busy, waiting=waiting, seconds_per_prompt=seconds)


@pytest.mark.parametrize(
    ("busy", "waiting", "replicas"),
    [
        ([0.0], [0.0], 0),
        ([0.35], [0.0], 0.5),
        ([0.7, 0.7], [0.0, 0.0], 2),
        ([1.0], [0.0], 1 / 0.7),
        ([1.0, 1.0], [112.0, 90.0], (2 + 0.7) / 0.7),  # the most that one has heard of, at 1/160 s each
    ],
)
def test_work_that_comes_and_work_that_waits_make_replicas(busy: list[float], waiting: list[float], replicas: float) -> None:
    assert needed(told(busy, waiting, [1 / 160] * len(busy))) == pytest.approx(replicas)


def test_nobody_told_anything_changes_nothing() -> None:
    """Replicas are starting, or Serve's controller is."""
    assert needed(Context(0, 3)) == 3
    assert needed(Context(2, 3)) == 3


def test_while_some_have_not_told_anything_there_are_never_fewer() -> None:
    """But more, if need be."""
    assert needed(told([0.1], [0], [0.01], running=4, target=4)) == 4
    assert needed(told([0.9], [500], [0.01], running=4, target=4)) == pytest.approx(5.9 / 0.7)


def test_a_replica_that_has_scored_nothing_says_nothing_of_speed() -> None:
    assert needed(told([1.0, 0.0], [70.0, 0.0], [0.01, 0.0])) == pytest.approx(1.7 / 0.7)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 10_000), st.floats(0, 10)), min_size=1, max_size=20), st.floats(0.01, 0.99))
def test_more_work_never_asks_for_fewer(replicas: list[tuple[float, float, float]], target_busy: float) -> None:
    """More of it waits, or more of the time it takes: as many at least."""
    busy, waiting, seconds = (list(column) for column in zip(*replicas, strict=True))
    before = needed(told(busy, waiting, seconds), target_busy)
    assert before >= sum(busy)
    assert needed(told(busy, [2 * each for each in waiting], seconds), target_busy) >= before
    assert needed(told([min(1.0, 2 * each) for each in busy], waiting, seconds), target_busy) >= before
