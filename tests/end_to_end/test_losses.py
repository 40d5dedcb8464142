"""Processes die while requests run: every request ends with an answer or a typed error, and service returns by itself."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from pointsman.client import AsyncClient, RouteError
from pointsman.v1 import routing_pb2
from tests.support.canary import CANARY
from tests.support.product import Product, running_product
from tests.support.unrefused import UNREFUSED

_DEADLINE_S = 20.0
_CALLERS = 6


async def _load(address: str, stop: asyncio.Event) -> Counter[str]:
    """Closed-loop callers of both tiers; each call's outcome, and none may outlast its deadline or raise anything else."""
    outcomes: Counter[str] = Counter()
    numbers = itertools.count()

    async def caller(number: int, client: AsyncClient) -> None:
        while not stop.is_set():
            begun = time.monotonic()
            try:
                answer = await client.chat(
                    # No two alike, or the decision cache would spare the scorers.
                    [{"role": "user", "content": f"Say hi, {CANARY} {next(numbers)}."}],
                    model=f"router-mf-{number % 2}",
                    max_tokens=3,
                    timeout=_DEADLINE_S,
                )
            except RouteError as error:
                outcomes[error.reason] += 1
                await asyncio.sleep(0.05)
            else:
                assert answer.choices
                outcomes[routing_pb2.Reason.Name(answer.receipt.decision.reason)] += 1
            assert time.monotonic() - begun < _DEADLINE_S + 2

    async with AsyncClient(address) as client:
        await asyncio.gather(*(caller(number, client) for number in range(_CALLERS)))
    return outcomes


async def _normal_again(product: Product, killed: int) -> None:
    """Until the killed process is gone, all is ready, and requests of both tiers are scored and answered."""
    async with AsyncClient(product.grpc) as client:
        while True:
            if not psutil.pid_exists(killed) and await asyncio.to_thread(product.ready):
                try:
                    answers = [
                        await client.chat(
                            [{"role": "user", "content": f"{CANARY} {time.time_ns()}"}], model=model, max_tokens=2, timeout=10
                        )
                        for model in ("router-mf-0", "router-mf-1", "router-mf-0", "router-mf-1")
                    ]
                except RouteError:
                    pass
                else:
                    if all(answer.receipt.decision.reason == routing_pb2.REASON_COMPARISON for answer in answers):
                        return
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "words",
    [("ServeReplica:mf",), ("-m controller",), ("-m deploy.local_llm", "--name weak"), ("-m gateway",)],
    ids=["a scorer's replica", "the controller", "a backend", "the gateway"],
)
async def test_killing_a_process_under_load_costs_typed_errors_at_most(product: Product, words: tuple[str, ...]) -> None:
    """SIGKILL in the middle of running requests."""
    stop = asyncio.Event()
    load = asyncio.create_task(_load(product.grpc, stop))
    await asyncio.sleep(2)
    (victim,) = product.pids(*words)
    os.kill(victim, signal.SIGKILL)
    await asyncio.wait_for(_normal_again(product, victim), 60)
    stop.set()
    outcomes = await load
    print(words, dict(outcomes))  # noqa: T201 (shown with -s: what it cost)
    assert outcomes["REASON_COMPARISON"] > 0
    assert outcomes["INTERNAL"] == 0


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """SIGTERM right after the start, with a strategy alone: no process of it lives on, Ray's and HAProxy's included."""
    with running_product(tmp_path, gateway=UNREFUSED, controller=UNREFUSED, strategies={"random": {}}) as product:
        assert product.pids("raylet")
        assert product.stop() == []
        assert product.process.returncode == 0
