"""A scripted RouteService on a free port, as the client's tests have it."""

from __future__ import annotations

from tests.wire.client.conftest import address, service

__all__ = ["address", "service"]
