"""The cap on what goes to strong because scoring couldn't answer."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controller.unscored import FREE, UnscoredSpending

HOUR = 3600


@dataclass
class Clock:
    """Seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def spending(clock: Clock, registry: CollectorRegistry | None = None) -> UnscoredSpending:
    """Of nobody yet."""
    return UnscoredSpending(registry or CollectorRegistry(), clock)


def scored(of: UnscoredSpending, clock: Clock, requests: int, seconds: float) -> None:
    """So many requests that were answered, evenly over so many seconds."""
    for _ in range(requests):
        of.scoring()
        clock.now += seconds / requests


def failing(of: UnscoredSpending, clock: Clock, cap: float, requests: int, seconds: float) -> int:
    """How many of so many requests may go strong while no scorer answers."""
    went = 0
    for _ in range(requests):
        of.scoring()
        went += of.take(cap)
        clock.now += seconds / requests
    return went


def test_an_outage_of_the_caps_share_of_an_hour_is_absorbed_whole_and_a_longer_one_is_bounded() -> None:
    """At steady traffic: 20 % are 12 minutes; in the hour after that no more than 20 % go strong."""
    clock = Clock()
    of = spending(clock)
    scored(of, clock, 7200, HOUR)
    assert failing(of, clock, 0.2, 1440, 720) == 1440
    assert failing(of, clock, 0.2, 7200, HOUR) <= 0.21 * 7200
    assert of.share == pytest.approx(0.2, abs=0.01)
    scored(of, clock, 7200, HOUR)
    assert of.share == 0


@pytest.mark.parametrize("before_s", [0, 300])
@pytest.mark.parametrize("quiet_s", [0, 5 * HOUR])
def test_an_outage_soon_after_traffic_began_is_absorbed_as_long(before_s: int, quiet_s: int) -> None:
    """After a start or a quiet night: 12 minutes at the rate since then, and then no more until an hour is over."""
    clock = Clock()
    of = spending(clock)
    scored(of, clock, 10, 60)
    clock.now += quiet_s or HOUR
    if before_s:
        scored(of, clock, 2 * before_s, before_s)
    assert failing(of, clock, 0.2, 1440, 720) == 1440
    assert failing(of, clock, 0.2, 4000, 2000) <= 0.05 * 4000


@pytest.mark.parametrize(("cap", "went"), [(0.0, 0), (0.2, FREE), (0.5, 125), (1.0, 250)])
def test_a_hundred_may_in_any_case_but_at_0_and_at_1_all_may(cap: float, went: int) -> None:
    """Of few requests in an hour."""
    clock = Clock()
    of = spending(clock)
    clock.now += HOUR
    assert failing(of, clock, cap, 250, HOUR - 1) == pytest.approx(went, abs=3)


def test_at_1_nothing_is_capped_however_late_an_answer_fails() -> None:
    """Its request has left the hour meanwhile."""
    clock = Clock()
    of = spending(clock)
    for _ in range(2 * FREE):
        of.scoring()
    clock.now += HOUR + 1
    assert all(of.take(1.0) for _ in range(2 * FREE))


def test_the_log_says_once_that_the_cap_is_reached_and_once_that_it_is_over() -> None:
    """Though at the cap requests go strong and don't by turns; it is over after a minute without a capped one."""
    clock = Clock()
    registry = CollectorRegistry()
    of = spending(clock, registry)
    with capture_logs() as logs:
        went = failing(of, clock, 0.05, 2000, 600)
        assert 600 <= went < 700
        assert registry.get_sample_value("pointsman_unscored_strong_capped") == 1
        scored(of, clock, 100, 59)
        assert [(each["log_level"], each["event"]) for each in logs] == [("warning", "cap on unscored spending reached")]
        scored(of, clock, 100, 10)
        assert registry.get_sample_value("pointsman_unscored_strong_capped") == 0
        scored(of, clock, 100, 600)
    assert [each["event"] for each in logs[1:]] == ["cap on unscored spending no longer reached"]
    assert logs[1]["capped"] == 2000 - went


def test_the_metric_has_the_hours_share() -> None:
    """And 0 before there was anything."""
    clock = Clock()
    registry = CollectorRegistry()
    of = spending(clock, registry)
    assert registry.get_sample_value("pointsman_unscored_strong_share") == 0
    scored(of, clock, 150, 10)
    failing(of, clock, 0.5, 50, 10)
    assert registry.get_sample_value("pointsman_unscored_strong_share") == 0.25
