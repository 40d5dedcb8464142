"""Strategies stopped, redeployed and scaled one at a time while the others, and where it can the changed one itself, serve on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from pointsman.scorer.v1 import scorer_service_pb2 as pb
from pointsman.scorer.v1 import scorer_service_pb2_grpc as pb_grpc
from scorers.mf.router import SHIPPED_CHECKPOINT
from tests.on_ray.conftest import RunningScorers, started_scorers, wait_ready
from tests.support.canary import PROMPT

pytestmark = pytest.mark.timeout(400)
STRATEGIES = ("mf", "random", "sw_ranking")
WITHIN_S = 120  # a busy machine: replicas start and drain in a fraction of it


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningScorers]:
    """Three strategies, ready."""
    with started_scorers(tmp_path_factory.mktemp("redeploy"), {name: {} for name in STRATEGIES}) as scorers:
        wait_ready(scorers, *STRATEGIES)
        yield scorers


@dataclass
class Load:
    """What callers have got so far, by strategy: the checkpoints that answered, and the codes of errors."""

    answers: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in STRATEGIES})
    errors: dict[str, list[grpc.StatusCode]] = field(default_factory=lambda: {name: [] for name in STRATEGIES})

    async def until(self, reached: Callable[[], bool]) -> None:
        """Waits for it, and then for some more answers of each strategy that gives any."""
        async with asyncio.timeout(WITHIN_S):
            while not reached():
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)


@asynccontextmanager
async def under_load(cluster: RunningScorers) -> AsyncIterator[Load]:
    """Two callers of each strategy, one request after the other, for as long as the context lives."""
    load = Load()
    stop = asyncio.Event()
    async with grpc.aio.insecure_channel(cluster.address) as channel:
        stub: Any = pb_grpc.ScorerServiceStub(channel)

        async def call(strategy: str) -> None:
            while not stop.is_set():
                try:
                    request = pb.ScoreRequest(prompts=[pb.Prompt(text=PROMPT), pb.Prompt(text="How?")])
                    answer = await stub.Score(request, metadata=(("application", strategy),), timeout=60)
                    assert len(answer.results) == 2
                    load.answers[strategy].append(answer.checkpoint)
                except grpc.aio.AioRpcError as error:
                    load.errors[strategy].append(error.code())
                await asyncio.sleep(0.02)

        callers = [asyncio.create_task(call(name)) for name in STRATEGIES for _ in range(2)]
        try:
            await load.until(lambda: all(len(got) > 5 for got in load.answers.values()))
            yield load
        finally:
            stop.set()
            await asyncio.gather(*callers)


def copied(folder: Path, name: str) -> Path:
    """mf's shipped checkpoint under another name."""
    shutil.copytree(SHIPPED_CHECKPOINT, folder, dirs_exist_ok=True)
    config = folder / "config.json"
    shipped = '"name": "mf-all-minilm-l6-v2-layer-3"'
    assert shipped in config.read_text()
    config.write_text(config.read_text().replace(shipped, f'"name": "{name}"'))
    return folder


def last(load: Load, strategy: str, name: str) -> bool:
    """Whether the latest answers are of that checkpoint."""
    return all(each.startswith(f"{name}@") for each in load.answers[strategy][-10:])


async def test_a_new_checkpoint_takes_over_without_an_error(cluster: RunningScorers, tmp_path: Path) -> None:
    """The old one answers until the new one does; the other strategies' processes stay the same."""
    others = {name: [p.pid for p in cluster.replicas(name)] for name in ("random", "sw_ranking")}
    async with under_load(cluster) as load:
        cluster.change(mf={"checkpoint": str(copied(tmp_path / "new", "mf-second"))})
        await load.until(lambda: last(load, "mf", "mf-second"))
        copied(tmp_path / "new", "mf-third")  # in the same place
        cluster.change()
        await load.until(lambda: last(load, "mf", "mf-third"))
    assert {name: errors for name, errors in load.errors.items() if errors} == {}
    assert {name: [p.pid for p in cluster.replicas(name)] for name in others} == others


async def test_a_broken_checkpoint_leaves_the_old_one_serving(cluster: RunningScorers, tmp_path: Path) -> None:
    """Its reason is logged; settings that don't validate change nothing either; the right file mends it."""
    async with under_load(cluster) as load:
        await load.until(lambda: len(cluster.replicas("mf")) == 1)  # the one that the test before has replaced takes its time
        before = {name: [p.pid for p in cluster.replicas(name)] for name in STRATEGIES}
        cluster.change(mf={"checkpoint": str(tmp_path / "nowhere")})
        await load.until(lambda: any(e["event"] == "strategy failed" and e["strategy"] == "mf" for e in cluster.events()))
        assert "nowhere" in next(e["error"] for e in cluster.events() if e["event"] == "strategy failed")
        cluster.change(mf={"max_bacth": 5})
        await load.until(lambda: any(e["event"].startswith("settings refused") for e in cluster.events()))
        assert {name: [p.pid for p in cluster.replicas(name)] for name in STRATEGIES} == before
        cluster.change(mf={})
        await load.until(lambda: last(load, "mf", "mf-all-minilm-l6-v2-layer-3"))
    assert {name: errors for name, errors in load.errors.items() if errors} == {}


async def test_one_is_scaled_and_no_replica_is_replaced(cluster: RunningScorers) -> None:
    """To two replicas and back to one; nobody sees an error."""
    async with under_load(cluster) as load:
        await load.until(lambda: len(cluster.replicas("mf")) == 1)
        before = {name: {p.pid for p in cluster.replicas(name)} for name in STRATEGIES}
        cluster.change(mf={"min_replicas": 2, "max_replicas": 2})
        await load.until(lambda: len(cluster.replicas("mf")) == 2)
        assert before["mf"] < {p.pid for p in cluster.replicas("mf")}
        cluster.change(mf={})
        await load.until(lambda: len(cluster.replicas("mf")) == 1)
    assert {name: errors for name, errors in load.errors.items() if errors} == {}
    assert {name: {p.pid for p in cluster.replicas(name)} for name in ("random", "sw_ranking")} == {
        name: before[name] for name in ("random", "sw_ranking")
    }


async def test_one_scales_itself_by_its_load(cluster: RunningScorers) -> None:
    """Its replicas tell Serve how busy they are: with load there are more of them, without it fewer again, and nobody sees an error."""
    async with under_load(cluster) as load:
        cluster.change(mf={"max_replicas": 2, "target_busy": 0.001, "upscale_delay_s": 0, "downscale_delay_s": 2})
        await load.until(lambda: len(cluster.replicas("mf")) == 2)
    assert {name: errors for name, errors in load.errors.items() if errors} == {}
    async with asyncio.timeout(WITHIN_S):
        while len(cluster.replicas("mf")) > 1:
            await asyncio.sleep(0.2)
    cluster.change(mf={})


async def test_one_is_stopped_and_started_again(cluster: RunningScorers) -> None:
    """Its callers are told that it isn't there; the others' notice nothing."""
    async with under_load(cluster) as load:
        cluster.change(sw_ranking=None)
        await load.until(lambda: load.errors["sw_ranking"][-1:] == [grpc.StatusCode.NOT_FOUND])
        answered = len(load.answers["sw_ranking"])
        cluster.change(sw_ranking={})
        await load.until(lambda: len(load.answers["sw_ranking"]) > answered + 5)
    assert not load.errors["mf"]
    assert not load.errors["random"]
    assert set(load.errors["sw_ranking"]) <= {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE}
