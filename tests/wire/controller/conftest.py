"""Two echoing backends and two scripted strategies behind a real controller."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.backend import ScriptedBackend, echoing, scripted_backend
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers, scripted_scorers


@pytest.fixture
async def strong() -> AsyncIterator[ScriptedBackend]:
    """The strong backend."""
    async with scripted_backend("strong", echoing) as backend:
        yield backend


@pytest.fixture
async def weak() -> AsyncIterator[ScriptedBackend]:
    """The weak backend."""
    async with scripted_backend("weak", echoing) as backend:
        yield backend


@pytest.fixture
async def scorers() -> AsyncIterator[ScriptedScorers]:
    """mf says 0.4 to everything, random a half."""
    async with scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers:
        yield scorers


@pytest.fixture
async def controller(strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers) -> AsyncIterator[RunningController]:
    """All of them together."""
    async with running_controller({"strong": strong.settings, "weak": weak.settings}, scorers.address) as controller:
        yield controller
