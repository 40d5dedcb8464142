"""Two authorities: ours, and one that nobody here trusts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.wire.gateway.scripted_controller import ScriptedController, controller_on


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """Whom servers and clients trust."""
    return Authority(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Authority:
    """Another one."""
    return Authority(tmp_path / "theirs")


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedController]:
    """A controller in plain text."""
    async with controller_on(ScriptedController()) as controller:
        yield controller
