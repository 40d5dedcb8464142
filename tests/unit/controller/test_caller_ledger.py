"""Requests, tokens and money by caller."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from controller.caller_ledger import CallerLedger
from pointsman.v1 import routing_pb2
from tests.unit.controller.test_stats import STRONG, WEAK, cost, receipt


def test_each_caller_has_what_it_used_of_each_backend() -> None:
    """Of tier and backend; estimates apart, and so are currencies."""
    ledger = CallerLedger(CollectorRegistry())
    usage, guessed = routing_pb2.Usage(prompt_tokens=10, completion_tokens=5), routing_pb2.Usage(prompt_tokens=4, estimated=True)
    for each in (
        receipt(caller="a", usage=usage, cost=cost(1)),
        receipt(caller="a", usage=guessed, cost=cost(2), error="BACKEND_CUT"),
        receipt(STRONG, caller="a", usage=usage, cost=cost(3)),
        receipt(caller="a", cost=cost(4, "EUR")),
        receipt(caller="b", called=False),
        receipt(called=False),
        routing_pb2.Receipt(caller="b", error="PERMISSION_DENIED"),
    ):
        ledger.add(each)
    rows = {(row.caller, row.tier, row.cost.currency): row for row in ledger.rows()}
    weak = rows["a", WEAK, "USD"]
    assert (weak.backend, weak.requests, weak.errors) == ("weak", 3, 1)
    assert (weak.usage.prompt_tokens, weak.usage.completion_tokens, weak.usage.estimated, weak.estimated_tokens) == (14, 5, True, 4)
    assert (weak.cost.amount, weak.cost.always_strong) == (3, 30)
    assert rows["a", STRONG, "USD"].cost.amount == 3
    assert (rows["a", WEAK, "EUR"].cost.amount, rows["a", WEAK, "EUR"].requests) == (4, 0)
    assert (rows["b", WEAK, ""].requests, rows["", WEAK, ""].requests) == (1, 1)


def test_callers_beyond_the_bound_are_one() -> None:
    """So a keys file of any length makes few labels."""
    ledger = CallerLedger(CollectorRegistry())
    for number in range(300):
        ledger.add(receipt(caller=f"caller-{number}"))
    rows = {row.caller: row.requests for row in ledger.rows()}
    assert (len(rows), rows["caller-0"], rows["other"]) == (201, 1, 100)
