"""The decision cache over the wire: receipts and metrics tell of it, and a setting turns it off."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.v1 import routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.canary import PROMPT
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Spec, route

SPEC = Spec(model="router-mf-0.5")


def _lookups(controller: RunningController, strategy: str = "mf") -> list[float | None]:
    name = "pointsman_decision_cache_total"
    return [controller.registry.get_sample_value(name, {"strategy": strategy, "outcome": each}) for each in ("hit", "shared", "miss")]


async def _opinion(controller: RunningController, spec: Spec = SPEC, prompt: str = PROMPT) -> routing_pb2.Opinion:
    (opinion,) = (await route(controller, spec, prompt)).receipt.opinions
    return opinion


async def test_the_same_text_is_scored_once_whoever_asks(controller: RunningController, scorers: ScriptedScorers) -> None:
    """By another threshold and session too; the receipt says that the win rate was remembered."""
    first = await _opinion(controller)
    again = await _opinion(controller, Spec(model="router-mf-0.1", session="another"))
    assert (first.cached, again.cached, again.strong_win_rate, again.checkpoint) == (False, True, 0.4, "scripted@sha256:0")
    assert scorers.batches == [[PROMPT]]
    assert _lookups(controller) == [1, None, 1]
    assert controller.registry.get_sample_value("pointsman_scoring_seconds_count", {"strategy": "mf"}) == 1


async def test_what_is_clipped_to_the_same_text_is_the_same(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """Each opinion says for itself whether it was clipped."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, own={"max_scored_chars": 256}) as controller:
        opinions = [await _opinion(controller, prompt="x" * length) for length in (256, 257, 300)]
    assert [(each.cached, each.truncated) for each in opinions] == [(False, False), (True, True), (True, True)]


async def test_random_draws_each_time(controller: RunningController, scorers: ScriptedScorers) -> None:
    """A remembered draw would be no draw."""
    draws = iter((0.1, 0.9))
    scorers.rates["random"] = lambda _: next(draws)
    found = [await _opinion(controller, Spec(model="router-random-0.5")) for _ in range(2)]
    assert [each.strong_win_rate for each in found] == [0.1, 0.9]


async def test_another_checkpoint_scores_anew(controller: RunningController, scorers: ScriptedScorers) -> None:
    """As soon as a probe has seen it."""
    await _opinion(controller)
    scorers.checkpoint = "scripted@sha256:1"
    scorers.rates["mf"] = lambda _: 0.7
    async with asyncio.timeout(10):
        while (opinion := await _opinion(controller)).checkpoint != "scripted@sha256:1":
            await asyncio.sleep(0.02)
    assert opinion.strong_win_rate == 0.7


async def test_callers_at_once_share_a_call_and_one_who_leaves_takes_nobody_along(
    controller: RunningController, scorers: ScriptedScorers
) -> None:
    """The first caller's call is the shared one."""
    scorers.delay_s = 0.3
    first = asyncio.ensure_future(route(controller, SPEC))
    while not scorers.batches:
        await asyncio.sleep(0.01)
    others = [asyncio.ensure_future(route(controller, SPEC)) for _ in range(4)]
    await asyncio.sleep(0.05)
    first.cancel()
    answers = await asyncio.gather(*others)
    assert {answer.decision.strong_win_rate for answer in answers} == {0.4}
    assert not any(answer.receipt.opinions[0].cached for answer in answers)
    assert scorers.batches == [[PROMPT]]
    assert _lookups(controller) == [None, 4, 1]


async def test_where_all_have_left_the_call_is_cancelled(controller: RunningController, scorers: ScriptedScorers) -> None:
    """At the scorer too, and the next caller has one of its own."""
    scorers.delay_s = 30
    callers = [asyncio.ensure_future(route(controller, SPEC)) for _ in range(3)]
    while not scorers.batches:
        await asyncio.sleep(0.01)
    for caller in callers:
        caller.cancel()
    while not scorers.cancelled:
        await asyncio.sleep(0.01)
    scorers.delay_s = 0
    assert (await _opinion(controller)).strong_win_rate == 0.4
    assert scorers.batches == [scorers.batches[0]] * 2


@pytest.mark.parametrize("entries", [0, 1])
async def test_its_size_is_a_setting_and_0_turns_it_off(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, entries: int
) -> None:
    """With one entry the latest text is remembered."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, own={"decision_cache": entries}) as controller:
        for prompt in ("a", "a", "b", "a"):
            await _opinion(controller, prompt=prompt)
    assert [text for batch in scorers.batches for text in batch] == (["a", "b", "a"] if entries else ["a", "a", "b", "a"])
