"""The sum of what several controllers have counted."""

from __future__ import annotations

from typing import Any

from pointsman.runtime.stats_sum import summed
from pointsman.v1 import admin_service_pb2, routing_pb2

Stats = admin_service_pb2.StatsResponse


def _row(**changes: Any) -> Stats.Row:
    fields: dict[str, Any] = {"pair": "default", "strategy": "mf", "tier": routing_pb2.TIER_WEAK, "reason": routing_pb2.REASON_COMPARISON}
    return Stats.Row(**{**fields, **changes})


def _answer(seconds: int, *rows: Stats.Row, **changes: Any) -> Stats:
    answer = Stats(rows=rows, **changes)
    answer.uptime.FromSeconds(seconds)
    return answer


def test_rows_of_one_name_are_one_row_and_others_stay() -> None:
    """Every number adds up, errors by their reason too; what is an estimate in part is marked."""
    usage = routing_pb2.Usage(prompt_tokens=5, completion_tokens=1)
    first = _row(requests=3, errors=1, errors_by_reason={"A": 1}, usage=usage, router_s=0.5, decided_only=1)
    second = _row(
        requests=4, errors=2, errors_by_reason={"A": 1, "B": 1}, usage=routing_pb2.Usage(prompt_tokens=7, estimated=True), router_s=0.25
    )
    other = _row(pair="other", requests=1)
    total = summed(
        [_answer(10, first, refused={"X": 1}, router_cost=1), _answer(20, second, other, refused={"X": 2, "Y": 1}, router_cost=2)]
    )
    usage = routing_pb2.Usage(prompt_tokens=12, completion_tokens=1, estimated=True)
    both = _row(requests=7, errors=3, errors_by_reason={"A": 2, "B": 1}, usage=usage, router_s=0.75, decided_only=1)
    assert list(total.rows) == [both, other]
    assert (dict(total.refused), total.router_cost, total.uptime.seconds) == ({"X": 3, "Y": 1}, 3, 20)


def test_money_of_two_currencies_is_never_added() -> None:
    """A second currency has a row of its own, without requests; a row without prices joins any."""
    dollars, euros = (routing_pb2.Cost(amount=1, always_strong=4, currency=currency) for currency in ("USD", "EUR"))
    total = summed(
        [
            _answer(1, _row(requests=1)),
            _answer(1, _row(requests=2, cost=dollars)),
            _answer(1, _row(requests=3, cost=euros)),
            _answer(1, _row(requests=4, cost=dollars)),
        ]
    )
    twice = routing_pb2.Cost(amount=2, always_strong=8, currency="USD")
    assert list(total.rows) == [_row(requests=10, cost=twice), _row(cost=euros)]


def test_callers_are_summed_too_and_the_controllers_are_named_once() -> None:
    """As the first names them."""
    caller = Stats.CallerRow(caller="bot", tier=routing_pb2.TIER_WEAK, backend="weak", requests=2)
    total = summed([_answer(1, callers=[caller], controllers=["a:1", "b:1"]), _answer(1, callers=[caller], controllers=["a:1", "b:1"])])
    assert [row.requests for row in total.callers] == [4]
    assert list(total.controllers) == ["a:1", "b:1"]
    assert summed([total]) == total


def _durations(name: str, count: int, sum_s: float, buckets: dict[float, int]) -> Stats.Durations:
    told = [Stats.Durations.Bucket(at_most_s=at_most_s, count=count) for at_most_s, count in buckets.items()]
    return Stats.Durations(name=name, count=count, sum_s=sum_s, buckets=told)


def test_durations_of_one_name_are_one_with_the_buckets_that_all_have() -> None:
    """A release that counts in other buckets joins where they meet, and others stay as they are."""
    mf, bert = _durations("mf", 4, 0.5, {0.01: 1, 0.1: 3, 1: 4}), _durations("bert", 1, 0.25, {0.01: 0, 1: 1})
    other = _durations("mf", 3, 0.25, {0.05: 1, 0.1: 2, 1: 2})
    total = summed([_answer(1, scoring=[mf, bert], first_byte=[mf]), _answer(1, scoring=[other], scorer_wait=[bert])])
    assert list(total.scoring) == [_durations("mf", 7, 0.75, {0.1: 5, 1: 6}), bert]
    assert (list(total.first_byte), list(total.scorer_wait)) == ([mf], [bert])
    assert summed([total]) == total


def test_the_routers_durations_are_one_by_pair_and_name() -> None:
    """A strategy's under another pair are others."""
    own, elsewhere = _durations("mf", 4, 0.5, {0.01: 1}), _durations("mf", 1, 0.25, {0.01: 0})
    own.pair, elsewhere.pair = "default", "other"
    both = _durations("mf", 8, 1, {0.01: 2})
    both.pair = "default"
    assert list(summed([_answer(1, router=[own, elsewhere]), _answer(1, router=[own])]).router) == [both, elsewhere]
