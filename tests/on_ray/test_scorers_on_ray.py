"""The scorers as they run: Ray Serve behind HAProxy, one application per strategy, real processes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import psutil
import pytest

from pointsman.runtime.settings import StrategySettings
from pointsman.scorer.v1 import scorer_service_pb2 as pb
from pointsman.scorer.v1 import scorer_service_pb2_grpc as pb_grpc
from scorers.registry import ROUTERS, build_router
from scorers.router import ScoredPrompt, WinRate
from tests.on_ray.conftest import RunningScorers
from tests.support.canary import CANARY

TYPED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED}


@pytest.fixture
async def stub(running: RunningScorers) -> AsyncIterator[Any]:
    """A client of the cluster."""
    async with grpc.aio.insecure_channel(running.address) as channel:
        yield pb_grpc.ScorerServiceStub(channel)


def of(application: str) -> tuple[tuple[str, str], ...]:
    """The metadata that selects a strategy."""
    return (("application", application),)


def batch(texts: Iterable[str], session: str = "", budget_ms: int = 0) -> pb.ScoreRequest:
    """A request for those texts."""
    return pb.ScoreRequest(prompts=[pb.Prompt(text=t, session=session) for t in texts], budget_ms=budget_ms)


async def logged(running: RunningScorers, **wanted: str) -> dict[str, Any]:
    """The first event with those values, once it's there."""
    for _ in range(300):
        for event in running.events():
            if wanted.items() <= event.items():
                return event
        await asyncio.sleep(0.1)
    raise AssertionError(f"{wanted} isn't in the log:\n{running.log.read_text()}")


def test_replicas_have_the_priority_that_the_scorers_were_started_with(running: RunningScorers) -> None:
    """Ray's own way is nice 15, with which they wait for everything else on the machine."""
    assert [each.nice() for name in ("mf", "random") for each in running.replicas(name)] == [psutil.Process().nice()] * 2


def test_a_models_thread_gives_way_to_everything_else(running: RunningScorers) -> None:
    """By 7 steps of nice, which is what strategies but causal_llm do where the settings say nothing."""
    own = psutil.Process().nice()
    for replica in running.replicas("mf"):
        assert {os.getpriority(os.PRIO_PROCESS, thread.id) for thread in replica.threads()} == {own, own + 7}


def test_replicas_are_scheduled_as_the_scorers_are(running: RunningScorers) -> None:
    """By default so that a thread that wakes up interrupts nobody."""
    assert [os.sched_getscheduler(each.pid) for name in ("mf", "random") for each in running.replicas(name)] == [os.SCHED_BATCH] * 2


def test_ray_runs_nothing_beside_what_serves(running: RunningScorers) -> None:
    """No reader of its logs, no autoscaler of clouds, no dashboard."""
    below = [" ".join(each.cmdline()) for each in psutil.Process(running.process.pid).children(recursive=True)]
    assert [word for word in ("gcs_server", "raylet", "ServeController", "ServeReplica") if not any(word in line for line in below)] == []
    assert [line for line in below if any(each in line for each in ("log_monitor.py", "monitor.py", "dashboard.py"))] == []


async def test_mf_scores_in_order_what_the_router_scores_in_process(stub: Any) -> None:
    """Many prompts of many lengths, the same numbers as without Ray."""
    texts = [f"{'why ' * (n % 37)}number {n}, {CANARY}?" for n in range(100)]
    answer = await stub.Score(batch(texts), metadata=of("mf"), timeout=30)
    wanted = build_router("mf", StrategySettings()).calculate_strong_win_rates([ScoredPrompt(t) for t in texts])
    assert [r.strong_win_rate for r in answer.results] == pytest.approx(
        [w.strong_win_rate for w in wanted if isinstance(w, WinRate)], abs=1e-5
    )


async def test_random_draws_a_sessions_value_as_it_does_anywhere(stub: Any) -> None:
    """Seed and session alone decide."""
    answer = await stub.Score(batch(["x"], session="alice"), metadata=of("random"), timeout=30)
    wanted = build_router("random", StrategySettings(options={"seed": 7})).calculate_strong_win_rates([ScoredPrompt("y", "alice")])
    assert [WinRate(r.strong_win_rate) for r in answer.results] == wanted


async def test_each_application_describes_itself(stub: Any) -> None:
    """By the metadata key `application`."""
    mf, random = [await stub.Describe(pb.DescribeRequest(), metadata=of(name), timeout=30) for name in ("mf", "random")]
    assert (mf.strategy, mf.strong, random.strategy, random.checkpoint) == ("mf", "gpt-4-1106-preview", "random", "none")
    assert mf.checkpoint == build_router("mf", StrategySettings()).checkpoint


async def test_a_wrong_application_is_not_found(stub: Any) -> None:
    """HAProxy itself says so."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.Describe(pb.DescribeRequest(), metadata=of("elsewhere"), timeout=30)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


async def test_errors_keep_their_code_and_words_through_serve(stub: Any) -> None:
    """More prompts than the queue takes; more work than the budget allows."""
    with pytest.raises(grpc.aio.AioRpcError) as too_many:
        await stub.Score(batch(["x"] * 257), metadata=of("mf"), timeout=30)
    assert (too_many.value.code(), too_many.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "257 prompts in one call; at most 256 are taken.",
    )
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await stub.Score(batch(["word " * 250] * 200, budget_ms=1), metadata=of("mf"), timeout=30)
    assert (late.value.code(), late.value.details()) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "No win rate within the 1 ms that the caller gave.",
    )


async def test_a_strategy_that_cannot_be_built_is_named_and_stops_no_other(running: RunningScorers) -> None:
    """Its reason is logged in our own words; the others say how long they took."""
    failed = await logged(running, event="strategy failed", strategy="nope")
    assert failed["error"] == f"No strategy is named 'nope'; there are: {', '.join(sorted(ROUTERS))}."
    for strategy in ("mf", "random"):
        assert (await logged(running, event="strategy ready", strategy=strategy))["seconds"] > 0


async def test_a_killed_replica_costs_typed_errors_at_most_and_service_returns(running: RunningScorers, stub: Any) -> None:
    """Requests run all the while; each has an answer or a typed error before its deadline."""
    (replica,) = running.replicas("mf")
    outcomes: list[grpc.StatusCode] = []
    stop = asyncio.Event()

    async def call() -> None:
        while not stop.is_set():
            try:
                answer = await stub.Score(batch(["Why?", "How?"]), metadata=of("mf"), timeout=5)
                assert len(answer.results) == 2
                outcomes.append(grpc.StatusCode.OK)
            except grpc.aio.AioRpcError as error:
                outcomes.append(error.code())
                await asyncio.sleep(0.05)

    callers = [asyncio.create_task(call()) for _ in range(8)]
    while outcomes[-20:] != [grpc.StatusCode.OK] * 20:
        await asyncio.sleep(0.05)
    replica.kill()
    until = time.monotonic() + 60
    while not ([p.pid for p in running.replicas("mf")] not in ([], [replica.pid]) and outcomes[-20:] == [grpc.StatusCode.OK] * 20):
        assert time.monotonic() < until, outcomes[-20:]
        await asyncio.sleep(0.1)
    stop.set()
    await asyncio.gather(*callers)
    assert set(outcomes) - {grpc.StatusCode.OK} <= TYPED


async def test_a_second_instance_on_the_same_port_refuses_to_start(running: RunningScorers) -> None:
    """It names the port, and the first one serves on."""
    second = await asyncio.create_subprocess_exec(*running.process.args, stderr=asyncio.subprocess.PIPE)  # type: ignore[misc]
    _, said = await asyncio.wait_for(second.communicate(), 60)
    assert second.returncode == 1
    assert f"gRPC port {running.address.split(':')[1]} run already" in said.decode()


async def test_sigterm_ends_it_and_leaves_no_process(running: RunningScorers) -> None:
    """Replicas, proxies, HAProxy and Ray's own: the last test, since nothing serves after it."""
    below = psutil.Process(running.process.pid).children(recursive=True)
    assert any("haproxy" in p.name() for p in below)
    running.process.terminate()
    assert await asyncio.to_thread(running.process.wait, 60) == 0
    assert psutil.wait_procs(below, timeout=1)[1] == []
