"""What `pointsman stats` shows."""

from __future__ import annotations

import pytest

from pointsman.cli.stats import show_callers, show_stats, summary
from pointsman.v1 import admin_service_pb2, routing_pb2

Row = admin_service_pb2.StatsResponse.Row


def _answer() -> admin_service_pb2.StatsResponse:
    compared = Row(
        pair="default",
        strategy="mf",
        tier=routing_pb2.TIER_WEAK,
        reason=routing_pb2.REASON_COMPARISON,
        requests=30,
        errors=2,
        usage=routing_pb2.Usage(prompt_tokens=1500, completion_tokens=20),
        cost=routing_pb2.Cost(amount=1, always_strong=10, currency="USD"),
        errors_by_reason={"BACKEND_CUT": 2},
        estimated_tokens=12,
    )
    unscored = Row(pair="default", strategy="mf", tier=routing_pb2.TIER_STRONG, reason=routing_pb2.REASON_SCORER_TIMEOUT, requests=10)
    answer = admin_service_pb2.StatsResponse(rows=[compared, unscored], refused={"INVALID_BODY": 3})
    answer.uptime.FromSeconds(3600)
    return answer


def test_the_sums_say_what_was_saved_and_what_went_wrong() -> None:
    """A sentence each."""
    assert list(summary(_answer())) == [
        "in 1:00:00: 40 decided, 25.0 % to strong, 0 of them without a call",
        "spent 1 USD; always strong 10; saved 9 (90.0 %)",
        "12 tokens are estimates: their backends sent no usage",
        "fell back: 10 unscored, 0 to the other backend",
        "errors: BACKEND_CUT 2",
        "refused before a decision: INVALID_BODY 3",
    ]


def test_the_routers_time_is_summed_and_averaged_and_its_cost_is_taken_off() -> None:
    """Money of one kind only: of two currencies, or without prices, the cost stands alone."""
    answer = _answer()
    answer.rows[0].router_s, answer.rows[1].router_s = 0.05, 0.15
    assert list(summary(answer))[2] == "the router took 0.2 s of its own, 5 ms a request"
    answer.router_cost = 0.5
    assert list(summary(answer))[3] == "running the router cost 0.5 USD; saved net of it 8.5 (85.0 %)"
    answer.router_cost = 10
    assert list(summary(answer))[3] == "running the router cost 10 USD; saved net of it -1 (-10.0 %)"
    answer.rows.add(cost=routing_pb2.Cost(amount=1, always_strong=2, currency="EUR"))
    assert "running the router cost 10" in list(summary(answer))
    assert list(summary(admin_service_pb2.StatsResponse(router_cost=2)))[1:] == ["running the router cost 2"]


def test_every_row_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """By its names."""
    show_stats(_answer())
    out = capsys.readouterr().out
    for shown in ("scorer_timeout", "comparison", "1,500", "1 USD"):
        assert shown in out


def test_by_caller_each_has_its_rows_and_the_sums_stay(capsys: pytest.CaptureFixture[str]) -> None:
    """Requests without a key have theirs too."""
    answer = _answer()
    cost, usage = routing_pb2.Cost(amount=1, always_strong=10, currency="USD"), routing_pb2.Usage(prompt_tokens=1500)
    answer.callers.add(caller="alice", tier=routing_pb2.TIER_WEAK, backend="small", requests=30, usage=usage, cost=cost)
    answer.callers.add(tier=routing_pb2.TIER_STRONG, backend="big", requests=10)
    show_callers(answer)
    out = capsys.readouterr().out
    for shown in ("alice", "small", "1,500", "1 USD", "(no key)", "big", "40 decided"):
        assert shown in out


def test_a_controller_that_has_done_nothing_shows_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """No empty table, no division by zero."""
    show_stats(admin_service_pb2.StatsResponse())
    assert capsys.readouterr().out == "in 0:00:00: 0 decided, 0 of them without a call\n"
