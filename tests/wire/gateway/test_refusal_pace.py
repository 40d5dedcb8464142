"""A caller who comes back at once when it is refused is told so again at a pace, and answered at once when it can be."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.service import Gateway, serving
from pointsman.runtime.errors import Overloaded
from pointsman.v1 import route_service_pb2
from tests.wire.gateway.conftest import client_of, settings_for
from tests.wire.gateway.scripted_controller import Context, ScriptedController, plays, sends

PATH = "/v1/chat/completions"


async def _hangs(request: route_service_pb2.RelayRequest, context: Context) -> None:
    await asyncio.Event().wait()


async def _ask(gateway: Gateway, caller: httpx.AsyncClient) -> httpx.Response:
    """On the one connection that the caller keeps."""
    return await caller.post(f"http://127.0.0.1:{gateway.rest_port}{PATH}", content=b"{}")


async def _held(gateway: Gateway) -> int:
    """Refusals that have waited or do."""
    async with client_of(gateway) as another:
        found = re.search(r"^pointsman_gateway_refusals_held_total (\d+)", (await another.get("/metrics")).text, re.MULTILINE)
    assert found
    return int(found[1])


@asynccontextmanager
async def _full(controller: ScriptedController, pause_s: float) -> AsyncIterator[tuple[Gateway, asyncio.Task[httpx.Response]]]:
    """A gateway whose one place is taken, and the request that has it."""
    controller.relay = _hangs
    settings = settings_for(controller.port, max_concurrent=1, refusal_pause_s=pause_s)
    async with serving(settings) as gateway, client_of(gateway) as other:
        first = asyncio.create_task(other.post(PATH, content=b"{}"))
        await controller.running.wait()
        yield gateway, first
        first.cancel()


@pytest.fixture
async def caller() -> AsyncIterator[httpx.AsyncClient]:
    """One that outlives the gateway."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as caller:
        yield caller


async def test_the_second_refusal_in_a_row_waits_and_what_can_be_answered_doesnt(
    controller: ScriptedController, caller: httpx.AsyncClient
) -> None:
    """It is a refusal like the first."""
    async with _full(controller, pause_s=0.4) as (gateway, first):
        began = time.monotonic()
        assert ((await _ask(gateway, caller)).status_code, await _held(gateway)) == (429, 0)
        second = await _ask(gateway, caller)
        assert time.monotonic() - began >= 0.4
        assert (second.status_code, second.headers["retry-after"], second.json()["error"]["code"]) == (429, "1", "overloaded")
        assert await _held(gateway) == 1
        controller.relay = sends([b"{}"])
        first.cancel()
        await controller.cancelled.wait()
        while (await _ask(gateway, caller)).status_code != 200:
            await asyncio.sleep(0.4)
        assert (await _ask(gateway, caller)).status_code == 200


async def test_with_a_pause_of_0_none_waits(controller: ScriptedController, caller: httpx.AsyncClient) -> None:
    """However often a caller asks."""
    async with _full(controller, pause_s=0) as (gateway, _):
        for _ in range(20):
            assert (await _ask(gateway, caller)).status_code == 429
        assert await _held(gateway) == 0


async def test_a_held_refusal_takes_no_place(controller: ScriptedController, caller: httpx.AsyncClient) -> None:
    """Another's request is answered while it waits."""
    async with _full(controller, pause_s=1) as (gateway, first):
        began = time.monotonic()
        await _ask(gateway, caller)
        held = asyncio.create_task(_ask(gateway, caller))
        while await _held(gateway) == 0:
            await asyncio.sleep(0.01)
        controller.relay = sends([b"{}"])
        first.cancel()
        await controller.cancelled.wait()
        status = 429
        while status == 429:
            async with client_of(gateway) as another:
                status = (await _ask(gateway, another)).status_code
        assert status == 200
        assert not held.done() or time.monotonic() - began >= 1
        assert (await held).status_code == 429


async def test_a_gateway_that_stops_tells_those_that_wait(controller: ScriptedController, caller: httpx.AsyncClient) -> None:
    """It waits for them no longer than the pause."""
    async with _full(controller, pause_s=0.3) as (gateway, _):
        await _ask(gateway, caller)
        held = asyncio.create_task(_ask(gateway, caller))
        while await _held(gateway) == 0:
            await asyncio.sleep(0.01)
    assert (await held).status_code == 429


@pytest.mark.parametrize("by_process", [True, False])
async def test_refusals_of_a_controller_are_paced_where_it_is_behind_itself(
    controller: ScriptedController, caller: httpx.AsyncClient, by_process: bool
) -> None:
    """Not those for a scorer's queue, which is of that scorer's requests alone."""
    error = Overloaded("full", retry_after_s=1)
    error.by_process = by_process
    controller.relay = plays(error)
    async with serving(settings_for(controller.port, refusal_pause_s=0.5)) as gateway:
        for _ in range(3):
            assert (await _ask(gateway, caller)).status_code == 429
        assert await _held(gateway) == (2 if by_process else 0)
