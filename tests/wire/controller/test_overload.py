"""A controller that gets more than it keeps up with says so at once."""

from __future__ import annotations

import asyncio
from collections import Counter

import grpc

from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Spec, route

MF = Spec(strategies=["mf"], threshold=0.5)


async def test_a_controller_that_is_behind_refuses_calls_but_tells_gateways_what_is_ready(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """Gateways know it by ListStrategies, which is never refused."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, own={"max_lag_s": 1e-9, "max_lag_above": 0}) as controller:
        while controller.registry.get_sample_value("pointsman_shed_share") != 0.95:
            await _asked(controller, "canary")
        said = Counter([await _asked(controller, f"prompt {number}") for number in range(60)])
        assert set(said) <= {"", "OVERLOADED"}
        assert said["OVERLOADED"] > 30
        for _ in range(20):
            assert (await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())).strategies


async def test_a_few_at_once_are_taken_up_however_far_behind_it_is(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """A slow machine is behind by what they cost; refused, they would come back and cost more."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, own={"max_lag_s": 1e-9}) as controller:
        while controller.registry.get_sample_value("pointsman_shed_share") != 0.95:
            await _asked(controller, "canary")
        for _ in range(5):
            assert set(await asyncio.gather(*(_asked(controller, f"prompt {number}") for number in range(16)))) == {""}


async def _asked(controller: RunningController, prompt: str) -> str:
    try:
        await route(controller, MF, prompt)
    except grpc.aio.AioRpcError as error:
        return error_info(status_of(error)).reason
    return ""
