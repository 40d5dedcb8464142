"""How much is refused while an event loop is behind."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from pointsman.runtime.errors import Overloaded
from pointsman.runtime.shedding import Shedding


def shedding(target_s: float | None = 0.1, draw: float = 0.5) -> tuple[Shedding, CollectorRegistry]:
    """One whose draws are all the same."""
    registry = CollectorRegistry()
    return Shedding(lambda: target_s, registry, lambda: draw), registry


@pytest.mark.parametrize(("lag_s", "share"), [(0.0, 0.0), (0.1, 0.0), (0.2, 0.5), (0.3, 0.95), (5.0, 0.95)])
def test_the_share_follows_the_lag_from_the_target_to_three_times_it(lag_s: float, share: float) -> None:
    """And some always come in, to show that it is over."""
    of, registry = shedding()
    of.observe(lag_s)
    of.observe(lag_s)
    assert of.share == pytest.approx(share)
    assert registry.get_sample_value("pointsman_shed_share") == pytest.approx(share)


def test_a_single_pause_refuses_nothing() -> None:
    """Such as one collection of garbage."""
    of, _ = shedding()
    for lag_s in (0.0, 5.0, 0.0):
        of.observe(lag_s)
        assert of.share == 0


def test_what_is_refused_is_told_to_come_back_and_counted() -> None:
    of, registry = shedding(draw=0.9)
    of.observe(1.0)
    of.admit()
    of.observe(1.0)
    with pytest.raises(Overloaded) as refused:
        of.admit()
    assert refused.value.retry_after_s == 1
    assert registry.get_sample_value("pointsman_shed_total") == 1


def test_without_a_target_nothing_is_refused() -> None:
    of, _ = shedding(target_s=None)
    of.observe(9.0)
    of.observe(9.0)
    assert of.refusal() is None
