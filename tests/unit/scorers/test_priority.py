"""How far a replica's model gives way."""

from __future__ import annotations

import os

import psutil
import pytest

from pointsman.runtime.settings import StrategySettings
from scorers.registry import ROUTERS, router_class
from scorers.replica import ScorerReplica


def _threads() -> set[int]:
    return {thread.id for thread in psutil.Process().threads()}


@pytest.mark.parametrize(("said", "steps"), [(None, 7), (3, 3), (0, 0)])
async def test_a_replicas_model_gives_way_as_the_settings_say_else_as_its_strategy_does(said: int | None, steps: int) -> None:
    own, before = os.getpriority(os.PRIO_PROCESS, 0), _threads()
    replica = ScorerReplica("random")
    await replica.reconfigure(StrategySettings(nice=said).model_dump(mode="json"))
    try:
        assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in _threads() - before} == {own + steps}
    finally:
        await replica._ready().close()


def test_the_slowest_strategy_gives_way_least() -> None:
    """Whoever asks all of them waits for it."""
    assert {name for name in ROUTERS if router_class(name).nice == 0} == {"causal_llm"}
