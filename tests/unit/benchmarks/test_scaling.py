"""A surge's course, and what is said of one."""

from __future__ import annotations

import pytest

from benchmarks.scaling.report import changes, verdicts
from benchmarks.scaling.surge import Course, Replicas, Seen
from pointsman.loadtest.samples import Sample

COURSE = Course(low=10, high=80, before_s=20, ramp_s=10, high_s=30, after_s=40)


def test_the_rate_rises_stays_and_falls() -> None:
    """In a straight line, and at once."""
    assert [COURSE.rate(at) for at in (0, 19, 20, 25, 30, 59, 60, 99)] == [10, 10, 10, 45, 80, 80, 10, 10]
    assert COURSE.ends == 100


def test_arrivals_are_as_many_as_the_rate_says() -> None:
    """In order, the same each time, none after the end."""
    arrivals = list(COURSE.arrivals(1000.0, seed=1))
    assert arrivals == sorted(arrivals) == list(COURSE.arrivals(1000.0, seed=1))
    assert arrivals[-1] < 1100
    assert sum(1000 <= at < 1020 for at in arrivals) == pytest.approx(200, rel=0.3)
    assert sum(1030 <= at < 1060 for at in arrivals) == pytest.approx(2400, rel=0.1)


def _seen(*, up_at: float = 40, down_at: float = 90, slow: float = 0.1, error: str = "") -> Seen:
    replicas = [Replicas(at, 4 if up_at <= at < down_at else 1, 4, 2) for at in range(100)]
    steady = [Sample(at, at, at, at + (slow if 20 <= at < 60 else 0.1)) for at in range(100)]
    return Seen(COURSE, [Sample(5, 5, 5, 5.1, error)], steady, replicas)


@pytest.mark.parametrize(
    ("seen", "well"),
    [
        (_seen(), [True, True, True, True]),
        (_seen(up_at=95), [False, True, True, True]),
        (_seen(down_at=200), [True, False, True, True]),
        (_seen(error="OVERLOADED"), [True, True, False, True]),
        (_seen(slow=0.2), [True, True, True, False]),
    ],
)
def test_each_thing_it_was_to_show_is_judged(seen: Seen, well: list[bool]) -> None:
    """Replicas up, and down again; no errors; the other strategy as before. A replica can do 20 a second here."""
    assert [is_well for _, is_well in verdicts(seen, 20)] == well


def test_changes_are_told() -> None:
    assert changes(_seen().replicas, "running") == "1 from 0 s on, 4 from 40 s on, 1 from 90 s on"
