"""What the commands show."""

from __future__ import annotations

import json

import pytest

from pointsman.cli.output import show_json, show_receipt, show_strategies, show_text
from pointsman.v1 import calibration_pb2, route_service_pb2, routing_pb2

DECISION = routing_pb2.Decision(
    strategy="mf", threshold=0.5, strong_win_rate=0.25, tier=routing_pb2.TIER_WEAK, model="[b]small", reason=routing_pb2.REASON_COMPARISON
)


def test_json_is_one_line_with_the_contracts_own_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Fields that hold a zero are there too, and text isn't escaped."""
    show_json(route_service_pb2.ListStrategiesResponse(strategies=[route_service_pb2.Strategy(name="mf", detail="没有")]))
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "没有" in out
    assert json.loads(out)["strategies"][0]["ready"] is False


def test_a_receipt_shows_the_comparison_and_what_it_cost(capsys: pytest.CaptureFixture[str]) -> None:
    """Text of the service is shown as it is, never as markup; what is unset isn't shown."""
    receipt = routing_pb2.Receipt(
        request_id="r-1",
        decision=DECISION,
        usage=routing_pb2.Usage(prompt_tokens=3, completion_tokens=2),
        cost=routing_pb2.Cost(amount=0.001, always_strong=0.01, currency="USD"),
    )
    show_receipt(receipt, DECISION)
    out = capsys.readouterr().out
    for shown in ("weak", "[b]small", "0.2500 < threshold 0.5", "3 read, 2 written", "0.001 USD, always strong 0.01", "r-1"):
        assert shown in out
    assert "attempts" not in out


def test_several_strategies_show_their_opinions(capsys: pytest.CaptureFixture[str]) -> None:
    """What each said, what was remembered and what failed; what was compared is the mean of their ranks."""
    opinions = [
        routing_pb2.Opinion(strategy="mf", strong_win_rate=0.25, cached=True),
        routing_pb2.Opinion(strategy="bert", failure=routing_pb2.REASON_SCORER_TIMEOUT),
    ]
    decision = routing_pb2.Decision(
        strategy="mf+bert", threshold=0.5, strong_win_rate=0.75, tier=routing_pb2.TIER_STRONG, reason=routing_pb2.REASON_COMPARISON
    )
    show_receipt(routing_pb2.Receipt(opinions=opinions), decision)
    out = capsys.readouterr().out
    for shown in ("mf+bert: mean rank 0.7500 ≥ threshold 0.5", "mf 0.2500 (cached), bert scorer_timeout"):
        assert shown in out


def test_a_decision_without_a_comparison_gives_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """No win rate is made up."""
    show_receipt(routing_pb2.Receipt(), routing_pb2.Decision(tier=routing_pb2.TIER_STRONG, reason=routing_pb2.REASON_NOTHING_TO_SCORE))
    out = capsys.readouterr().out
    assert "nothing_to_score" in out
    assert "win rate" not in out


def test_a_strategy_that_is_not_ready_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """In its own words, whole."""
    show_strategies(
        route_service_pb2.ListStrategiesResponse(
            strategies=[route_service_pb2.Strategy(name="mf", detail="no replica answers")],
            pairs=[route_service_pb2.Pair(name="default", strong="big", weak="small")],
            policies=["support-bot"],
        )
    )
    out = capsys.readouterr().out
    for shown in ("mf", "no replica answers", "default", "big", "small", "policies: support-bot"):
        assert shown in out


def test_live_traffic_stands_beside_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """And drift past the limit is said; a certificate isn't taken for the calibration."""
    live = route_service_pb2.Live(
        shares=[route_service_pb2.Live.Share(target=0.3, strong_share=0.415, decisions=200)],
        drifts=[route_service_pb2.Live.Drift(calibration="mf-1-2", index=0.31, win_rates=500, past_limit=True)],
    )
    certificate = calibration_pb2.Calibration(thresholds=[calibration_pb2.CalibratedThreshold(max_quality_loss=0.03)])
    strategies = [route_service_pb2.Strategy(name="mf", ready=True, live=live, calibrations=[certificate])]
    show_strategies(route_service_pb2.ListStrategiesResponse(strategies=strategies))
    out = capsys.readouterr().out
    for shown in ("nothing; certified for 0.03", "30 %", "41.5 %", "mf-1-2", "0.310", "past the limit"):
        assert shown in out


def test_a_models_text_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters go; lines, tabs and every script stay."""
    show_text(["a\x1b[2J", "\x9b31m\x07", "b\n\t你好 🙂"])
    assert capsys.readouterr().out == "a[2J31mb\n\t你好 🙂\n"
