"""What goes to strong because scoring couldn't answer is capped (rule 4): over the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from controller.unscored import FREE
from pointsman.calibration.files import write_record
from pointsman.runtime.settings import Settings
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.records import certified
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Request, Spec, refusal, route
from tests.wire.controller.relaying import body, refused

CAP = 0.01  # of what an hour would have at the rate of the first seconds
MF, LOSS = Spec(model="router-mf-0.5"), Spec(strategies=["mf"], max_quality_loss=0.03)


@pytest.fixture
def backends(strong: ScriptedBackend, weak: ScriptedBackend) -> Mapping[str, Any]:
    """Both tiers."""
    return {"strong": strong.settings, "weak": weak.settings}


async def _use_up(controller: RunningController) -> None:
    """All that may go strong in any case, of a controller that has just begun."""
    request = route_service_pb2.RouteBatchRequest(prompts=[f"p{n}" for n in range(FREE)], routing=MF)
    results = (await controller.stub.RouteBatch(request)).results
    assert {each.decision.tier for each in results} == {routing_pb2.TIER_STRONG}


def _counted(controller: RunningController, outcome: str) -> float:
    labels = {"strategy": "mf", "reason": "scorer_error", "outcome": outcome}
    return controller.registry.get_sample_value("pointsman_unscored_total", labels) or 0


async def test_past_the_cap_a_request_is_refused_before_any_backend_is_called(
    backends: Mapping[str, Any], strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """503 with retry-after, a reason of its own, counted, and in the decision log; a pinned tier needs no score and goes on."""
    scorers.fail_with = grpc.StatusCode.INTERNAL
    file = tmp_path / "decisions.jsonl"
    own = {"decision_log": {"path": file}, "scorer_failure_to_strong_cap": CAP}
    async with running_controller(backends, scorers.address, own=own) as controller:
        await _use_up(controller)
        reason, facts = await refused(controller, body("router-mf-0.5"))
        assert (reason, facts["code"], facts["http_status"], facts["retry_after_s"]) == ("SCORING_CAPPED", "UNAVAILABLE", "503", "1")
        assert (await route(controller, Spec(model="router-mf-0.5", tier=routing_pb2.TIER_STRONG))).decision.tier
        assert (_counted(controller, "strong"), _counted(controller, "capped_refused")) == (FREE, 1)
        assert controller.registry.get_sample_value("pointsman_refused_total", {"error": "SCORING_CAPPED"}) == 1
        assert controller.registry.get_sample_value("pointsman_unscored_strong_capped") == 1
        share = controller.registry.get_sample_value("pointsman_unscored_strong_share")
        assert share == pytest.approx(FREE / (FREE + 1))
    assert strong.received == weak.received == []
    lines = (await asyncio.to_thread(file.read_text)).splitlines()
    assert [line["error"] for line in map(json.loads, lines) if "error" in line] == ["SCORING_CAPPED"]


async def test_past_the_cap_a_request_goes_weak_where_the_settings_say_so_and_its_receipt_says_why(
    backends: Mapping[str, Any], scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """But never one whose loss is bounded; settings that are read again don't forget what was spent, and count at once."""
    write_record(tmp_path, certified(strong_model="strong-model", weak_model="weak-model"))
    scorers.fail_with = grpc.StatusCode.INTERNAL
    own = {"on_scorer_failure_cap": "weak", "scorer_failure_to_strong_cap": CAP}
    async with running_controller(backends, scorers.address, own=own, records_dir=tmp_path) as controller:
        await _use_up(controller)
        receipt = (await route(controller, MF)).receipt
        assert (receipt.decision.tier, receipt.decision.reason) == (routing_pb2.TIER_WEAK, routing_pb2.REASON_SCORING_CAPPED)
        assert receipt.opinions[0].failure == routing_pb2.REASON_SCORER_ERROR
        assert (await refusal(controller, Request(prompt="x", routing=LOSS)))[1] == "SCORING_CAPPED"
        for cap, tier in ((1.0, routing_pb2.TIER_STRONG), (CAP, routing_pb2.TIER_WEAK)):
            changed = controller.settings.controller.model_copy(update={"scorer_failure_to_strong_cap": cap})
            await controller.reload(Settings.model_validate({**dict(controller.settings), "controller": changed}))
            assert (await route(controller, MF)).decision.tier == tier


async def test_what_on_failure_sends_weak_or_refuses_spends_nothing(backends: Mapping[str, Any], scorers: ScriptedScorers) -> None:
    """A cap of 0 changes nothing for them, and has a word of its own for the others."""
    scorers.fail_with = grpc.StatusCode.INTERNAL
    own, strategies = {"scorer_failure_to_strong_cap": 0}, {"mf": {"on_failure": "weak"}, "random": {"on_failure": "error"}}
    async with running_controller(backends, scorers.address, own=own, strategies=strategies) as controller:
        decision = (await route(controller, MF)).decision
        assert (decision.tier, decision.reason) == (routing_pb2.TIER_WEAK, routing_pb2.REASON_SCORER_ERROR)
        assert (await refusal(controller, Request(prompt="x", routing=Spec(model="router-random-0"))))[1] == "SCORING_FAILED"
        assert controller.registry.get_sample_value("pointsman_unscored_strong_capped") == 0
