"""How much is refused while an event loop is behind."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from prometheus_client import CollectorRegistry

from pointsman.runtime.errors import Overloaded
from pointsman.runtime.shedding import Shedding

LOOK_S = 0.05


class Loop:
    """One whose draws are all the same, under a steady load."""

    def __init__(self, target_s: float | None = 0.1, draw: float = 0.5, a_look: int = 5, counts: bool = True) -> None:
        self.registry = CollectorRegistry()
        self._now = 0.0
        self._a_look = a_look
        self.of = Shedding(lambda: target_s, self.registry, lambda: draw, lambda: self._now, lambda: counts)

    def look(self, lag_s: float) -> None:
        """After so many requests."""
        for _ in range(self._a_look):
            self.of.refusal()
        self._now += LOOK_S
        self.of.observe(lag_s)


@pytest.mark.parametrize(("lag_s", "share"), [(0.0, 0.0), (0.1, 0.0), (0.2, 0.5), (0.3, 0.95), (5.0, 0.95)])
def test_the_share_follows_the_lag_from_the_target_to_three_times_it(lag_s: float, share: float) -> None:
    """And some always come in, to show that it is over."""
    loop = Loop()
    loop.look(lag_s)
    loop.look(lag_s)
    assert loop.of.share == pytest.approx(share)
    assert loop.registry.get_sample_value("pointsman_shed_share") == pytest.approx(share)


def test_a_single_pause_refuses_nothing() -> None:
    """Such as one collection of garbage."""
    loop = Loop()
    for lag_s in (0.0, 5.0, 0.0):
        loop.look(lag_s)
        assert loop.of.share == 0


def test_what_is_refused_is_told_to_come_back_and_counted() -> None:
    loop = Loop(draw=0.9)
    loop.look(1.0)
    loop.of.admit()
    loop.look(1.0)
    with pytest.raises(Overloaded) as refused:
        loop.of.admit()
    assert refused.value.retry_after_s == 1
    assert loop.registry.get_sample_value("pointsman_shed_total") == 1


def test_without_a_target_nothing_is_refused() -> None:
    loop = Loop(target_s=None)
    loop.look(9.0)
    loop.look(9.0)
    assert loop.of.refusal() is None
    loop.of.check_wait(9.0)


def test_few_requests_are_never_why_a_loop_is_behind() -> None:
    """They are answered however late; one more a second than that, and the wait counts too."""
    few, many = Loop(a_look=0), Loop(a_look=1)
    for loop in (few, many):
        loop.look(9.0)
        loop.look(9.0)
    assert few.of.refusal() is None
    few.of.check_wait(9.0)
    assert many.of.share == pytest.approx(0.95)
    with pytest.raises(Overloaded):
        many.of.check_wait(0.2)


@pytest.mark.parametrize(("counts", "crowded"), [(True, False), (False, True), (False, False)])
def test_too_few_at_once_are_never_refused(counts: bool, crowded: bool) -> None:
    """However long they wait for one another: neither a share of them nor one that has waited. Few here aren't few where they come from."""
    loop = Loop(counts=counts)
    for _ in range(2):
        loop.look(5.0)
    assert loop.of.share == pytest.approx(0.95)
    assert (loop.of.refusal(lambda: crowded) is not None) is (counts or crowded)
    with pytest.raises(Overloaded) if counts or crowded else nullcontext():
        loop.of.check_wait(5.0, lambda: crowded)
