"""Settings of gateways that run in a test's own process."""

from __future__ import annotations

from typing import Any

from pointsman.runtime.gateway_settings import GatewaySettings
from tests.support.unrefused import UNREFUSED


def gateway_before(*controllers: str, **own: Any) -> GatewaySettings:
    """On free ports, before controllers at these addresses; `own` wins over what tests have of their own."""
    ours: dict[str, Any] = {"rest_port": 0, "grpc_port": 0, "drain_s": 0, **UNREFUSED}
    return GatewaySettings(**{**ours, "controllers": list(controllers), **own})
