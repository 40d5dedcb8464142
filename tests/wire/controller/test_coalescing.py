"""Prompts go to scorers together, fairly, in time, and to as many replicas as there are."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Spec, route

MF = Spec(strategies=["mf"], threshold=0.5)


async def test_a_batch_of_many_does_not_hold_up_one(controller: RunningController, scorers: ScriptedScorers) -> None:
    """RouteBatch's prompts and a lone Route's take turns: the lone one goes with the next call."""
    scorers.delay_s = 0.05
    many = route_service_pb2.RouteBatchRequest(routing=MF, prompts=[f"prompt {number}" for number in range(200)])
    batch = asyncio.ensure_future(controller.stub.RouteBatch(many))
    while not scorers.batches:
        await asyncio.sleep(0.005)
    await route(controller, MF, "the lone one")
    assert not batch.done()
    await batch
    position = next(place for place, sent in enumerate(scorers.batches) if "the lone one" in sent)
    assert position <= 3


async def test_what_can_not_be_answered_in_time_is_not_sent(controller: RunningController, scorers: ScriptedScorers) -> None:
    """Calls take 0.2 s; a prompt whose deadline leaves less than that waits for nothing and costs the scorer nothing."""
    scorers.delay_s = 0.2
    await route(controller, MF, "so that it's known how long a call takes")
    running = asyncio.ensure_future(route(controller, MF, "in the way"))
    await asyncio.sleep(0.05)
    late = await route(controller, MF, "late", timeout=0.6)  # the scorer's share is 0.3 s: 0.15 s of waiting leave 0.15 s
    await running
    assert late.decision.reason == routing_pb2.REASON_SCORER_TIMEOUT
    assert not any("late" in sent for sent in scorers.batches)


@pytest.mark.parametrize(("replicas", "at_once"), [(("a",), 1), (("a", "b", "c"), 3)])
async def test_calls_in_flight_follow_the_replicas(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, replicas: tuple[str, ...], at_once: int
) -> None:
    """A replica is known by its first answer, to a probe or to a call."""
    scorers.replicas = replicas
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, own={"max_batch": 1, "decision_cache": 0}) as controller:
        while scorers.described < 3 * len(replicas):
            await asyncio.sleep(0.02)
        scorers.delay_s = 0.1
        await asyncio.gather(*(route(controller, MF, f"prompt {number}") for number in range(9)))
    assert scorers.most_at_once == at_once


async def test_scorers_are_told_what_waits_and_with_whom(strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """A call's own prompts don't count; a controller keeps its name, and another has another."""
    scorers.delay_s = 0.3
    backends = {"strong": strong.settings, "weak": weak.settings}
    callers = set()
    for _ in range(2):
        scorers.waiting.clear()
        async with running_controller(backends, scorers.address, own={"max_batch": 2, "decision_cache": 0}) as controller:
            first = asyncio.ensure_future(route(controller, MF, "in the way"))
            while not scorers.waiting:
                await asyncio.sleep(0.005)
            await asyncio.gather(first, *(route(controller, MF, f"prompt {number}") for number in range(5)))
        assert [waiting for _, waiting in scorers.waiting] == [0, 3, 1, 0]
        [caller] = {caller for caller, _ in scorers.waiting}
        callers.add(caller)
    assert len(callers) == 2
    assert all(len(caller) == 12 for caller in callers)


async def test_sizes_and_waits_are_metrics(controller: RunningController, scorers: ScriptedScorers) -> None:
    """Of a call that is under way and of those who come meanwhile."""
    scorers.delay_s = 0.1
    first = asyncio.create_task(route(controller, MF, "prompt 0"))
    while not scorers.batches:
        await asyncio.sleep(0.005)
    await asyncio.gather(first, *(route(controller, MF, f"prompt {number}") for number in range(1, 5)))

    def of(name: str) -> float:
        return controller.registry.get_sample_value(name, {"strategy": "mf"}) or 0.0

    assert of("pointsman_scorer_batch_prompts_sum") == 5
    assert of("pointsman_scorer_batch_prompts_count") == len(scorers.batches) < 5
    assert of("pointsman_scorer_wait_seconds_sum") > 0.02


async def test_remembered_embeddings_are_a_metric(controller: RunningController, scorers: ScriptedScorers) -> None:
    """Of a strategy that has an embedder; of another there is none."""

    def of(outcome: str) -> float | None:
        return controller.registry.get_sample_value("pointsman_embedding_cache_total", {"strategy": "mf", "outcome": outcome})

    await route(controller, MF, "before the scorer says that it has an embedder")
    assert of("miss") is None
    scorers.embedder, scorers.remembered = "hashing@sha256:0", frozenset({"again"})
    probed = scorers.described
    while scorers.described < probed + 4:
        await asyncio.sleep(0.02)
    for text in ("new", "again"):
        await route(controller, MF, text)
    assert (of("hit"), of("miss")) == (1, 1)
