"""A shadow strategy over the wire: what it would have done is in the metrics, and no request notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from controller.shadow import AT_ONCE
from pointsman.calibration.files import write_record
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.records import record
from tests.support.scorers import ScriptedScorers, scripted_scorers
from tests.wire.controller.asking import Spec, route

Start = Callable[..., AbstractAsyncContextManager[RunningController]]


@pytest.fixture
async def scorers() -> AsyncIterator[ScriptedScorers]:
    """mf reads its win rate from the prompt, bert says half of it."""
    rates = {"mf": lambda prompt: float(prompt.text), "bert": lambda prompt: float(prompt.text) / 2}
    async with scripted_scorers(rates) as scorers:
        yield scorers


@pytest.fixture
def start(strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path) -> Start:
    """Starts a controller whose shadow is bert."""

    def started(share: float = 1.0, calibrated: Mapping[str, float] | None = None) -> AbstractAsyncContextManager[RunningController]:
        for strategy, highest in (calibrated or {"mf": 1.0, "bert": 0.5}).items():
            write_record(tmp_path, record(strategy=strategy, quantiles=(0.0, highest)))
        backends: dict[str, Any] = {"strong": strong.settings, "weak": weak.settings}
        own = {"shadow": {"strategy": "bert", "share": share}}
        return running_controller(backends, scorers.address, own=own, strategies={"mf": {}, "bert": {}}, records_dir=tmp_path)

    return started


def _outcome(controller: RunningController, outcome: str, strategy: str = "mf") -> float:
    labels = {"strategy": strategy, "shadow": "bert", "outcome": outcome}
    return controller.registry.get_sample_value("pointsman_shadow_requests_total", labels) or 0


async def _until(controller: RunningController, outcome: str, count: int, strategy: str = "mf") -> None:
    async with asyncio.timeout(10):
        while _outcome(controller, outcome, strategy) < count:
            await asyncio.sleep(0.02)


def _tiers(controller: RunningController) -> dict[tuple[str, str], float]:
    found = {}
    for tier in ("strong", "weak"):
        for shadow in ("strong", "weak"):
            labels = {"strategy": "mf", "shadow": "bert", "tier": tier, "shadow_tier": shadow}
            found[tier, shadow] = controller.registry.get_sample_value("pointsman_shadow_tiers_total", labels) or 0
    return found


@pytest.mark.parametrize("spec", [Spec(model="router-mf-0.7"), Spec(model="router-mf-30pct")])
async def test_tiers_are_compared_at_the_same_strong_share(start: Start, scorers: ScriptedScorers, spec: Spec) -> None:
    """30 % of mf's sample reach 0.7, and of bert's 0.35; where bert ranks a prompt otherwise they disagree."""
    scorers.rates["bert"] = lambda prompt: {"0.1": 0.4, "0.9": 0.34}.get(prompt.text, float(prompt.text) / 2)
    async with start() as controller:
        for prompt in ("0.69", "0.71", "0.8", "0.1", "0.9"):
            await route(controller, spec, prompt)
        await _until(controller, "compared", 5)
        assert _tiers(controller) == {("strong", "strong"): 2, ("weak", "weak"): 1, ("weak", "strong"): 1, ("strong", "weak"): 1}


async def test_a_slow_shadow_delays_nobody_and_what_is_too_much_is_dropped(start: Start, scorers: ScriptedScorers) -> None:
    """Requests are decided while it is still scoring; they don't name it."""
    scorers.delays_s["bert"] = 30
    prompts = [f"0.{n}" for n in range(100, 108 + AT_ONCE)]
    async with start() as controller:
        answers = [await route(controller, Spec(model="router-mf-0.5"), prompt) for prompt in prompts]
        assert all([each.strategy for each in answer.receipt.opinions] == ["mf"] for answer in answers)
        assert (_outcome(controller, "dropped"), _outcome(controller, "compared")) == (8, 0)
        await _until(controller, "scorer_timeout", AT_ONCE)


async def test_a_failing_shadow_fails_no_request(start: Start, scorers: ScriptedScorers) -> None:
    """It is counted, with the reason."""
    scorers.rates["bert"] = lambda _: 7.0
    async with start() as controller:
        assert (await route(controller, Spec(model="router-mf-0.5"), "0.6")).decision.tier == routing_pb2.TIER_STRONG
        await _until(controller, "scorer_error", 1)


@pytest.mark.parametrize("calibrated", ["mf", "bert"])
async def test_without_both_records_nothing_is_compared(start: Start, calibrated: str) -> None:
    """A threshold of one strategy means nothing to another."""
    async with start(calibrated={calibrated: 1.0}) as controller:
        await route(controller, Spec(model="router-mf-0.5"), "0.6")
        await _until(controller, "not_calibrated", 1)


async def test_only_what_another_strategy_decided_is_followed(start: Start, scorers: ScriptedScorers) -> None:
    """Not its own decisions, nor pinned tiers; an ensemble is, though its threshold is of no share. Batches are sampled too."""
    async with start() as controller:
        await route(controller, Spec(model="router-bert-0.5"), "0.1")
        await route(controller, Spec(model="router-mf-0.5", tier=routing_pb2.TIER_WEAK), "0.2")
        batch = route_service_pb2.RouteBatchRequest(routing=Spec(model="router-mf-0.5"), prompts=["0.3", "0.4"])
        await controller.stub.RouteBatch(batch)
        await _until(controller, "compared", 2)
        await route(controller, Spec(model="router-mf+bert-0.5"), "0.5")
        await _until(controller, "not_calibrated", 1, "bert+mf")
        assert _outcome(controller, "compared") == 2
