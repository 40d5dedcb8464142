"""What is counted and logged of each request, on both protocols. Never a body, a header's value or a query string."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from pointsman.runtime.callers import CallerNames
from pointsman.runtime.errors import WIRE_FORMS, Overloaded
from pointsman.runtime.metrics import remembering
from pointsman.runtime.telemetry import info_line

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "gRPC"})
_OVERLOADED: Final = WIRE_FORMS[Overloaded].reason
_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


@dataclass(slots=True)
class Observation:
    """One request as the log and the metrics see it; filled in as it goes on."""

    protocol: str  # rest or grpc
    method: str
    request_id: str
    status: str  # what was sent, an HTTP status or a gRPC code's name; before that, what it is if the caller goes away
    endpoint: str = "unmatched"  # the path's template or the RPC's name, never the path itself
    bytes_in: int = 0
    bytes_out: int = 0
    pieces: int = 0  # of the answer, as they were sent
    tokens: int = 0  # that the answer took, once that is known
    caller: str = ""  # the name of the key that was recognised
    strategy: str = ""
    tier: str = ""
    reason: str = ""
    error: str = ""  # ErrorInfo.reason of what went wrong, also after the answer had begun
    is_probe: bool = False


class Observer:
    """The process's metrics and its access log."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()
        self._registry = CollectorRegistry()
        self.callers = CallerNames()
        ProcessCollector(registry=self._registry)
        prefix = "pointsman_gateway_"
        by_endpoint = ("protocol", "endpoint")
        self._requests = remembering(
            Counter(prefix + "requests", "Requests that have ended.", ("protocol", "endpoint", "method", "status"), registry=self._registry)
        )
        self._by_caller = remembering(
            Counter(
                prefix + "caller_requests", "Requests by the name of their key.", ("protocol", "caller", "status"), registry=self._registry
            )
        )
        self._seconds = remembering(
            Histogram(
                prefix + "request_seconds", "From arrival to the last byte.", by_endpoint, buckets=_BUCKETS_S, registry=self._registry
            )
        )
        self._running = remembering(Gauge(prefix + "requests_in_progress", "Requests in progress.", ("protocol",), registry=self._registry))
        self._bytes_in = remembering(Counter(prefix + "request_bytes", "Bytes of request bodies.", by_endpoint, registry=self._registry))
        self._bytes_out = remembering(Counter(prefix + "response_bytes", "Bytes of response bodies.", by_endpoint, registry=self._registry))

    @property
    def registry(self) -> CollectorRegistry:
        """Where others' metrics go too."""
        return self._registry

    def undeclared(self, seen: Observation) -> None:
        """Logs the exception that is being handled: its type and its stack. Its message may quote the request and is left out."""
        kind, _, stack = sys.exc_info()
        frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(stack)]
        self._log.error(
            "undeclared error",
            request_id=seen.request_id,
            endpoint=seen.endpoint,
            kind=kind.__name__ if kind else "",
            where=frames,
        )

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def watching(self, seen: Observation) -> _Watching:
        """Counts the request as in progress inside `with`, then records how it ended."""
        return _Watching(self, seen, self._running.labels(seen.protocol))

    def record(self, seen: Observation, seconds: float) -> None:
        """Counts and logs a request that has ended."""
        method = seen.method if seen.method in _METHODS else "other"
        status = f"{seen.status[0]}xx" if seen.status.isdecimal() else seen.status
        self._requests.labels(seen.protocol, seen.endpoint, method, status).inc()
        if seen.caller:
            self._by_caller.labels(seen.protocol, self.callers.label(seen.caller), status).inc()
        self._seconds.labels(seen.protocol, seen.endpoint).observe(seconds)
        self._bytes_in.labels(seen.protocol, seen.endpoint).inc(seen.bytes_in)
        self._bytes_out.labels(seen.protocol, seen.endpoint).inc(seen.bytes_out)
        # Probes come every second or so and would drown the rest; so would what is refused in an overload, which a line must not add to.
        is_quiet = seen.is_probe or seen.error == _OVERLOADED
        if is_quiet and not self._log.is_enabled_for(logging.DEBUG):
            return
        write = self._log.debug if is_quiet else info_line
        facts = {name: value for name in ("caller", "strategy", "tier", "reason", "error") if (value := getattr(seen, name))}
        write(
            "request",
            protocol=seen.protocol,
            method=method,
            endpoint=seen.endpoint,
            status=seen.status,
            seconds=round(seconds, 4),
            request_id=seen.request_id,
            **facts,
        )


class _Watching:
    """One request in progress. (A class, which costs less than a generator.)"""

    __slots__ = ("_began", "_observer", "_running", "_seen")

    def __init__(self, observer: Observer, seen: Observation, running: Gauge) -> None:
        self._observer = observer
        self._seen = seen
        self._running = running

    def __enter__(self) -> None:
        self._began = time.monotonic()
        self._running.inc()

    def __exit__(self, *_: object) -> None:
        self._running.dec()
        self._observer.record(self._seen, time.monotonic() - self._began)
