"""What a decision leaves behind: a line of the decision log, and a process's Prometheus series."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Final

import structlog.testing
from prometheus_client import CollectorRegistry

from controller.coalescing import CoalescingMetrics
from controller.decision_log import line_of
from controller.ledger import Ledger
from pointsman.v1 import routing_pb2 as pb

_STRATEGIES: Final = ("mf", "sw_ranking", "bert", "causal_llm", "random")


def receipt(strategy: str = "mf", tier: pb.Tier.ValueType = pb.TIER_STRONG) -> pb.Receipt:
    """A chat's, scored by one strategy and answered at the first attempt."""
    backend = "strong" if tier == pb.TIER_STRONG else "weak"
    model = "gpt-4-1106-preview" if tier == pb.TIER_STRONG else "mixtral-8x7b-instruct-v0.1"
    win_rate = 0.5637218952178955
    return pb.Receipt(
        request_id=uuid.UUID(int=7).hex,
        decision=pb.Decision(
            strategy=strategy, threshold=0.5, strong_win_rate=win_rate, tier=tier, model=model, reason=pb.REASON_COMPARISON, pair="default",
            backend=backend,
        ),
        opinions=[pb.Opinion(strategy=strategy, strong_win_rate=win_rate, checkpoint=f"{strategy}@sha256:0123456789ab")],
        timings=pb.Timings(scoring_s=0.012345678901234, first_byte_s=0.412345678901234, total_s=2.123456789012345),
        usage=pb.Usage(prompt_tokens=412, completion_tokens=256),
        cost=pb.Cost(amount=0.0123, currency="USD", always_strong=0.0123),
        attempts=[pb.Attempt(backend=backend, tier=tier, http_status=200, elapsed_s=0.41)],
        version="0.1.0",
    )  # fmt: skip


def receipt_bytes() -> int:
    """Of its line in the decision log."""
    return len(line_of(datetime.now(UTC), receipt())) + 1


def controller_series() -> int:
    """Of a controller that has answered chats by all five strategies in both tiers; what else it exports comes on top."""
    registry = CollectorRegistry()
    ledger, coalescing = Ledger(registry), CoalescingMetrics(registry)
    with structlog.testing.capture_logs():
        for strategy in _STRATEGIES:
            coalescing.of(strategy)(1, 0.001)
            ledger.strategy_ready(strategy, True)
            for tier in (pb.TIER_STRONG, pb.TIER_WEAK):
                ledger.begin()
                ledger.finish(receipt(strategy, tier))
    return sum(len(list(metric.samples)) for metric in registry.collect())
