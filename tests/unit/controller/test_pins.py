"""Pins by themselves: what holds, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from controller.pins import PinCollector, Pins
from controller.plan import make_plan
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.settings import Settings
from pointsman.v1 import routing_pb2

STRONG, WEAK, NONE = routing_pb2.TIER_STRONG, routing_pb2.TIER_WEAK, routing_pb2.TIER_UNSPECIFIED


@dataclass
class Clock:
    """Goes when it is told."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def _settings(**controller: object) -> Settings:
    backends = {name: BackendSettings(base_url="http://x/v1", model=f"{name}-model") for name in ("strong", "weak")}
    return Settings.model_validate({"backends": backends, "controller": controller})


def test_a_pin_holds_until_its_time_is_over_or_it_is_released() -> None:
    """A second one replaces the first, its time included."""
    clock = Clock()
    pins = Pins(clock)
    pins.pin("default", WEAK, 10)
    assert (pins.tier("default"), pins.remaining_s("default"), pins.tier("other")) == (WEAK, 10, NONE)
    clock.now += 10
    assert (pins.tier("default"), pins.remaining_s("default")) == (NONE, 0)
    pins.pin("default", STRONG)
    clock.now += 1e9
    assert (pins.tier("default"), pins.remaining_s("default")) == (STRONG, None)
    pins.release("default")
    pins.release("never pinned")
    assert pins.tier("default") == NONE


def test_a_pin_wins_over_everything_but_a_named_backend() -> None:
    """Over a threshold, a caller's own pin and a bound on the quality lost, none of which the plan has any more."""
    pins, settings = Pins(), _settings(allow_backend_names=True)
    pins.pin("default", WEAK)
    specs = (
        routing_pb2.RoutingSpec(model="router-mf-0"),
        routing_pb2.RoutingSpec(model="router-mf-0.5", tier=STRONG),
        routing_pb2.RoutingSpec(strategies=["mf"], max_quality_loss=0.01),
    )
    for spec in specs:
        plan = pins.over(make_plan(spec, settings))
        assert (plan.pinned, plan.pinned_because) == (WEAK, routing_pb2.REASON_PINNED_BY_OPERATOR)
        assert (plan.threshold, plan.strong_share, plan.max_quality_loss) == (None, None, None)
    named = make_plan(routing_pb2.RoutingSpec(model="strong-model"), settings)
    assert pins.over(named) == named


def test_the_metric_shows_what_holds_now() -> None:
    """By pair and tier; what is over has no sample."""
    clock, registry = Clock(), CollectorRegistry()
    pins = Pins(clock)
    registry.register(PinCollector(pins))
    pins.pin("default", WEAK, 10)
    assert registry.get_sample_value("pointsman_pin", {"pair": "default", "tier": "weak"}) == 1
    clock.now += 11
    assert registry.get_sample_value("pointsman_pin", {"pair": "default", "tier": "weak"}) is None
