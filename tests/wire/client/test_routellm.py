"""RouteLLM's Controller where no answer is asked for: openai isn't needed. The rest: tests/wire/pass_through/test_routellm.py."""

from __future__ import annotations

import asyncio
from typing import Any

import pandas as pd
import pytest

from pointsman.client import RouteError
from pointsman.routellm import Controller, RoutingError
from pointsman.runtime.errors import InvalidRequest
from tests.wire.client.scripted import ScriptedRouteService

_NAMES: Any = {"strong_model": "gpt-4", "weak_model": "mixtral"}


async def test_a_series_keeps_its_index_and_many_prompts_go_in_several_calls(service: ScriptedRouteService, address: str) -> None:
    """At most 1,024 in one; a list gives a list, and a failure is the service's."""
    controller = await asyncio.to_thread(lambda: Controller(["mf"], **_NAMES, address=address))
    prompts = pd.Series([f"canary {n}" for n in range(1500)], index=range(10, 1510))
    rates = await asyncio.to_thread(controller.batch_calculate_win_rate, prompts, "mf")
    assert isinstance(rates, pd.Series)
    assert rates.index.equals(prompts.index)
    assert set(rates) == {0.625}
    assert [len(request.prompts) for request in service.requests if hasattr(request, "prompts")] == [1024, 476]
    assert await asyncio.to_thread(controller.batch_calculate_win_rate, ["canary"], "mf") == [0.625]
    assert await asyncio.to_thread(controller.route, "canary", "mf", 0.5) == "gpt-4"
    service.failures = [InvalidRequest("Not so.")]
    with pytest.raises(RouteError, match="Not so"):
        await asyncio.to_thread(controller.batch_calculate_win_rate, ["canary"], "mf")


async def test_a_router_that_the_service_doesnt_run_is_refused_at_once(address: str) -> None:
    """As RouteLLM refuses one that it can't load; its config is ignored, and that is said."""
    with pytest.raises(RoutingError, match="Invalid router nonsense"):
        await asyncio.to_thread(lambda: Controller(["nonsense"], **_NAMES, address=address))
    with pytest.warns(UserWarning, match="config is ignored"):
        await asyncio.to_thread(lambda: Controller(["mf"], **_NAMES, config={"mf": {}}, address=address))
