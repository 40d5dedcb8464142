"""Requests, tokens and money by caller. Labels of their own, so that those of all requests aren't multiplied by the callers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter

from pointsman.runtime.callers import CallerNames
from pointsman.runtime.decision_headers import tier_name
from pointsman.runtime.metrics import remembering
from pointsman.v1 import admin_service_pb2, routing_pb2

Row = admin_service_pb2.StatsResponse.CallerRow
_Key = tuple[str, str, str]


class CallerLedger:
    """Names are the keys file's as gateways tell them, at most 200 of them and then `other`, so labels are bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._names = CallerNames()
        row = ["caller", "tier", "backend"]

        def counter(name: str, said: str, *labels: str) -> Counter:
            return remembering(Counter(f"pointsman_caller_{name}", said, [*row, *labels], registry=registry))

        self._requests = counter("requests", "Finished requests by caller.", "error")
        self._tokens = counter("tokens", "Tokens by caller.", "kind", "estimated")
        self._cost = counter("cost", "Money spent by caller.", "currency")
        self._always_strong = counter("cost_always_strong", "Money had all of the caller's gone to strong.", "currency")
        self._refused = Counter(
            "pointsman_caller_refused", "Requests that ended before a decision, by caller.", ["caller", "error"], registry=registry
        )

    def add(self, receipt: routing_pb2.Receipt) -> None:
        """A request that has ended."""
        decision, usage, cost = receipt.decision, receipt.usage, receipt.cost
        caller = self._names.label(receipt.caller)
        if decision.tier == routing_pb2.TIER_UNSPECIFIED:
            self._refused.labels(caller, receipt.error).inc()
            return
        row = (caller, tier_name(decision.tier), decision.backend)
        self._requests.labels(*row, receipt.error).inc()
        if receipt.HasField("usage"):
            estimated = "true" if usage.estimated else "false"
            self._tokens.labels(*row, "prompt", estimated).inc(usage.prompt_tokens)
            self._tokens.labels(*row, "completion", estimated).inc(usage.completion_tokens)
        if receipt.HasField("cost"):
            self._cost.labels(*row, cost.currency).inc(cost.amount)
            self._always_strong.labels(*row, cost.currency).inc(cost.always_strong)

    def rows(self) -> list[Row]:
        """What was counted, for AdminService.Stats."""
        rows: dict[_Key, Row] = {}
        further: dict[tuple[_Key, str], Row] = {}
        for labels, count in _samples(self._requests):
            row = _row(rows, labels)
            row.requests += int(count)
            row.errors += int(count) if labels["error"] else 0
        for labels, count in _samples(self._tokens):
            _count_tokens(_row(rows, labels), labels, int(count))
        for labels, amount in _samples(self._cost):
            _priced(rows, further, labels).cost.amount += amount
        for labels, amount in _samples(self._always_strong):
            _priced(rows, further, labels).cost.always_strong += amount
        return [*rows.values(), *further.values()]


def _samples(counter: Counter) -> Iterator[tuple[Mapping[str, str], float]]:
    for family in counter.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                yield sample.labels, sample.value


def _key(labels: Mapping[str, str]) -> _Key:
    return labels["caller"], labels["tier"], labels["backend"]


def _new(key: _Key) -> Row:
    caller, tier, backend = key
    return Row(caller=caller, tier=routing_pb2.Tier.Value(f"TIER_{tier.upper()}"), backend=backend)


def _row(rows: dict[_Key, Row], labels: Mapping[str, str]) -> Row:
    return rows.setdefault(_key(labels), _new(_key(labels)))


def _priced(rows: dict[_Key, Row], further: dict[tuple[_Key, str], Row], labels: Mapping[str, str]) -> Row:
    """The row that the money belongs to: sums of two currencies are no sum."""
    row, currency = _row(rows, labels), labels["currency"]
    if row.cost.currency not in ("", currency):
        row = further.setdefault((_key(labels), currency), _new(_key(labels)))
    row.cost.currency = currency
    return row


def _count_tokens(row: Row, labels: Mapping[str, str], count: int) -> None:
    if labels["kind"] == "prompt":
        row.usage.prompt_tokens += count
    else:
        row.usage.completion_tokens += count
    if labels["estimated"] == "true" and count:
        row.usage.estimated = True
        row.estimated_tokens += count
