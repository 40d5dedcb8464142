"""AdminService.Pin and `pointsman pin`: an operator forces a pair to a tier, live, and releases it."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, route_service_pb2, routing_pb2
from tests.support.controllers import RunningController
from tests.support.scorers import ScriptedScorers
from tests.wire.cli.test_commands import pointsman_command
from tests.wire.controller.asking import Spec, route

PinRequest = admin_service_pb2.PinRequest
STRONG, WEAK, NONE = routing_pb2.TIER_STRONG, routing_pb2.TIER_WEAK, routing_pb2.TIER_UNSPECIFIED


async def pin(controller: RunningController, **request: Any) -> admin_service_pb2.PinResponse:
    """As an operator does it."""
    async with grpc.aio.insecure_channel(controller.address) as channel:
        stub: Any = admin_service_pb2_grpc.AdminServiceStub(channel)
        answer: admin_service_pb2.PinResponse = await stub.Pin(PinRequest(**request))
        return answer


async def _pinned_to(controller: RunningController) -> routing_pb2.Tier.ValueType:
    return (await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())).pairs[0].pinned


async def test_a_pin_holds_from_the_next_request_on_until_it_is_released(controller: RunningController, scorers: ScriptedScorers) -> None:
    """No scorer is asked meanwhile, the receipt says who it was, and the listing shows it."""
    answer = await pin(controller, tier=WEAK)
    assert (answer.pair, answer.tier, answer.HasField("remaining")) == ("default", WEAK, False)
    for spec in (Spec(model="router-mf-0"), Spec(model="router-mf-0", tier=STRONG), Spec(strategies=["mf"], max_quality_loss=0.01)):
        decision = (await route(controller, spec)).decision
        assert (decision.tier, decision.reason) == (WEAK, routing_pb2.REASON_PINNED_BY_OPERATOR)
        assert not decision.HasField("threshold")
    assert not scorers.batches
    assert await _pinned_to(controller) == WEAK
    assert (await pin(controller, pair="default", tier=NONE)).tier == NONE
    decision = (await route(controller, Spec(model="router-mf-0"))).decision
    assert (decision.tier, decision.reason) == (STRONG, routing_pb2.REASON_COMPARISON)
    assert await _pinned_to(controller) == NONE


async def test_a_pin_with_a_duration_ends_by_itself(controller: RunningController) -> None:
    """Nobody has to remember it."""
    answer = await pin(controller, tier=WEAK, duration=Duration(nanos=300_000_000))
    assert 0 < answer.remaining.ToTimedelta().total_seconds() <= 0.3
    while (await route(controller, Spec(model="router-mf-0"))).decision.tier == WEAK:
        await asyncio.sleep(0.02)
    assert await _pinned_to(controller) == NONE


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"pair": "nope", "tier": WEAK}, "UNKNOWN_PAIR"),
        ({"tier": 7}, "INVALID_REQUEST"),
        ({"tier": WEAK, "duration": Duration(seconds=0)}, "INVALID_REQUEST"),
        ({"tier": WEAK, "duration": Duration(seconds=-5)}, "INVALID_REQUEST"),
        ({"tier": WEAK, "duration": Duration(seconds=1 << 62)}, "INVALID_REQUEST"),
    ],
)
async def test_a_pin_that_means_nothing_is_refused(controller: RunningController, request_: dict[str, Any], reason: str) -> None:
    """And nothing is pinned."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await pin(controller, **request_)
    assert error_info(status_of(caught.value)).reason == reason
    assert await _pinned_to(controller) == NONE


async def test_the_command_pins_shows_and_releases(controller: RunningController) -> None:
    """In a sentence each; a wrong pair is the service's own words."""
    at = ("--address", controller.address)
    assert (await pointsman_command("pin", "default", "weak", *at)).out == (
        "default is pinned to weak until it is released or the controller stops\n"
    )
    listed = (await pointsman_command("strategies", *at)).out
    assert "pinned to" in listed
    assert "weak" in listed.splitlines()[-1].split()
    assert (await pointsman_command("pin", "default", "strong", "--for", "90", *at)).out == "default is pinned to strong for 90 s\n"
    assert (await pointsman_command("pin", "default", "release", *at)).out == "default is not pinned\n"
    wrong = await pointsman_command("pin", "nope", "weak", *at)
    assert (wrong.code, wrong.out) == (1, "")
    assert "No pair is named 'nope'; there are: default." in wrong.err
    wrong = await pointsman_command("pin", "default", "release", "--for", "9", *at)
    assert (wrong.code, wrong.out) == (2, "")
