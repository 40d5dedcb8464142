"""How many calls are under way at once."""

from __future__ import annotations

import contextlib

import grpc
import pytest
from prometheus_client import CollectorRegistry

from gateway.controller_call import ControllerFailed
from gateway.crowd import Crowd
from gateway.limits import Limits
from gateway.places import Places
from gateway.throttle import Throttle
from pointsman.runtime.error_forms import to_status
from pointsman.runtime.errors import Overloaded
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.shedding import Shedding


def _places(throttle: Throttle) -> Places:
    """Two."""
    limits = Limits(GatewaySettings(max_concurrent=2))
    return Places(limits, Shedding(lambda: None, CollectorRegistry()), throttle, Crowd(limits))


def test_a_place_is_taken_for_the_length_of_a_call_however_it_ends() -> None:
    """The third of two is refused, and takes none."""
    places = _places(Throttle(CollectorRegistry()))
    for _ in range(3):
        with contextlib.suppress(ValueError), places.one(), places.one():
            with pytest.raises(Overloaded), places.one():
                raise AssertionError
            raise ValueError


@pytest.mark.parametrize("by_process", [True, False])
def test_what_a_controller_refuses_since_it_is_behind_is_known_to_the_throttle(by_process: bool) -> None:
    """Not what it refuses for a scorer's queue."""
    throttle = Throttle(CollectorRegistry(), clock=lambda: 0.0, draw=lambda: 1.0)
    places, error = _places(throttle), Overloaded("full", retry_after_s=1)
    error.by_process = by_process
    for _ in range(20):
        with pytest.raises(ControllerFailed), places.one():
            raise ControllerFailed(grpc.StatusCode.RESOURCE_EXHAUSTED, to_status(error))
    assert (throttle.share() > 0.5) is by_process
