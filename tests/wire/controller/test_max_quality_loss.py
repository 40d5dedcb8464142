"""A quality loss over the wire: a threshold by a certificate of the checkpoint that scored, strong where none vouches, or a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import grpc
import pytest

from pointsman.calibration.files import write_record
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.records import certified, record
from tests.support.scorers import ScriptedScorers, scripted_scorers
from tests.wire.controller.asking import Request, Spec, refusal, route

MODELS = {"strong_model": "strong-model", "weak_model": "weak-model"}
LOSS = Spec(strategies=["mf"], max_quality_loss=0.03)
SPREAD = tuple(n / 100 for n in range(101))


def controller_with(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: str, folder: Path, own: Mapping[str, Any] | None = None, **settings: Any
) -> AbstractAsyncContextManager[RunningController]:
    """Its records are in the folder, which it looks at often."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    own = {"records_interval_s": 0.05, **(own or {})}
    return running_controller(backends, scorers, own=own, records_dir=folder, **settings)


def reading() -> AbstractAsyncContextManager[ScriptedScorers]:
    """mf reads its win rate from the prompt."""
    return scripted_scorers({"mf": lambda prompt: float(prompt.text), "random": lambda _: 0.5})


@pytest.mark.parametrize(("threshold", "tier"), [(0.3, "STRONG"), (0.5, "WEAK")])
async def test_the_certificates_threshold_decides(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path, threshold: float, tier: str
) -> None:
    """mf says 0.4; the receipt and the list name the certificate."""
    written = certified(threshold=threshold, **MODELS)
    write_record(tmp_path, written)
    async with controller_with(strong, weak, scorers.address, tmp_path) as controller:
        answer = await route(controller, LOSS)
        listed = await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
    assert routing_pb2.Tier.Name(answer.decision.tier) == f"TIER_{tier}"
    assert (answer.decision.threshold, answer.decision.reason) == (threshold, routing_pb2.REASON_COMPARISON)
    assert answer.receipt.calibration == written.name
    (calibration,) = next(each for each in listed.strategies if each.name == "mf").calibrations
    (found,) = calibration.thresholds
    assert (found.max_quality_loss, found.delta, found.pair, found.judge) == (0.03, 0.05, "default", "made-up")


async def test_without_a_certificate_the_request_is_refused_or_goes_strong_by_setting(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """A certificate for other models is none, and neither is a record of shares."""
    write_record(tmp_path, certified(strong_model="another", weak_model="weak-model"))
    write_record(tmp_path, record())
    async with controller_with(strong, weak, scorers.address, tmp_path) as controller:
        code, reason, facts = await refusal(controller, Request(prompt="x", routing=LOSS))
        assert (code, reason, facts["param"]) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_CERTIFIED", "max_quality_loss")
    async with controller_with(strong, weak, scorers.address, tmp_path, {"on_uncertified": "strong"}) as controller:
        decision = (await route(controller, LOSS)).decision
    assert (decision.tier, decision.reason) == (routing_pb2.TIER_STRONG, routing_pb2.REASON_NOT_CERTIFIED)
    assert not decision.HasField("threshold")


async def test_what_could_not_be_scored_never_goes_weak_where_the_loss_is_bounded(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """Whatever `on_failure` says for other requests."""
    write_record(tmp_path, certified(**MODELS))
    scorers.fail_with = grpc.StatusCode.INTERNAL
    settings = {"strategies": {"mf": {"on_failure": "weak"}}}
    async with controller_with(strong, weak, scorers.address, tmp_path, **settings) as controller:
        tiers = [(await route(controller, spec)).decision.tier for spec in (LOSS, Spec(model="router-mf-0.5"))]
    assert tiers == [routing_pb2.TIER_STRONG, routing_pb2.TIER_WEAK]


async def test_past_the_drift_limit_a_certified_threshold_sends_to_strong_and_says_so(
    strong: ScriptedBackend, weak: ScriptedBackend, tmp_path: Path
) -> None:
    """Until traffic is again what it was; thresholds that nobody certified go on as they were, and metrics and list show it."""
    write_record(tmp_path, certified(threshold=0.99, quantiles=SPREAD, **MODELS))
    own = {"drift_window": 100}
    async with reading() as scorers, controller_with(strong, weak, scorers.address, tmp_path, own) as controller:

        async def traffic(rates: list[float], spec: Spec = LOSS) -> routing_pb2.Decision:
            for rate in rates:
                decision = (await route(controller, spec, str(rate))).decision
            return decision

        like_the_sample = [n / 100 for n in range(100)]
        assert (await traffic(like_the_sample)).reason == routing_pb2.REASON_COMPARISON
        drifted = await traffic([0.45] * 60)
        assert (drifted.tier, drifted.reason) == (routing_pb2.TIER_STRONG, routing_pb2.REASON_DRIFTED)
        assert (drifted.threshold, drifted.strong_win_rate) == (0.99, 0.45)
        assert (await traffic([0.45], Spec(model="router-mf-0.99"))).tier == routing_pb2.TIER_WEAK
        listed = await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
        live = next(each for each in listed.strategies if each.name == "mf").live
        assert (live.win_rates, live.drifts[0].past_limit, live.drifts[0].win_rates) == (161, True, 100)
        assert live.drifts[0].index > 0.2
        labels = {"strategy": "mf", "checkpoint": "scripted@sha256:0", "record": live.drifts[0].calibration}
        assert controller.registry.get_sample_value("pointsman_drift_past_limit", labels) == 1
        assert controller.registry.get_sample_value("pointsman_drift", labels) == pytest.approx(live.drifts[0].index)
        assert (await traffic(like_the_sample)).reason == routing_pb2.REASON_COMPARISON


async def test_drift_is_shown_once_there_are_enough_win_rates_to_tell(
    strong: ScriptedBackend, weak: ScriptedBackend, tmp_path: Path
) -> None:
    """In the list and in the metrics: from a hundred on."""
    write_record(tmp_path, record(quantiles=SPREAD))
    async with reading() as scorers, controller_with(strong, weak, scorers.address, tmp_path) as controller:
        labels = {"strategy": "mf", "checkpoint": "scripted@sha256:0", "record": record().name}

        async def shown(prompts: list[str]) -> tuple[int, bool]:
            request = route_service_pb2.RouteBatchRequest(prompts=prompts, routing=Spec(model="router-mf-0.5"))
            await controller.stub.RouteBatch(request)
            listed = await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
            live = next(each for each in listed.strategies if each.name == "mf").live
            assert len(prompts) <= live.win_rates
            return len(live.drifts), controller.registry.get_sample_value("pointsman_drift", labels) is not None

        assert await shown([str(n / 99) for n in range(99)]) == (0, False)
        assert await shown(["0.5"]) == (1, True)


async def test_records_count_and_stop_counting_while_the_controller_runs(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """A new file, a wrong one (those from before stay), and a removed one."""
    folder = tmp_path / "records"
    async with controller_with(strong, weak, scorers.address, folder) as controller:
        await refusal(controller, Request(prompt="x", routing=LOSS))
        file = write_record(folder, certified(**MODELS))
        await _until(controller, certified=True)
        (folder / "wrong.json").write_text("{")
        await asyncio.sleep(0.2)
        assert (await route(controller, LOSS)).receipt.calibration
        (folder / "wrong.json").unlink()
        file.unlink()
        await _until(controller, certified=False)


async def test_the_live_strong_share_stands_beside_its_target(strong: ScriptedBackend, weak: ScriptedBackend, tmp_path: Path) -> None:
    """30 % were asked for of a sample that is spread evenly, and the traffic is harder."""
    write_record(tmp_path, record(quantiles=SPREAD))
    async with reading() as scorers, controller_with(strong, weak, scorers.address, tmp_path) as controller:
        for rate in (0.5, 0.9, 0.95, 0.99):
            await route(controller, Spec(model="router-mf-30pct"), str(rate))
        listed = await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
        labels = {"strategy": "mf", "checkpoint": "scripted@sha256:0", "target": "0.3"}
        assert controller.registry.get_sample_value("pointsman_live_strong_share", labels) == 0.75
        assert controller.registry.get_sample_value("pointsman_live_strong_share_target", labels) == float(labels["target"])
        assert controller.registry.get_sample_value("pointsman_live_strong_share_decisions", labels) == 4
    (share,) = next(each for each in listed.strategies if each.name == "mf").live.shares
    assert (share.target, share.strong_share, share.decisions) == (0.3, 0.75, 4)


async def _until(controller: RunningController, *, certified: bool) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await route(controller, LOSS)
                found = True
            except grpc.aio.AioRpcError:
                found = False
            if found == certified:
                return
            await asyncio.sleep(0.02)
