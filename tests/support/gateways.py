"""Settings of gateways that run in a test's own process."""

from __future__ import annotations

from typing import Any

from pointsman.runtime.gateway_settings import GatewaySettings


def gateway_before(*controllers: str, **own: Any) -> GatewaySettings:
    """On free ports, before controllers at these addresses; `own` wins over what tests have of their own."""
    # The tests' own work is on the same event loop, so that its lag says nothing.
    ours: dict[str, Any] = {"rest_port": 0, "grpc_port": 0, "drain_s": 0, "max_lag_s": None}
    return GatewaySettings(**{**ours, "controllers": list(controllers), **own})
