"""AdminService.Stats: what the ledger's counters have counted, as the contract's rows. Nothing is counted a second time for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import Counter

from controller.ledger import Counters
from pointsman.v1 import admin_service_pb2, routing_pb2

Row = admin_service_pb2.StatsResponse.Row
_Key = tuple[str, str, str, str]


def stats_of(counters: Counters, uptime_s: float, router_cost_per_hour: float = 0.0) -> admin_service_pb2.StatsResponse:
    """The counters since the process started, which is `uptime_s` seconds ago, and what it has cost to run."""
    rows: dict[_Key, Row] = {}
    for labels, count in _samples(counters.requests):
        _count_requests(_row(rows, labels), labels, count)
    for labels, count in _samples(counters.tokens):
        _count_tokens(_row(rows, labels), labels, count)
    for labels, seconds in _samples(counters.router):
        _row(rows, labels).router_s += seconds
    further: dict[tuple[_Key, str], Row] = {}
    for labels, amount in _samples(counters.cost):
        _priced(rows, further, labels).cost.amount += amount
    for labels, amount in _samples(counters.always_strong):
        _priced(rows, further, labels).cost.always_strong += amount
    response = admin_service_pb2.StatsResponse(rows=[*rows.values(), *further.values()])
    response.router_cost = router_cost_per_hour * uptime_s / 3600
    response.uptime.FromNanoseconds(int(uptime_s * 1e9))
    for labels, count in _samples(counters.refused):
        response.refused[labels["error"]] = int(count)
    return response


def _samples(counter: Counter) -> Iterator[tuple[Mapping[str, str], float]]:
    for family in counter.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                yield sample.labels, sample.value


def _key(labels: Mapping[str, str]) -> _Key:
    return labels["pair"], labels["strategy"], labels["tier"], labels["reason"]


def _new(key: _Key) -> Row:
    pair, strategy, tier, reason = key
    return Row(
        pair=pair,
        strategy=strategy,
        tier=routing_pb2.Tier.Value(f"TIER_{tier.upper()}"),
        reason=routing_pb2.Reason.Value(f"REASON_{reason.upper()}"),
    )


def _row(rows: dict[_Key, Row], labels: Mapping[str, str]) -> Row:
    key = _key(labels)
    if key not in rows:
        rows[key] = _new(key)
    return rows[key]


def _priced(rows: dict[_Key, Row], further: dict[tuple[_Key, str], Row], labels: Mapping[str, str]) -> Row:
    """The row that the money belongs to: sums of two currencies are no sum."""
    row, currency = _row(rows, labels), labels["currency"]
    if row.cost.currency not in ("", currency):
        row = further.setdefault((_key(labels), currency), _new(_key(labels)))
    row.cost.currency = currency
    return row


def _count_requests(row: Row, labels: Mapping[str, str], count: float) -> None:
    row.requests += int(count)
    if labels["call"] == "route":
        row.decided_only += int(count)
    if labels["error"]:
        row.errors += int(count)
        row.errors_by_reason[labels["error"]] += int(count)


def _count_tokens(row: Row, labels: Mapping[str, str], count: float) -> None:
    if labels["kind"] == "prompt":
        row.usage.prompt_tokens += int(count)
    else:
        row.usage.completion_tokens += int(count)
    if labels["estimated"] == "true" and count:
        row.usage.estimated = True
        row.estimated_tokens += int(count)
