"""Where REST requests come in: which paths answer anybody, and who asks at the others."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from gateway.exchange import Exchange
from gateway.identity.guard import Guard, Refused
from pointsman.runtime.peers import names_of_rest_peer

HEALTH_CHECKS: Final = frozenset({"/health", "/livez", "/readyz"})
METRICS: Final = "/metrics"


class Door:
    """Lets health checks in, whoever wants the page's files, and whoever is recognised."""

    def __init__(self, guard: Guard, *, open_metrics: bool = False, open_paths: Set[str] = frozenset()) -> None:
        self._guard = guard
        self._open = HEALTH_CHECKS | open_paths | ({METRICS} if open_metrics else frozenset())

    def enter(self, exchange: Exchange) -> None:
        """Notes who asks. Raises `Unauthenticated`."""
        if exchange.scope["path"] in self._open:
            return
        try:
            exchange.caller = self._guard.identify(exchange.headers, lambda: names_of_rest_peer(exchange.scope))
        except Refused as error:
            exchange.seen.caller = error.caller
            raise
        if exchange.caller:
            exchange.seen.caller = exchange.caller.name
