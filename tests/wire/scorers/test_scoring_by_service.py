"""Evaluating through a running service gives every prompt its own win rate, also when a scorer stumbles."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import grpc
import pytest

from pointsman.client import RouteError
from pointsman.runtime.errors import RateLimited, Unavailable
from pointsman.v1 import route_service_pb2
from scorers.offline.scored import Scored
from scorers.offline.scoring import scored_by_service
from scorers.offline.sources import Service, win_rates
from scorers.offline.win_rate_cache import WinRateCache
from tests.support.backend import echoing, scripted_backend
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import scripted_scorers
from tests.wire.client.scripted import ScriptedRouteService, serve


async def test_every_prompt_is_scored_in_order_though_a_scorer_fails_for_a_while() -> None:
    """A failed opinion is asked again; none is left out or counted as strong."""
    prompts = [str(number) for number in range(40)]
    done: list[int] = []
    async with (
        scripted_backend("any", echoing) as backend,
        scripted_scorers({"mf": lambda p: int(p.text) / 100, "random": lambda p: 1 - int(p.text) / 100}) as scorers,
        running_controller({"strong": backend.settings, "weak": backend.settings}, scorers.address) as controller,
    ):
        scorers.fail_with = grpc.StatusCode.INTERNAL
        asyncio.get_running_loop().call_later(0.4, setattr, scorers, "fail_with", None)
        # In a thread: it runs an event loop of its own, as the command does.
        scored = await asyncio.to_thread(scored_by_service, ["mf", "random"], prompts, controller.address, 4, done.append)
    scores = {each.strategy: each.win_rates for each in scored}
    assert scores["mf"] == [number / 100 for number in range(40)]
    assert scores["random"] == [1 - number / 100 for number in range(40)]
    assert max(done) == 80


async def test_a_service_that_refuses_for_now_is_asked_again_and_one_that_goes_on_is_told() -> None:
    """Thousands of prompts at once are what a busy service refuses some of."""
    prompts = [str(number) for number in range(12)]
    async with (
        scripted_backend("any", echoing) as backend,
        scripted_scorers({"mf": lambda p: int(p.text) / 100}) as scorers,
        running_controller(
            {"strong": backend.settings, "weak": backend.settings}, scorers.address, own={"max_concurrent": 1}, strategies={"mf": {}}
        ) as controller,
    ):
        scorers.delay_s = 0.05
        scored = await asyncio.to_thread(scored_by_service, ["mf"], prompts, controller.address, 3, lambda _: None)
        assert scored[0].win_rates == [number / 100 for number in range(12)]
        with pytest.raises(RouteError, match="try again"):
            await asyncio.to_thread(partial(scored_by_service, tries=1), ["mf"], prompts, controller.address, 3, lambda _: None)


async def test_a_limit_that_the_prompts_have_used_up_does_not_end_what_is_asked_after_them() -> None:
    """Which checkpoints they were scored by is asked last, and counts for the limit too."""
    refusal = RateLimited("too many", retry_after_s=0.05)
    service = ScriptedRouteService()
    async with serve(service) as address:
        service.failures = [refusal]
        scored = await asyncio.to_thread(scored_by_service, ["mf"], [], address, 1, lambda _: None)
        service.failures = [refusal]
        models = await asyncio.to_thread(Service(address, 1).models, ["mf"])
    assert scored[0].checkpoint == models["mf"]["checkpoint"] == "mf-minilm@sha256:0123456789ab"


async def test_a_strategy_that_never_answers_is_named() -> None:
    """Figures over the prompts that happened to be scored would be other figures."""
    async with (
        scripted_backend("any", echoing) as backend,
        scripted_scorers({"mf": lambda _: 0.5, "random": lambda _: 0.5}) as scorers,
        running_controller({"strong": backend.settings, "weak": backend.settings}, scorers.address) as controller,
    ):
        scorers.fail_with = grpc.StatusCode.INTERNAL
        with pytest.raises(Unavailable, match="no win rate of mf in 2 tries"):
            await asyncio.to_thread(partial(scored_by_service, tries=2), ["mf"], ["x"], controller.address, 1, lambda _: None)


async def test_kept_win_rates_are_taken_while_the_same_checkpoint_serves(tmp_path: Path) -> None:
    """The service is asked which one that is, and for no prompt; another checkpoint, or other code behind it, is asked for all."""
    prompts = [str(number) for number in range(10)]

    async def scored(*strategies: str) -> list[Scored]:
        cache, source = WinRateCache(tmp_path, lambda _: None), Service(controller.address, 4)
        return await asyncio.to_thread(win_rates, strategies, prompts, source, cache, lambda _: None)

    async with (
        scripted_backend("any", echoing) as backend,
        scripted_scorers({"mf": lambda p: int(p.text) / 100, "random": lambda _: 0.5}) as scorers,
        running_controller({"strong": backend.settings, "weak": backend.settings}, scorers.address) as controller,
    ):
        first = await scored("mf")
        scorers.batches.clear()
        assert await scored("mf") == first
        assert scorers.batches == []
        for replaced in ({"checkpoint": "scripted@sha256:1"}, {"version": "test+1"}):
            for name, value in replaced.items():
                setattr(scorers, name, value)
            while replaced.items() - (await _listed(controller, "mf")).items():
                await asyncio.sleep(0.02)
            scorers.batches.clear()
            await scored("mf")
            assert sum(map(len, scorers.batches)) == len(prompts)


async def _listed(controller: RunningController, name: str) -> dict[str, str]:
    listed = await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
    return next({"checkpoint": each.checkpoint, "version": each.version} for each in listed.strategies if each.name == name)
