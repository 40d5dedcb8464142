"""Which requests the shadow follows."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controller.decider import Decided
from controller.ensemble import Ranks
from controller.plan import Plan
from controller.record_book import RecordBook
from controller.scorers import Score, ScorerState
from controller.shadow import AT_ONCE, Shadow
from pointsman.runtime.backend_settings import PairSettings
from pointsman.runtime.controller_settings import ControllerSettings, ShadowSettings
from pointsman.v1 import routing_pb2

DECIDED = Decided(routing_pb2.Decision(strategy="mf", threshold=0.5, tier=routing_pb2.TIER_WEAK, reason=routing_pb2.REASON_COMPARISON))
PLAN = Plan("default", PairSettings(strong="strong", weak="weak"), ("mf",), threshold=0.5)


@dataclass
class Hanging:
    """A scorer that never answers."""

    states: dict[str, ScorerState] = field(default_factory=dict)
    asked: int = 0

    async def score(self, strategy: str, text: str, session: str, budget_s: float) -> Score:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(("share", "followed"), [(0.0, 0), (0.05, 47), (1.0, 1000)])
async def test_a_share_of_the_requests_is_drawn_and_few_are_asked_at_once(tmp_path: Path, share: float, followed: int) -> None:
    """Of 1,000; what is too much at once is counted, and closing ends what runs."""
    scorers, registry = Hanging(), CollectorRegistry()
    ranks = Ranks(scorers, RecordBook([tmp_path], tmp_path))
    shadow = ShadowSettings(strategy="bert", share=share)
    shadowing = Shadow(shadow, ControllerSettings(), scorers, ranks, registry, random.Random(2).random)
    for _ in range(1000):
        shadowing.follow(PLAN, "x", DECIDED)
    await asyncio.sleep(0)
    labels = {"strategy": "mf", "shadow": "bert", "outcome": "dropped"}
    dropped = registry.get_sample_value("pointsman_shadow_requests_total", labels) or 0
    assert scorers.asked == min(AT_ONCE, followed)
    assert scorers.asked + dropped == followed
    await shadowing.close()
