"""Evaluating through a running service gives every prompt its own win rate, also when a scorer stumbles."""

from __future__ import annotations

import asyncio
from functools import partial

import grpc
import pytest

from pointsman.runtime.errors import Unavailable
from scorers.offline.scoring import score_by_service
from tests.support.backend import echoing, scripted_backend
from tests.support.controllers import running_controller
from tests.support.scorers import scripted_scorers


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
        scores = await asyncio.to_thread(score_by_service, ["mf", "random"], prompts, controller.address, 4, done.append)
    assert scores["mf"] == [number / 100 for number in range(40)]
    assert scores["random"] == [1 - number / 100 for number in range(40)]
    assert max(done) == 80


async def test_a_strategy_that_never_answers_is_named() -> None:
    """Figures over the prompts that happened to be scored would be other figures."""
    async with (
        scripted_backend("any", echoing) as backend,
        scripted_scorers({"mf": lambda _: 0.5, "random": lambda _: 0.5}) as scorers,
        running_controller({"strong": backend.settings, "weak": backend.settings}, scorers.address) as controller,
    ):
        scorers.fail_with = grpc.StatusCode.INTERNAL
        with pytest.raises(Unavailable, match="no win rate of mf in 2 tries"):
            await asyncio.to_thread(partial(score_by_service, tries=2), ["mf"], ["x"], controller.address, 1, lambda _: None)
