"""The watch over a cluster, by one that isn't Ray."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from pointsman.runtime.settings import Settings, StrategySettings
from scorers.reload import Change
from scorers.watch import RayDied, State, watch


@dataclass
class Starting:
    """A strategy that is asked about every quarter of a second."""

    ready: bool = False
    failure: str = ""


@dataclass
class Cluster:
    """Answers as it is told, and dies once it has been looked at so often."""

    answer: Callable[[], Mapping[str, State]]
    looks: int
    asked_by: list[int] = field(default_factory=list)

    def states(self) -> Mapping[str, State]:
        """Remembers the thread that asks."""
        self.asked_by.append(threading.get_ident())
        return self.answer()

    def dead(self) -> str:
        """Empty for as many looks as it has."""
        self.looks -= 1
        return "" if self.looks >= 0 else "raylet"

    def deploy(self, strategies: Mapping[str, StrategySettings]) -> Change:
        """Nothing asks for it here."""
        raise NotImplementedError


async def _watched(cluster: Cluster) -> None:
    settings = Settings.model_validate({"strategies": {"random": {}}})
    async with asyncio.timeout(20):
        await watch(cluster, settings, time.monotonic(), lambda: settings)


async def test_all_questions_are_one_threads() -> None:
    """Which isn't the event loop's."""
    cluster = Cluster(lambda: {"random": Starting()}, looks=4)
    with pytest.raises(RayDied, match="raylet"):
        await _watched(cluster)
    assert len(cluster.asked_by) == 4
    assert len(set(cluster.asked_by) | {threading.get_ident()}) == 2


async def test_an_error_is_an_answer_and_the_next_question_is_asked() -> None:
    """Ray restarts its controller by itself."""

    def lost() -> Mapping[str, State]:
        raise ConnectionError

    cluster = Cluster(lost, looks=3)
    with pytest.raises(RayDied, match="raylet"):
        await _watched(cluster)
    assert len(cluster.asked_by) == 3


async def test_a_question_without_an_answer_hides_no_death() -> None:
    """Nor is another one asked meanwhile."""
    answered = threading.Event()

    def never() -> Mapping[str, State]:
        answered.wait()
        return {}

    cluster = Cluster(never, looks=4)
    with pytest.raises(RayDied, match="raylet"):
        await _watched(cluster)
    assert len(cluster.asked_by) == 1
    answered.set()
