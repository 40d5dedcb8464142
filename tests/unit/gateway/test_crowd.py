"""When requests in progress are many."""

from __future__ import annotations

import contextlib

import pytest
from prometheus_client import CollectorRegistry

from gateway.controller_client import ControllerClient
from gateway.crowd import Crowd
from gateway.limits import Limits
from gateway.places import Places
from gateway.throttle import Throttle
from pointsman.runtime.errors import Overloaded
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.shedding import Shedding
from pointsman.runtime.waiting import CROWDED


def test_both_protocols_count_together_until_their_requests_have_ended() -> None:
    limits = Limits(GatewaySettings(max_lag_above=1))
    crowd = Crowd(limits)
    registry = CollectorRegistry()
    shedding, throttle = Shedding(lambda: None, registry), Throttle(registry)
    rest, rpc = (Places(limits, shedding, throttle, crowd) for _ in range(2))
    with rest.one():
        assert not crowd.is_there()
        with contextlib.suppress(ValueError), rpc.one():
            assert crowd.is_there()
            raise ValueError("ended")
        assert not crowd.is_there()
    assert crowd.at_once == 0


@pytest.mark.parametrize("crowded", [True, False])
async def test_controllers_are_told_of_many(crowded: bool) -> None:
    controller = ControllerClient(["127.0.0.1:1"], crowded=lambda: crowded)
    try:
        assert (CROWDED in controller._metadata("canary", (), "1.000")) is crowded
    finally:
        await controller.close()


def test_who_is_refused_is_not_counted() -> None:
    limits = Limits(GatewaySettings(max_lag_above=0))
    crowd, registry = Crowd(limits), CollectorRegistry()
    shedding = Shedding(lambda: 0.001, registry, lambda: 0.0, counts=crowd.is_there)
    places = Places(limits, shedding, Throttle(registry), crowd)
    for _ in range(2):
        for _ in range(100):
            shedding.refusal()
        shedding.observe(5.0)
    with pytest.raises(Overloaded), places.one():
        pass
    assert crowd.at_once == 0
