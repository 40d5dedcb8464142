"""AdminService.Calibrate: prompts, labels or recent traffic in, records out that count at once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from controller.sampling import MOST_BYTES
from pointsman.runtime.backend_settings import Prices
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, calibration_pb2, route_service_pb2
from scorers.offline.calibrate import main as calibrate
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers, scripted_scorers
from tests.wire.controller.asking import Spec, route

CalibrateRequest = admin_service_pb2.CalibrateRequest
Target = calibration_pb2.CalibratedThreshold
RATES = [n / 1000 for n in range(1000)]


@pytest.fixture
async def scorers() -> AsyncIterator[ScriptedScorers]:
    """mf reads its win rate from the prompt."""
    async with scripted_scorers({"mf": lambda prompt: float(prompt.text), "random": lambda _: 0.5}) as scorers:
        yield scorers


@asynccontextmanager
async def admin(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, folder: Path
) -> AsyncIterator[tuple[RunningController, admin_service_pb2_grpc.AdminServiceAsyncStub]]:
    """A controller and its operator. Strong costs ten times as much."""
    backends = {
        name: backend.settings.model_copy(update={"prices": Prices(prompt_per_million=price, completion_per_million=price)})
        for name, backend, price in (("strong", strong, 10.0), ("weak", weak, 1.0))
    }
    async with (
        running_controller(backends, scorers.address, records_dir=folder) as controller,
        grpc.aio.insecure_channel(controller.address) as channel,
    ):
        stub: Any = admin_service_pb2_grpc.AdminServiceStub(channel)
        yield controller, stub


async def stream(
    start: CalibrateRequest.Start | None, examples: Iterable[CalibrateRequest.Example] = ()
) -> AsyncIterator[CalibrateRequest]:
    """As the contract has it."""
    if start:
        yield CalibrateRequest(start=start)
    for example in examples:
        yield CalibrateRequest(example=example)


def prompts() -> list[CalibrateRequest.Example]:
    """Shuffled."""
    return [CalibrateRequest.Example(prompt=str(rate)) for rate in random.Random(1).sample(RATES, len(RATES))]


def labels() -> list[CalibrateRequest.Example]:
    """Weak is as good below 0.5, and never right above."""
    return [CalibrateRequest.Example(prompt=str(rate), strong=1, weak=float(rate < 0.5)) for rate in RATES]


async def test_prompts_become_a_record_that_counts_at_once(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """In order of nothing, a thousand of them, few at a time."""
    start = CalibrateRequest.Start(strategy="mf", targets=[Target(strong_share=0.3)], name="last week")
    async with admin(strong, weak, scorers, tmp_path) as (controller, stub):
        answer = await stub.Calibrate(stream(start, prompts()))
        assert max(map(len, scorers.batches)) <= 16
        (found,) = answer.calibration.thresholds
        assert (answer.calibration.sample_size, found.strong_share) == (1000, 0.3)
        assert found.threshold == pytest.approx(0.6993)
        assert found.threshold_low < found.threshold < found.threshold_high
        decision = (await route(controller, Spec(model="router-mf-10pct"), "0.95")).decision
        assert decision.threshold == pytest.approx(0.8991)
    assert _files(tmp_path) == [f"{answer.calibration.name}.json"]


async def test_labels_become_certificates_that_count_at_once(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """One for each loss, for the models that the pair has."""
    targets = [Target(max_quality_loss=loss, delta=0.1) for loss in (0.02, 0.1)]
    start = CalibrateRequest.Start(strategy="mf", targets=targets, judge="exact match")
    async with admin(strong, weak, scorers, tmp_path) as (controller, stub):
        answer = await stub.Calibrate(stream(start, labels()))
        assert not answer.HasField("calibration")
        small, large = (each.thresholds[0] for each in answer.certificates)
        assert 0.4 < small.threshold < large.threshold < 0.65
        assert (large.pair, large.judge, large.delta) == ("default", "exact match", 0.1)
        receipt = (await route(controller, Spec(strategies=["mf"], max_quality_loss=0.05), "0.45")).receipt
        assert receipt.calibration == answer.certificates[0].name


async def test_recent_traffic_is_a_sample_too(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """What was only compared isn't traffic; too little of it is refused."""
    start = CalibrateRequest.Start(strategy="mf", targets=[Target(strong_share=0.5)])
    async with admin(strong, weak, scorers, tmp_path) as (controller, stub):
        for rate in RATES[::10]:
            await controller.stub.CompareStrategies(route_service_pb2.CompareStrategiesRequest(prompt=str(rate), strategies=["mf"]))
        assert await _refused(stub, stream(start)) == ("NOT_CALIBRATED", "examples")
        for rate in RATES[::5]:
            await route(controller, Spec(model="router-mf-0.5"), str(rate))
        answer = await stub.Calibrate(stream(start))
    assert answer.calibration.sample_size == 200
    assert answer.calibration.thresholds[0].threshold == pytest.approx(0.4975)


async def test_the_command_asks_the_controller_for_recent_traffic(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the controller's own words where there is too little of it."""
    async with admin(strong, weak, scorers, tmp_path) as (controller, _):
        arguments = ["--recent", "--strategies", "mf", "--url", controller.address, "--strong-share", "0.5", "--json"]
        assert await asyncio.to_thread(calibrate, arguments) == 1
        assert "win rates of mf's checkpoint" in capsys.readouterr().err
        for rate in RATES[::5]:
            await route(controller, Spec(model="router-mf-0.5"), str(rate))
        assert await asyncio.to_thread(calibrate, arguments) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])  # after the controller's log
    assert (told["sample_size"], told["thresholds"][0]["strong_share"]) == ("200", 0.5)
    assert _files(tmp_path) == [f"{told['name']}.json"]


async def test_a_budget_is_a_share_by_what_requests_have_cost(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """None has had a cost here."""
    start = CalibrateRequest.Start(strategy="mf", targets=[Target(spend=5)])
    async with admin(strong, weak, scorers, tmp_path) as (_, stub):
        assert await _refused(stub, stream(start, prompts())) == ("NOT_CALIBRATED", "targets")


@pytest.mark.parametrize(
    ("start", "examples", "refusal"),
    [
        (None, [], ("INVALID_REQUEST", "start")),
        ({"strategy": "none"}, [], ("UNKNOWN_STRATEGY", "start.strategy")),
        ({"strategy": "mf", "pair": "none"}, [], ("UNKNOWN_PAIR", "start.pair")),
        ({"targets": [Target()]}, [], ("INVALID_REQUEST", "start.targets[0]")),
        ({"targets": [Target(strong_share=1.5)]}, [], ("INVALID_REQUEST", "start.targets[0]")),
        ({"targets": [Target(max_quality_loss=0.1)]}, labels(), ("INVALID_REQUEST", "start.judge")),
        ({"targets": [Target(max_quality_loss=0.1)], "judge": "x"}, prompts(), ("INVALID_REQUEST", "targets")),
        ({}, [*labels()[:5], *prompts()[:5]], ("INVALID_REQUEST", "examples[5]")),
        ({}, [*prompts()[:5], *labels()[:5]], ("INVALID_REQUEST", "examples[5]")),
        ({}, [CalibrateRequest.Example(prompt="0.1", strong=2, weak=1)], ("INVALID_REQUEST", "examples[0]")),
        ({}, [CalibrateRequest.Example(prompt="0.1", strong=float("nan"), weak=1)], ("INVALID_REQUEST", "examples[0]")),
        ({}, [CalibrateRequest.Example(prompt=" ")], ("INVALID_REQUEST", "examples[0]")),
        ({}, prompts()[:1], ("INVALID_REQUEST", "")),
        ({}, [CalibrateRequest.Example(prompt="0.5")] * 200, ("INVALID_REQUEST", "")),
    ],
)
async def test_what_cannot_be_calibrated_is_refused_and_nothing_is_written(
    strong: ScriptedBackend,
    weak: ScriptedBackend,
    scorers: ScriptedScorers,
    tmp_path: Path,
    start: dict[str, Any] | None,
    examples: list[CalibrateRequest.Example],
    refusal: tuple[str, str],
) -> None:
    """By the field at fault."""
    asked = None if start is None else CalibrateRequest.Start(**{"strategy": "mf", **start})
    async with admin(strong, weak, scorers, tmp_path) as (_, stub):
        assert await _refused(stub, stream(asked, examples)) == refusal
    assert not _files(tmp_path)


async def test_more_prompts_than_fit_are_refused_and_scoring_them_ends(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """By their bytes together, which a few long ones reach as well as many."""
    scorers.rates["mf"] = lambda _: 0.5
    example = CalibrateRequest.Example(prompt="法" * (MOST_BYTES // 24))
    async with admin(strong, weak, scorers, tmp_path) as (_, stub):
        assert await _refused(stub, stream(CalibrateRequest.Start(strategy="mf"), [example] * 10)) == ("INVALID_REQUEST", "examples")
        assert sum(map(len, scorers.batches)) <= 8
    assert not _files(tmp_path)


async def test_a_scorer_that_fails_fails_the_whole(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """A sample with holes would be another sample."""
    async with admin(strong, weak, scorers, tmp_path) as (_, stub):
        scorers.fail_with = grpc.StatusCode.INTERNAL
        assert (await _refused(stub, stream(CalibrateRequest.Start(strategy="mf"), prompts()[:20])))[0] == "UNAVAILABLE"
    assert not _files(tmp_path)


async def _refused(stub: Any, requests: AsyncIterator[CalibrateRequest]) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Calibrate(requests)
    info = error_info(status_of(caught.value))
    return info.reason, dict(info.metadata).get("param", "")


def _files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]
