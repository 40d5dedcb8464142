"""Statistics are the ledger's counters, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from controller.coalescing import CoalescingMetrics
from controller.durations import durations_of
from controller.endpoints import ENDPOINTS
from controller.ledger import Ledger, call_label
from controller.stats import stats_of
from pointsman.v1 import admin_service_pb2, routing_pb2

Row = admin_service_pb2.StatsResponse.Row
STRONG, WEAK = routing_pb2.TIER_STRONG, routing_pb2.TIER_WEAK


def receipt(tier: routing_pb2.Tier.ValueType = WEAK, *, called: bool = True, **fields: Any) -> routing_pb2.Receipt:
    """Of a comparison by mf."""
    decision = routing_pb2.Decision(
        pair="default", strategy="mf", tier=tier, reason=routing_pb2.REASON_COMPARISON, backend="weak" if tier == WEAK else "strong"
    )
    attempts = [routing_pb2.Attempt(backend=decision.backend)] if called else []
    endpoint = "chat/completions" if called else ""
    return routing_pb2.Receipt(**{"decision": decision, "attempts": attempts, "endpoint": endpoint, **fields})


def cost(amount: float, currency: str = "USD") -> routing_pb2.Cost:
    """Strong would have cost ten times as much."""
    return routing_pb2.Cost(amount=amount, always_strong=10 * amount, currency=currency)


def stats(*receipts: routing_pb2.Receipt) -> admin_service_pb2.StatsResponse:
    """After these requests."""
    ledger = Ledger(CollectorRegistry())
    for each in receipts:
        ledger.begin()
        ledger.finish(each)
    return stats_of(ledger.counters, 90.5)


def test_requests_tokens_money_and_errors_add_up_by_row() -> None:
    """What was only decided counts as decided; estimated tokens are marked and counted."""
    answer = stats(
        receipt(usage=routing_pb2.Usage(prompt_tokens=7, completion_tokens=3), cost=cost(0.5)),
        receipt(usage=routing_pb2.Usage(prompt_tokens=2, completion_tokens=1, estimated=True), cost=cost(0.25), error="BACKEND_CUT"),
        receipt(called=False),
        receipt(STRONG, error="CANCELLED"),
    )
    weak, strong = sorted(answer.rows, key=lambda row: -row.tier)
    assert (weak.requests, weak.decided_only, weak.errors, dict(weak.errors_by_reason)) == (3, 1, 1, {"BACKEND_CUT": 1})
    assert weak.usage == routing_pb2.Usage(prompt_tokens=9, completion_tokens=4, estimated=True)
    assert weak.estimated_tokens == 3
    assert weak.cost == routing_pb2.Cost(amount=0.75, always_strong=7.5, currency="USD")
    assert (strong.requests, strong.errors, strong.HasField("cost"), strong.HasField("usage")) == (1, 1, False, False)
    assert answer.uptime.ToTimedelta().total_seconds() == 90.5


def test_the_routers_own_time_adds_up_by_row_and_its_cost_is_by_the_hour() -> None:
    """The cost whatever the traffic."""
    timings = routing_pb2.Timings(total_s=9, router_s=0.25)
    ledger = Ledger(CollectorRegistry())
    for each in (receipt(timings=timings), receipt(called=False, timings=timings), receipt(STRONG, timings=timings)):
        ledger.begin()
        ledger.finish(each)
    answer = stats_of(ledger.counters, 1800, 3.0)
    assert {row.tier: row.router_s for row in answer.rows} == {WEAK: 0.5, STRONG: 0.25}
    assert answer.router_cost == 1.5
    assert stats_of(ledger.counters, 1800).router_cost == 0


def test_durations_are_the_histograms_of_the_metrics() -> None:
    """By strategy and by backend; of what was remembered there is no scoring, of what was only decided no first byte."""
    registry = CollectorRegistry()
    ledger, coalescing = Ledger(registry), CoalescingMetrics(registry)
    for cached, timings in ((False, (0.004, 0.2)), (False, (0.03, 400)), (True, (0, 0))):
        ledger.begin()
        own = routing_pb2.Timings(scoring_s=timings[0], first_byte_s=timings[1])
        ledger.finish(receipt(opinions=[routing_pb2.Opinion(strategy="mf", cached=cached)], timings=own))
    coalescing.of("mf")(3, 0.002)
    coalescing.of("bert")
    (scoring,), (first_byte,), (waited,) = map(durations_of, (ledger.scoring, ledger.first_byte, coalescing.waits))
    assert (scoring.name, scoring.count) == ("mf", 2)
    assert scoring.sum_s == pytest.approx(0.034)
    assert [(each.at_most_s, each.count) for each in scoring.buckets][:6] == [
        (0.001, 0),
        (0.0025, 0),
        (0.005, 1),
        (0.01, 1),
        (0.025, 1),
        (0.05, 2),
    ]
    assert (first_byte.name, first_byte.count, first_byte.buckets[-1].at_most_s, first_byte.buckets[-1].count) == ("weak", 2, 300, 1)
    assert (waited.name, waited.count, waited.sum_s) == ("mf", 1, 0.002)


def test_the_routers_own_time_is_spread_by_pair_and_strategy() -> None:
    """Whatever the tier and the order of the strategies' names, by buckets that tell a millisecond from two."""
    ledger = Ledger(CollectorRegistry())
    for pair, strategy, tier, router_s in (
        ("default", "mf+bert", WEAK, 0.0004),
        ("default", "bert+mf", STRONG, 0.0015),
        ("other", "mf", WEAK, 7),
        ("", "", STRONG, 0.001),
    ):
        ledger.begin()
        decision = routing_pb2.Decision(pair=pair, strategy=strategy, tier=tier, reason=routing_pb2.REASON_COMPARISON)
        ledger.finish(receipt(decision=decision, timings=routing_pb2.Timings(router_s=router_s)))
    both, other, named = durations_of(ledger.router)
    assert (both.pair, both.name, both.count) == ("default", "bert+mf", 2)
    assert both.sum_s == pytest.approx(0.0019)
    assert [(each.at_most_s, each.count) for each in both.buckets][:3] == [(0.0005, 1), (0.001, 1), (0.002, 2)]
    assert (other.pair, other.name, other.count, other.buckets[-1].at_most_s, other.buckets[-1].count) == ("other", "mf", 1, 5, 0)
    assert (named.pair, named.name, named.count) == ("", "", 1)


def test_what_ended_before_a_decision_is_counted_by_its_error() -> None:
    """It has no row, since it has no pair."""
    answer = stats(routing_pb2.Receipt(error="INVALID_BODY"), routing_pb2.Receipt(error="INVALID_BODY"))
    assert dict(answer.refused) == {"INVALID_BODY": 2}
    assert not answer.rows


@pytest.mark.parametrize(
    ("endpoint", "call"),
    [("", "route"), ("chat/completions", "chat"), *((each, each) for each in ("completions", "responses", "embeddings"))],
)
def test_requests_are_counted_by_what_was_called(endpoint: str, call: str) -> None:
    """Also where no backend was: a call that was refused by its needs is none that was only decided on."""
    registry = CollectorRegistry()
    ledger = Ledger(registry)
    ledger.begin()
    ledger.finish(receipt(called=False, endpoint=endpoint, error="MISSING_CAPABILITY"))
    row = {"pair": "default", "strategy": "mf", "tier": "weak", "reason": "comparison"}
    assert registry.get_sample_value("pointsman_requests_total", {"call": call, **row, "error": "MISSING_CAPABILITY"}) == 1
    (counted,) = stats_of(ledger.counters, 1).rows
    assert (counted.requests, counted.decided_only) == (1, int(call == "route"))


def test_every_endpoint_has_a_call_of_its_own() -> None:
    """So that labels can be told apart."""
    assert len({call_label(endpoint) for endpoint in ("", *ENDPOINTS)}) == 1 + len(ENDPOINTS)


def test_two_currencies_are_never_summed() -> None:
    """A further row has the second one's money, and no request is counted twice."""
    answer = stats(receipt(cost=cost(1)), receipt(cost=cost(2, "EUR")), receipt(cost=cost(4, "EUR")))
    assert {row.cost.currency: row.cost.amount for row in answer.rows} == {"USD": 1, "EUR": 6}
    assert sum(row.requests for row in answer.rows) == 3
