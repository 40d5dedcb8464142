"""Decisions over the wire: what each spec leads to, and what a failing scorer leads to."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Request, Spec, refusal, route


@pytest.mark.parametrize(("threshold", "tier"), [("0", "STRONG"), ("0.4", "STRONG"), ("0.41", "WEAK"), ("1", "WEAK")])
async def test_strong_iff_the_win_rate_reaches_the_threshold(controller: RunningController, threshold: str, tier: str) -> None:
    """The rule, equality included: mf says 0.4."""
    decision = (await route(controller, Spec(model=f"router-mf-{threshold}"))).decision
    assert routing_pb2.Tier.Name(decision.tier) == f"TIER_{tier}"
    assert decision.strong_win_rate == 0.4
    assert decision.reason == routing_pb2.REASON_COMPARISON
    assert decision.model == f"{tier.lower()}-model"


async def test_the_decision_is_in_initial_metadata(controller: RunningController) -> None:
    """A caller who only looks at metadata knows all of it, under the request id it sent."""
    call = controller.stub.Route(Request(prompt="x", routing=Spec(model="router-mf-0.5")), metadata=(("x-pointsman-request-id", "my-id"),))
    metadata = {str(key): value for key, value in await call.initial_metadata()}
    await call
    assert {key.removeprefix("x-pointsman-"): value for key, value in metadata.items() if key.startswith("x-pointsman-")} == {
        "strategy": "mf",
        "strong-win-rate": "0.4",
        "threshold": "0.5",
        "tier": "weak",
        "model": "weak-model",
        "reason": "comparison",
        "request-id": "my-id",
    }


async def test_the_receipt_names_the_checkpoint_that_scored(controller: RunningController) -> None:
    """Which checkpoint's opinion it was comes from the scorer's own answer."""
    receipt = (await route(controller, Spec(model="router-mf-0.5"))).receipt
    assert [opinion.checkpoint for opinion in receipt.opinions] == ["scripted@sha256:0"]
    assert receipt.timings.total_s >= receipt.timings.scoring_s > 0
    assert not receipt.attempts


async def test_a_pinned_tier_asks_no_scorer(controller: RunningController, scorers: ScriptedScorers) -> None:
    """What the caller pinned needs no opinion."""
    decision = (await route(controller, Spec(model="router-mf-0.5", tier=routing_pb2.TIER_STRONG))).decision
    assert decision.reason == routing_pb2.REASON_PINNED_BY_CALLER
    assert decision.tier == routing_pb2.TIER_STRONG
    assert not scorers.batches


async def test_messages_are_scored_by_their_last_user_text(controller: RunningController, scorers: ScriptedScorers) -> None:
    """An agent's tool results don't change the model in the middle of its loop."""
    turns = [("system", "be kind"), ("user", "first"), ("assistant", "yes"), ("user", "second"), ("tool", "result")]
    messages = route_service_pb2.Messages(messages=[chat_pb2.ChatMessage(role=role, content=text) for role, text in turns])
    await controller.stub.Route(Request(messages=messages, routing=Spec(model="router-mf-0.5")))
    assert scorers.batches == [["second"]]


async def test_a_conversation_without_user_text_goes_strong(controller: RunningController) -> None:
    """Nothing to score isn't a reason to save."""
    image = chat_pb2.ChatMessage(role="user", parts=[chat_pb2.ContentPart(image_url="data:,")])
    for message in (image, chat_pb2.ChatMessage(role="system", content="rules")):
        request = Request(messages=route_service_pb2.Messages(messages=[message]), routing=Spec(model="router-mf-1"))
        decision = (await controller.stub.Route(request)).decision
        assert decision.tier == routing_pb2.TIER_STRONG
        assert decision.reason == routing_pb2.REASON_NOTHING_TO_SCORE


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request(prompt="x", routing=Spec(model="gpt-4")), "INVALID_MODEL_STRING"),
        (Request(prompt="x", routing=Spec(model="router-nope-0.5")), "UNKNOWN_STRATEGY"),
        (Request(prompt="x", routing=Spec(strategies=["mf"], threshold=1.5)), "INVALID_ROUTING_SPEC"),
        (Request(prompt="x", routing=Spec(strategies=["mf"], threshold=float("nan"))), "INVALID_ROUTING_SPEC"),
        (Request(prompt="x", routing=Spec(strategies=["mf"])), "INVALID_ROUTING_SPEC"),
        (Request(prompt="x", routing=Spec(model="router-mf-0.5", strategies=["mf"])), "INVALID_ROUTING_SPEC"),
        (Request(prompt="x", routing=Spec(model="router-mf-0.5", tier=7)), "INVALID_ROUTING_SPEC"),  # type: ignore[arg-type]
        (Request(prompt="x", routing=Spec(model="router-mf-0.5", session="s" * 300)), "INVALID_ROUTING_SPEC"),
        (Request(prompt="x", routing=Spec(model="router-mf-0.5", pair="nope")), "UNKNOWN_PAIR"),
        (Request(prompt="x", routing=Spec(model="router:nope")), "UNKNOWN_POLICY"),
        (Request(prompt="x"), "INVALID_ROUTING_SPEC"),
        (Request(routing=Spec(model="router-mf-0.5")), "INVALID_REQUEST"),
        (Request(messages=route_service_pb2.Messages(), routing=Spec(model="router-mf-0.5")), "INVALID_BODY"),
    ],
)
async def test_a_bad_request_is_invalid_argument_with_its_reason(controller: RunningController, request_: Request, reason: str) -> None:
    """Each is refused with details, and the next request works."""
    code, told, metadata = await refusal(controller, request_)
    assert (code, told) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert metadata["request_id"]
    assert (await route(controller, Spec(model="router-mf-0.5"))).decision.tier == routing_pb2.TIER_WEAK


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.INTERNAL, routing_pb2.REASON_SCORER_ERROR),
        (grpc.StatusCode.UNAVAILABLE, routing_pb2.REASON_SCORER_NOT_READY),
        (grpc.StatusCode.DEADLINE_EXCEEDED, routing_pb2.REASON_SCORER_TIMEOUT),
    ],
)
async def test_a_failing_scorer_leaves_the_request_strong(
    controller: RunningController, scorers: ScriptedScorers, code: grpc.StatusCode, reason: routing_pb2.Reason.ValueType
) -> None:
    """Rule 4, with the reason in the decision."""
    scorers.fail_with = code
    decision = (await route(controller, Spec(model="router-mf-1"))).decision
    assert (decision.tier, decision.reason) == (routing_pb2.TIER_STRONG, reason)
    assert not decision.HasField("strong_win_rate")


async def test_a_full_scorer_refuses_so_that_load_never_becomes_spend(controller: RunningController, scorers: ScriptedScorers) -> None:
    """RESOURCE_EXHAUSTED, with when to come back."""
    scorers.fail_with = grpc.StatusCode.RESOURCE_EXHAUSTED
    code, reason, metadata = await refusal(controller, Request(prompt="x", routing=Spec(model="router-mf-0.5")))
    assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert metadata["retry_after_s"] == "1"


async def test_a_slow_scorer_cannot_eat_the_backends_time(controller: RunningController, scorers: ScriptedScorers) -> None:
    """Half of a deadline of one second goes by, then the request is strong with its reason."""
    scorers.delay_s = 30
    decision = (await route(controller, Spec(model="router-mf-1"), timeout=1)).decision
    assert (decision.tier, decision.reason) == (routing_pb2.TIER_STRONG, routing_pb2.REASON_SCORER_TIMEOUT)


async def test_on_failure_may_say_weak_or_error(strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """The settings choose per strategy."""
    scorers.fail_with = grpc.StatusCode.INTERNAL
    backends = {"strong": strong.settings, "weak": weak.settings}
    strategies = {"mf": {"on_failure": "weak"}, "random": {"on_failure": "error"}}
    async with running_controller(backends, scorers.address, strategies=strategies) as controller:
        decision = (await route(controller, Spec(model="router-mf-0"))).decision
        assert (decision.tier, decision.reason) == (routing_pb2.TIER_WEAK, routing_pb2.REASON_SCORER_ERROR)
        code, reason, _ = await refusal(controller, Request(prompt="x", routing=Spec(model="router-random-0")))
        assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "SCORING_FAILED")


async def test_a_strategy_that_is_not_deployed_is_not_ready_and_the_others_are(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """ListStrategies says what is missing, and a request for it is strong with its reason."""
    del scorers.rates["mf"]
    async with running_controller({"strong": strong.settings, "weak": weak.settings}, scorers.address, ready=False) as controller:
        while True:
            listed = await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
            states = {strategy.name: strategy for strategy in listed.strategies}
            if states["random"].ready and states["mf"].detail == "not deployed":
                break
            await asyncio.sleep(0.02)
        assert not states["mf"].ready
        decision = (await route(controller, Spec(model="router-mf-1"))).decision
        assert (decision.tier, decision.reason) == (routing_pb2.TIER_STRONG, routing_pb2.REASON_SCORER_NOT_READY)


async def test_waiting_callers_are_coalesced(controller: RunningController, scorers: ScriptedScorers) -> None:
    """While one batch is scored the others gather, each gets its own rate, and no call is lost."""
    scorers.delay_s = 0.05
    scorers.rates["mf"] = lambda prompt: int(prompt.text) / 100
    answers = await asyncio.gather(*(route(controller, Spec(model="router-mf-0.5"), str(n)) for n in range(50)))
    assert [round(answer.decision.strong_win_rate * 100) for answer in answers] == list(range(50))
    assert len(scorers.batches) < 10


async def test_comparing_asks_all_strategies(controller: RunningController) -> None:
    """Each opinion stands by itself."""
    response = await controller.stub.CompareStrategies(route_service_pb2.CompareStrategiesRequest(prompt="x"))
    assert {opinion.strategy: opinion.strong_win_rate for opinion in response.opinions} == {"mf": 0.4, "random": 0.5}


async def test_policies_and_backend_names_follow_the_settings(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """A policy's threshold counts unless the spec has its own; a backend is called by name where that is allowed."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    policies = {"cheap": {"strategies": ["mf"], "threshold": 0.9}}
    async with running_controller(backends, scorers.address, own={"allow_backend_names": True}, policies=policies) as controller:
        assert (await route(controller, Spec(model="router:cheap"))).decision.tier == routing_pb2.TIER_WEAK
        assert (await route(controller, Spec(policy="cheap", threshold=0.1))).decision.tier == routing_pb2.TIER_STRONG
        named = (await route(controller, Spec(model="weak-model"))).decision
        assert (named.backend, named.reason) == ("weak", routing_pb2.REASON_BACKEND_NAMED)
