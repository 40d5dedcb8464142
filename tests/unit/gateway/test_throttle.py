"""What is refused at the edge because the controllers refuse."""

from __future__ import annotations

import random

import pytest
from prometheus_client import CollectorRegistry

from gateway.throttle import Throttle
from pointsman.runtime.errors import Overloaded


class Controllers:
    """They take up so many a second at most; each request comes at its own time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.registry = CollectorRegistry()
        self.throttle = Throttle(self.registry, clock=lambda: self.now, draw=random.Random(1).random)
        self._budget = 0.0

    def press(self, offered: float, seconds: float, capacity: float) -> tuple[int, int, int]:
        """Requests a second, for so long: how many were taken up, refused by the controllers, and refused before them."""
        taken = refused = throttled = 0
        for _ in range(int(offered * seconds)):
            self.now += 1 / offered
            self._budget = min(5.0, self._budget + capacity / offered)
            try:
                self.throttle.admit()
            except Overloaded:
                throttled += 1
                continue
            if self._budget >= 1:
                self._budget -= 1
                taken += 1
            else:
                self.throttle.refused()
                refused += 1
        return taken, refused, throttled


def test_nothing_is_refused_while_controllers_refuse_nothing() -> None:
    """However much comes."""
    controllers = Controllers()
    assert controllers.press(1000, 5, capacity=2000) == (5000, 0, 0)
    assert controllers.throttle.share() == 0


def test_controllers_refuse_little_and_answer_what_they_can() -> None:
    """At three times what they take up; most is refused before them."""
    controllers = Controllers()
    taken, refused, throttled = controllers.press(1500, 10, capacity=500)
    assert taken > 0.9 * 5000
    assert refused < 0.3 * taken
    assert throttled > 7000
    assert controllers.registry.get_sample_value("pointsman_gateway_throttled_total") == throttled


def test_all_is_as_before_within_five_seconds() -> None:
    controllers = Controllers()
    controllers.press(1500, 10, capacity=100)
    controllers.press(200, 4, capacity=500)
    taken, refused, throttled = controllers.press(200, 5, capacity=500)
    assert (taken, refused) == (1000 - throttled, 0)
    assert throttled <= 5


def test_of_a_few_requests_nothing_is_concluded() -> None:
    """Two that are refused don't keep the third out for certain."""
    controllers = Controllers()
    for _ in range(2):
        controllers.throttle.admit()
        controllers.throttle.refused()
    assert controllers.throttle.share() == pytest.approx(2 / 12)
