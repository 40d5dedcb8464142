"""Accounts for finished requests: metrics and one log line each, both free of prompts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controller.caller_ledger import CallerLedger
from controller.spending import Spending
from pointsman.runtime.decision_headers import reason_name, tier_name
from pointsman.runtime.metrics import remembering
from pointsman.runtime.telemetry import info_line
from pointsman.v1 import routing_pb2

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_ROUTER_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


@cache
def call_label(endpoint: str) -> str:
    """What a receipt says was called, as a label: route, chat, completions, responses or embeddings."""
    return endpoint.removesuffix("/completions") or "route"


@cache
def strategy_label(strategy: str) -> str:
    """A decision's strategy as a label: whatever the order in which a caller names several, so that labels stay few."""
    return "+".join(sorted(strategy.split("+")))


@dataclass(frozen=True, slots=True)
class Counters:
    """What AdminService.Stats reads."""

    requests: Counter
    refused: Counter
    tokens: Counter
    cost: Counter
    always_strong: Counter
    router: Counter


class Ledger:
    """The controller's metrics. Labels take their values from the settings and the contracts, so they are bounded."""

    def __init__(self, registry: CollectorRegistry, also: Callable[[routing_pb2.Receipt], None] = lambda _: None) -> None:
        """`also` is told every receipt too."""
        self._also = also
        self._begun = time.monotonic()
        self.spending = Spending()
        self.counters = _counters(registry)
        self.callers = CallerLedger(registry)
        self.scoring = _seconds("pointsman_scoring_seconds", "Waiting for a scorer.", ["strategy"], registry)
        self.first_byte = _seconds("pointsman_backend_first_byte_seconds", "From dispatch to the first byte.", ["backend"], registry)
        # By two labels, not by the four of its sum in the counters: each combination has all the buckets.
        own = "From a request's arrival to its first backend's call."
        self.router = _seconds("pointsman_router_overhead_seconds", own, ["pair", "strategy"], registry, _ROUTER_SECONDS)
        attempts = Counter(
            "pointsman_backend_attempts",
            "Calls to backends; kind is first, retry or fallback, outcome ok or the error's reason, in lower case.",
            ["backend", "kind", "outcome"],
            registry=registry,
        )
        self._attempts = remembering(attempts)
        self._breaker = Gauge("pointsman_backend_breaker", "0 closed, 1 half-open, 2 open.", ["backend"], registry=registry)
        self.in_progress = 0
        """Requests begun and not finished."""
        gauge = Gauge("pointsman_requests_in_progress", "Requests begun and not finished.", registry=registry)
        gauge.set_function(lambda: self.in_progress)
        self._ready = Gauge("pointsman_strategy_ready", "1 when the strategy has a replica that answers.", ["strategy"], registry=registry)

    @property
    def uptime_s(self) -> float:
        """Since the counting began."""
        return time.monotonic() - self._begun

    def begin(self) -> None:
        """A request has come."""
        self.in_progress += 1

    def strategy_ready(self, strategy: str, ready: bool) -> None:
        """What the last probe saw."""
        self._ready.labels(strategy).set(ready)

    def breaker_changed(self, backend: str, state: int) -> None:
        """A backend's breaker: 0 closed, 1 half-open, 2 open."""
        self._breaker.labels(backend).set(state)

    def backend_gone(self, backend: str) -> None:
        """It was taken out of the settings; what has been counted of it stays."""
        self._breaker.remove(backend)

    def finish(self, receipt: routing_pb2.Receipt) -> None:
        """A request has ended, with or without an answer."""
        self.in_progress -= 1
        self._also(receipt)
        self.callers.add(receipt)
        decision, call = receipt.decision, call_label(receipt.endpoint)
        if decision.tier == routing_pb2.TIER_UNSPECIFIED:
            self.counters.refused.labels(receipt.error).inc()
            named = {"request_id": receipt.request_id, "caller": receipt.caller or None, "call": call, "error": receipt.error}
            info_line("refused", **named, total_s=round(receipt.timings.total_s, 4))
            return
        tier, reason = tier_name(decision.tier), reason_name(decision.reason)
        strategy = strategy_label(decision.strategy)
        self.counters.requests.labels(call, decision.pair, strategy, tier, reason, receipt.error).inc()
        if not all(opinion.cached for opinion in receipt.opinions):
            self.scoring.labels(strategy).observe(receipt.timings.scoring_s)
        if receipt.timings.first_byte_s:
            self.first_byte.labels(decision.backend).observe(receipt.timings.first_byte_s)
        for kind, attempt in _kinds(receipt.attempts):
            self._attempts.labels(attempt.backend, kind, attempt.error.lower() or "ok").inc()
        self._account(receipt)
        info_line(
            "routed",
            request_id=receipt.request_id,
            caller=receipt.caller or None,
            call=call,
            pair=decision.pair,
            strategy=decision.strategy,
            strong_win_rate=decision.strong_win_rate if decision.HasField("strong_win_rate") else None,
            threshold=decision.threshold if decision.HasField("threshold") else None,
            tier=tier,
            reason=reason,
            backend=decision.backend,
            attempts=[f"{attempt.backend} {attempt.error or attempt.http_status}" for attempt in receipt.attempts],
            error=receipt.error or None,
            calibration=receipt.calibration or None,
            scoring_s=round(receipt.timings.scoring_s, 4),
            first_byte_s=round(receipt.timings.first_byte_s, 4),
            total_s=round(receipt.timings.total_s, 4),
        )

    def _account(self, receipt: routing_pb2.Receipt) -> None:
        self.spending.add(receipt)
        decision, usage, cost = receipt.decision, receipt.usage, receipt.cost
        row = (decision.pair, strategy_label(decision.strategy), tier_name(decision.tier), reason_name(decision.reason))
        self.counters.router.labels(*row).inc(receipt.timings.router_s)
        self.router.labels(*row[:2]).observe(receipt.timings.router_s)
        if receipt.HasField("usage"):
            estimated = "true" if usage.estimated else "false"
            self.counters.tokens.labels(*row, decision.backend, "prompt", estimated).inc(usage.prompt_tokens)
            self.counters.tokens.labels(*row, decision.backend, "completion", estimated).inc(usage.completion_tokens)
        if receipt.HasField("cost"):
            self.counters.cost.labels(*row, decision.backend, cost.currency).inc(cost.amount)
            self.counters.always_strong.labels(*row, cost.currency).inc(cost.always_strong)


def _kinds(attempts: Sequence[routing_pb2.Attempt]) -> Iterator[tuple[str, routing_pb2.Attempt]]:
    """Each attempt with what it was."""
    before = ""
    for attempt in attempts:
        yield "first" if not before else "retry" if attempt.backend == before else "fallback", attempt
        before = attempt.backend


def _seconds(name: str, said: str, labels: Sequence[str], registry: CollectorRegistry, buckets: Sequence[float] = _SECONDS) -> Histogram:
    return remembering(Histogram(name, said, labels, buckets=buckets, registry=registry))


def _counters(registry: CollectorRegistry) -> Counters:
    """All of what was decided has the same four labels, which are a row of AdminService.Stats."""
    row = ["pair", "strategy", "tier", "reason"]

    def counter(name: str, said: str, labels: list[str]) -> Counter:
        return remembering(Counter(name, said, labels, registry=registry))

    return Counters(
        # Decisions that were only asked for (Route) would blur the share of calls that strong answers, hence `call`.
        requests=counter("pointsman_requests", "Finished requests; call is route or the endpoint.", ["call", *row, "error"]),
        refused=counter("pointsman_refused", "Requests that ended before a decision.", ["error"]),
        tokens=counter(
            "pointsman_tokens", "Tokens as backends count them, or estimates where they don't.", [*row, "backend", "kind", "estimated"]
        ),
        cost=counter("pointsman_cost", "Money spent.", [*row, "backend", "currency"]),
        always_strong=counter("pointsman_cost_always_strong", "Money had all gone to strong.", [*row, "currency"]),
        router=counter("pointsman_router_seconds", "The router's own time: from a request's arrival to its first backend's call.", row),
    )
