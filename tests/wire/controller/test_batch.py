"""RouteBatch over the wire: many prompts, one spec, each with its own decision or error."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from pointsman.client import AsyncClient, RouteError
from pointsman.runtime.error_forms import error_info
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers, scripted_scorers
from tests.wire.controller.asking import Spec, route

Batch = route_service_pb2.RouteBatchRequest
SPEC = Spec(model="router-mf-0.5")


def _reading(prompt: Any) -> float:
    """The win rate that the prompt says; two isn't one, so that prompt alone fails."""
    return float(prompt.text)


async def test_each_prompt_has_its_decision_in_order_and_all_are_coalesced(controller: RunningController, scorers: ScriptedScorers) -> None:
    """1,024 of them; the answers aren't mixed up, and the metrics count each."""
    scorers.rates["mf"] = _reading
    prompts = [str(n / 1024) for n in range(1024)]
    answer = await controller.stub.RouteBatch(Batch(routing=SPEC, prompts=prompts))
    assert [result.decision.strong_win_rate for result in answer.results] == [n / 1024 for n in range(1024)]
    assert sum(result.decision.tier == routing_pb2.TIER_STRONG for result in answer.results) == 512
    assert len(scorers.batches) <= 140
    labels = {"call": "route", "pair": "default", "strategy": "mf", "reason": "comparison", "error": ""}
    counted = [controller.registry.get_sample_value("pointsman_requests_total", {**labels, "tier": tier}) for tier in ("strong", "weak")]
    assert counted == [512, 512]


async def test_one_bad_prompt_fails_alone(strong: ScriptedBackend, weak: ScriptedBackend) -> None:
    """As a typed error with the call's request id; an empty prompt is nothing to score, as in Route."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with (
        scripted_scorers({"mf": _reading, "random": _reading}) as scorers,
        running_controller(backends, scorers.address, strategies={"mf": {"on_failure": "error"}, "random": {}}) as controller,
    ):
        call = controller.stub.RouteBatch(
            Batch(routing=SPEC, prompts=["0.4", "2", "", "0.6"]), metadata=(("x-pointsman-request-id", "my-id"),)
        )
        good, bad, empty, better = (await call).results
    assert (good.decision.tier, better.decision.tier) == (routing_pb2.TIER_WEAK, routing_pb2.TIER_STRONG)
    assert empty.decision.reason == routing_pb2.REASON_NOTHING_TO_SCORE
    info = error_info(bad.error)
    assert (bad.error.code, info.reason, info.metadata["request_id"]) == (grpc.StatusCode.UNAVAILABLE.value[0], "SCORING_FAILED", "my-id")


async def test_too_many_prompts_and_a_wrong_spec_fail_the_call_by_their_field(controller: RunningController) -> None:
    """Nothing is decided; no prompts at all are no error."""
    async with AsyncClient(controller.address) as client:
        with pytest.raises(RouteError, match="1,025 prompts are more than 1,024") as caught:
            await client.route_batch(["x"] * 1025, model="router-mf-0.5")
        assert (caught.value.code, caught.value.metadata["param"]) == (grpc.StatusCode.INVALID_ARGUMENT, "prompts")
        with pytest.raises(RouteError) as caught:
            await client.route_batch(["x"], model="router-nope-0.5")
        assert caught.value.reason == "UNKNOWN_STRATEGY"
        assert not (await client.route_batch([], model="router-mf-0.5")).results


async def test_a_batch_leaves_room_in_the_queue_for_others(strong: ScriptedBackend, weak: ScriptedBackend) -> None:
    """One that is four times as long as the queue is decided whole, and a request beside it isn't refused."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with (
        scripted_scorers({"mf": _reading, "random": _reading}) as scorers,
        running_controller(backends, scorers.address, own={"max_batch": 4, "max_waiting": 16}) as controller,
    ):
        scorers.delay_s = 0.02
        batch = asyncio.ensure_future(controller.stub.RouteBatch(Batch(routing=SPEC, prompts=[f"0.{n}" for n in range(10, 74)])))
        while not scorers.batches:
            await asyncio.sleep(0.01)
        beside = await asyncio.gather(*(route(controller, SPEC, f"0.{n}") for n in range(80, 88)))
        answer = await batch
    decisions = [*(each.decision for each in answer.results), *(each.decision for each in beside)]
    assert {decision.reason for decision in decisions} == {routing_pb2.REASON_COMPARISON}


async def test_a_caller_who_goes_away_ends_the_batch(controller: RunningController, scorers: ScriptedScorers) -> None:
    """What wasn't asked isn't asked any more."""
    scorers.delay_s = 0.1
    call = controller.stub.RouteBatch(Batch(routing=SPEC, prompts=[str(n) for n in range(1024)]), timeout=30)
    while len(scorers.batches) < 2:
        await asyncio.sleep(0.01)
    call.cancel()
    await asyncio.sleep(0.3)
    asked = len(scorers.batches)
    await asyncio.sleep(0.3)
    assert len(scorers.batches) == asked < 20
