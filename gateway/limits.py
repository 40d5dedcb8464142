"""The gateway's settings as they are now: its limits may change while it runs, the rest waits for its next start."""

from __future__ import annotations

from typing import Final

from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.reloading import Change, changed_keys, with_values
from pointsman.runtime.settings import Settings

LIVE: Final = ("default_timeout_s", "heartbeat_s", "max_body_bytes", "max_concurrent", "max_lag_s", "max_lag_above", "refusal_pause_s")
AT_START_ON_GRPC: Final = ("max_body_bytes", "max_concurrent")
"""A gRPC server is told these once; REST follows at once."""


class Limits:
    """Holds the settings in force; a request reads them when it comes."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.now = settings

    async def reload(self, file: Settings) -> Change:
        """Takes the limits over from the file's settings."""
        before, self.now = self.now, with_values(self.now, file.gateway, LIVE)
        in_force = list(changed_keys(before, self.now, "gateway"))
        waits = [f"gateway.{name} (on gRPC)" for name in AT_START_ON_GRPC if f"gateway.{name}" in in_force]
        return Change(in_force, [*changed_keys(self.now, file.gateway, "gateway"), *waits])
