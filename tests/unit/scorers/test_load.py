"""What a scorer counts of its own load."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.runtime.settings import StrategySettings
from pointsman.scorer.v1 import scorer_service_pb2 as pb
from scorers.load import Load, Speed
from scorers.random.router import RandomRouter
from scorers.replica import ScorerReplica
from scorers.scorer import Scorer


class Clock:
    """Stands still until it's told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


def ran(load: Load, clock: Clock, prompts: int, seconds: float) -> None:
    with load.running(prompts):
        clock.pass_(seconds)


def test_busy_is_the_share_of_time_since_last_asked() -> None:
    """While nothing tells what a full batch would take, a run's time counts as it is; a run under way counts so far."""
    load, clock = _fresh()
    ran(load, clock, 4, 1.0)
    clock.pass_(3.0)
    assert load.stats()["busy"] == pytest.approx(0.25)
    with load.running(4):
        clock.pass_(1.0)
        assert load.stats()["busy"] == pytest.approx(1.0)
        clock.pass_(1.0)
    clock.pass_(1.0)
    assert load.stats()["busy"] == pytest.approx(0.5)
    clock.pass_(1.0)
    assert load.stats()["busy"] == 0


def test_small_runs_of_a_model_that_takes_as_long_for_large_ones_are_little_work() -> None:
    """Always running, with 4 of 16 prompts, at 0.1 s whatever is in it: a quarter of its throughput is used."""
    load, clock = _fresh()
    for _ in range(20):
        ran(load, clock, 2, 0.1)
        ran(load, clock, 6, 0.1)
    load.stats()
    for _ in range(10):
        ran(load, clock, 4, 0.1)
    stats = load.stats()
    assert stats["busy"] == pytest.approx(0.25, rel=0.01)
    assert stats["seconds_per_prompt"] == pytest.approx(0.1 / 16, rel=0.01)


def test_small_runs_of_a_model_that_takes_its_time_for_each_prompt_are_as_much_work_as_they_take() -> None:
    load, clock = _fresh()
    for prompts in [1, 3] * 20:
        ran(load, clock, prompts, 0.02 * prompts)
        clock.pass_(0.02 * prompts)
    stats = load.stats()
    assert stats["busy"] == pytest.approx(0.5)
    assert stats["seconds_per_prompt"] == pytest.approx(0.02)


def test_a_run_that_fails_took_time_and_tells_nothing_of_speed() -> None:
    load, clock = _fresh()

    def fail() -> None:
        with load.running(4):
            clock.pass_(1.0)
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert load.stats() == {"busy": 1.0, "seconds_per_prompt": 0.0, "waiting": 0.0}


def test_what_waits_is_what_each_caller_last_said_lately() -> None:
    """The latest of each, added up; of one that calls no more nothing; of one without a name nothing."""
    load, clock = _fresh()
    load.heard("a", 10)
    load.heard("b", 5)
    load.heard("", 1000)
    load.heard("a", 20)
    assert load.stats()["waiting"] == 25
    clock.pass_(4)
    load.heard("b", 7)
    clock.pass_(4)
    assert load.stats()["waiting"] == 7
    clock.pass_(4)
    assert load.stats()["waiting"] == 0


@pytest.mark.parametrize(("fixed", "each"), [(0.1, 0.0), (0.0, 0.02), (0.05, 0.01)])
def test_speed_is_a_line_through_the_runs(fixed: float, each: float) -> None:
    """From runs of up to 8 prompts to one of 16."""
    speed = Speed()
    for prompts in [1, 2, 3, 5, 8] * 4:
        speed.took(prompts, fixed + each * prompts)
    assert speed.of(16) == pytest.approx(fixed + 16 * each)


def test_speed_follows_a_model_that_changes() -> None:
    speed = Speed()
    for seconds in (0.1, 0.01):
        for prompts in [1, 2, 4] * 400:
            speed.took(prompts, seconds)
    assert speed.of(16) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("runs", [[], [(4, 0.4)] * 3, [(4, 0.4)] * 50])
def test_runs_of_one_size_say_that_each_prompt_counts_alike(runs: list[tuple[int, float]]) -> None:
    """And none say nothing."""
    speed = Speed()
    for prompts, seconds in runs:
        speed.took(prompts, seconds)
    assert speed.of(8) == pytest.approx(0.8 if runs else 0)


async def test_a_replica_tells_serve_by_the_name_that_serve_calls() -> None:
    """Nothing before there is a model; then what a call said and the model did."""
    replica = ScorerReplica("random")
    assert await replica.record_autoscaling_stats() == {}
    await replica.reconfigure(StrategySettings().model_dump(mode="json"))
    request = pb.ScoreRequest(prompts=[pb.Prompt(text="Why?")] * 3, caller="c", waiting=4)
    await replica._ready().score(request)
    stats = await replica.record_autoscaling_stats()
    assert stats["waiting"] == 4
    assert 0 < stats["busy"] < 1
    assert stats["seconds_per_prompt"] > 0
    await replica._ready().close()


async def test_asking_for_its_health_is_no_load() -> None:
    """Nor is warming up: where nobody calls, no replica is needed."""
    scorer = Scorer(RandomRouter.build, StrategySettings())
    await asyncio.gather(*(scorer.check_health() for _ in range(5)))
    assert scorer.load.stats()["busy"] == 0
    await scorer.close()


def _fresh() -> tuple[Load, Clock]:
    clock = Clock()
    load = Load(clock)
    load.max_batch = 16
    return load, clock
