"""The limits' metrics. Callers' names are the keys file's, and bounded."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from pointsman.runtime.callers import CallerNames


class LimiterMetrics:
    """Counts refusals, and says whether Redis counts."""

    def __init__(self, registry: CollectorRegistry, names: CallerNames) -> None:
        self._names = names
        self._refused = Counter(
            "pointsman_gateway_limited",
            "Requests over a key's limit: requests, tokens or streams.",
            ["caller", "limit"],
            registry=registry,
        )
        self._shared = Gauge("pointsman_gateway_limits_shared", "1 while Redis counts for all gateways, else 0.", registry=registry)
        self._failures = Counter("pointsman_gateway_limiter_failures", "Times that Redis stopped answering.", registry=registry)

    def refused(self, caller: str, limit: str) -> None:
        """One request."""
        self._refused.labels(self._names.label(caller), limit).inc()

    def shared(self, is_shared: bool) -> None:
        """Whether Redis counts."""
        self._shared.set(is_shared)

    def failed(self) -> None:
        """Redis stopped answering."""
        self._failures.inc()
