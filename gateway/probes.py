"""What orchestrators and monitors ask: /health, /livez, /readyz, /metrics."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST

from gateway.exchange import Exchange
from gateway.identity.guard import need_admin
from gateway.observer import Observer
from gateway.readiness import Readiness


class Probes:
    """None of them asks another service while the caller waits."""

    def __init__(self, readiness: Readiness, observer: Observer) -> None:
        self._readiness = readiness
        self._observer = observer

    async def health(self, exchange: Exchange) -> None:
        """RouteLLM's own health check."""
        await exchange.answer_json(200, {"status": "online"})

    async def livez(self, exchange: Exchange) -> None:
        """The process lives and its event loop turns."""
        await exchange.answer_json(200, {"live": True})

    async def readyz(self, exchange: Exchange) -> None:
        """200 when requests can be answered, else 503; the body says what is missing."""
        state = self._readiness.state
        await exchange.answer_json(200 if state.ready else 503, state.as_json())

    async def metrics(self, exchange: Exchange) -> None:
        """Prometheus's text format; it names every caller. Raises `PermissionDenied` for one who isn't an operator."""
        need_admin(exchange.caller)
        await exchange.answer(200, [("content-type", CONTENT_TYPE_LATEST)], self._observer.exposition())
