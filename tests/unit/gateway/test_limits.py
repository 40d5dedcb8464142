"""The gateway's limits change while it runs."""

from __future__ import annotations

from gateway.limits import AT_START_ON_GRPC, LIVE, Limits
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.settings import Settings


async def test_limits_are_taken_over_and_what_waits_for_a_restart_is_named() -> None:
    """gRPC's server is told two of them once."""
    limits = Limits(GatewaySettings())
    change = await limits.reload(Settings(gateway=GatewaySettings(default_timeout_s=5, max_concurrent=7, rest_port=7000)))
    assert (limits.now.default_timeout_s, limits.now.max_concurrent, limits.now.rest_port) == (5, 7, 6060)
    assert change.in_force == ["gateway.max_concurrent", "gateway.default_timeout_s"]
    assert change.need_restart == ["gateway.rest_port", "gateway.max_concurrent (on gRPC)"]


def test_every_key_that_is_live_is_one_of_the_schema() -> None:
    """A renamed key would be lost in silence."""
    assert set(AT_START_ON_GRPC) <= set(LIVE) <= set(GatewaySettings.model_fields)
