"""What an operator has pinned: pairs that are forced to one tier, until they are released or their time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controller.plan import Plan
from pointsman.runtime.decision_headers import tier_name
from pointsman.v1 import routing_pb2


@dataclass(frozen=True, slots=True)
class Pin:
    """A tier, and when it ends by the clock of `Pins`; None for one that holds until it is released."""

    tier: routing_pb2.Tier.ValueType
    until: float | None = None


class Pins:
    """Of this process, by pair, and lost with it. The names are those of pairs, so they are bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pins: dict[str, Pin] = {}

    def pin(self, pair: str, tier: routing_pb2.Tier.ValueType, duration_s: float | None = None) -> None:
        """From the next request on; in the place of the pair's pin before it."""
        self._pins[pair] = Pin(tier, None if duration_s is None else self._clock() + duration_s)

    def release(self, pair: str) -> None:
        """Nothing happens to one that isn't pinned."""
        self._pins.pop(pair, None)

    def tier(self, pair: str) -> routing_pb2.Tier.ValueType:
        """The tier that a pair is forced to now; TIER_UNSPECIFIED for none."""
        pin = self._pins.get(pair)
        if pin is None or (pin.until is not None and self._clock() >= pin.until):
            return routing_pb2.TIER_UNSPECIFIED
        return pin.tier

    def remaining_s(self, pair: str) -> float | None:
        """Until it ends by itself; None where it doesn't, or where nothing is pinned."""
        pin = self._pins.get(pair)
        return None if pin is None or pin.until is None else max(0.0, pin.until - self._clock())

    def over(self, plan: Plan) -> Plan:
        """The plan as the pins leave it: a pinned pair needs no opinion and no threshold. A backend that was named has no pair."""
        if (tier := self.tier(plan.pair)) == routing_pb2.TIER_UNSPECIFIED:
            return plan
        because = routing_pb2.REASON_PINNED_BY_OPERATOR
        return replace(plan, pinned=tier, pinned_because=because, threshold=None, strong_share=None, max_quality_loss=None)

    def pinned(self) -> list[tuple[str, routing_pb2.Tier.ValueType]]:
        """Every pair that has ever been pinned and not released since, and its tier now."""
        return [(pair, self.tier(pair)) for pair in list(self._pins)]


class PinCollector(Collector):
    """The pins as a metric, computed when it is asked for, in the metrics server's thread."""

    def __init__(self, pins: Pins) -> None:
        self._pins = pins

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The family; a pair that isn't pinned has no sample."""
        family = GaugeMetricFamily("pointsman_pin", "1 while an operator has pinned the pair to the tier.", labels=["pair", "tier"])
        for pair, tier in self._pins.pinned():
            if tier != routing_pb2.TIER_UNSPECIFIED:
                family.add_metric([pair, tier_name(tier)], 1)
        yield family
