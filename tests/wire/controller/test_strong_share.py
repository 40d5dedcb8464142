"""A strong share over the wire: a threshold by the record of the checkpoint that scored, or a refusal."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from pointsman.calibration.files import write_record
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.records import record
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Request, Spec, refusal, route


@pytest.mark.parametrize(("percent", "tier"), [(65, "STRONG"), (55, "WEAK"), (0, "WEAK"), (100, "STRONG")])
async def test_a_strong_share_is_a_threshold_by_the_record_of_the_checkpoint_that_scored(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path, percent: int, tier: str
) -> None:
    """mf says 0.4 to everything, and its record that win rates are spread evenly; decision and list name what was looked up."""
    write_record(tmp_path, record())
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, records_dir=tmp_path) as controller:
        decision = (await route(controller, Spec(model=f"router-mf-{percent}pct"))).decision
        assert routing_pb2.Tier.Name(decision.tier) == f"TIER_{tier}"
        assert decision.threshold == pytest.approx(1 - percent / 100)
        assert decision.reason == routing_pb2.REASON_COMPARISON
        listed = {each.name: each for each in (await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())).strategies}
    (calibration,) = listed["mf"].calibrations
    assert (calibration.checkpoint, calibration.sample_size) == ("scripted@sha256:0", 1000)
    assert [(each.strong_share, each.threshold) for each in calibration.thresholds] == [(0.5, 0.5)]
    assert not listed["random"].calibrations


async def test_a_policy_may_ask_for_a_strong_share(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """Its callers needn't know."""
    write_record(tmp_path, record())
    backends, policies = {"strong": strong.settings, "weak": weak.settings}, {"cheap": {"strategies": ["mf"], "strong_share": 0.2}}
    async with running_controller(backends, scorers.address, records_dir=tmp_path, policies=policies) as controller:
        decision = (await route(controller, Spec(model="router:cheap"))).decision
    assert decision.tier == routing_pb2.TIER_WEAK
    assert decision.threshold == pytest.approx(0.8)


async def test_a_strong_share_without_a_calibration_says_so(controller: RunningController) -> None:
    """No record, no threshold; guessing one would spend somebody's money."""
    code, reason, _ = await refusal(controller, Request(prompt="x", routing=Spec(model="router-mf-30pct")))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_CALIBRATED")
