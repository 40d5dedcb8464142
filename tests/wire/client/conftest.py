"""A scripted RouteService on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.wire.client.callers import AsyncCaller, Caller, SyncCaller
from tests.wire.client.scripted import ScriptedRouteService, serve


@pytest.fixture
def service() -> ScriptedRouteService:
    """What the server does; a test scripts it."""
    return ScriptedRouteService()


@pytest.fixture
async def address(service: ScriptedRouteService) -> AsyncIterator[str]:
    """Where it listens."""
    async with serve(service) as listening:
        yield listening


@pytest.fixture(params=[SyncCaller, AsyncCaller], ids=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """Each of the two clients in turn."""
    made: Caller = request.param()
    return made
