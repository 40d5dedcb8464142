"""What a request leaves is gone with it: garbage in circles waits for the collector, and the process grows until that comes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import grpc
import pytest

from controller.plan import Plans
from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.lifecycle import settle
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.backend import ScriptedBackend, answering
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers

CALLS = 10


@contextmanager
def found() -> Iterator[Counter[str]]:
    """Counts what the collector would have had to find, by type and, of frames, by function; filled in at the end."""
    counts: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    before = gc.get_debug()
    try:
        yield counts
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        for each in gc.garbage:
            counts[each.f_code.co_qualname if isinstance(each, FrameType) else type(each).__name__] += 1
            counts["errors of ours"] += isinstance(each, PointsmanError)
    finally:
        gc.set_debug(before)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    ("model", "code"),
    [
        pytest.param("router-mf-2", grpc.StatusCode.INVALID_ARGUMENT, id="a wrong model"),
        pytest.param("router-mf-0.5", grpc.StatusCode.UNAVAILABLE, id="no backend"),
    ],
)
async def test_a_call_that_fails_leaves_no_frames(
    controller: RunningController, strong: ScriptedBackend, weak: ScriptedBackend, model: str, code: grpc.StatusCode
) -> None:
    """An error's traceback holds frames, and whichever of them holds the error, or gRPC's call, holds them all."""
    strong.script = weak.script = answering(500, b"no")
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "canary"}}]}}'.encode()
    request = route_service_pb2.RelayWholeRequest(relay=route_service_pb2.RelayRequest(endpoint="chat/completions", body=body))

    async def failed() -> grpc.StatusCode:
        async with grpc.aio.insecure_channel(controller.address) as channel:
            try:
                await route_service_pb2_grpc.RouteServiceStub(channel).RelayWhole(request, timeout=10)
            except grpc.aio.AioRpcError as error:
                return error.code()
        return grpc.StatusCode.OK

    assert await failed() is code
    with found() as garbage:
        for _ in range(CALLS):
            assert await failed() is code
        await asyncio.sleep(0.1)
    # Not none: one call may still be on its way out.
    assert garbage["errors of ours"] < CALLS / 2
    assert garbage["answers_errors.<locals>.wrapped"] < CALLS / 2


async def test_a_call_that_is_refused_for_load_leaves_no_frames(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """An overload would fill the memory with them."""
    backends, own = {"strong": strong.settings, "weak": weak.settings}, {"max_lag_s": 1e-9, "max_lag_above": 0}
    async with running_controller(backends, scorers.address, own=own) as controller:

        async def refused() -> bool:
            try:
                await controller.stub.Route(route_service_pb2.RouteRequest(prompt="canary"))
            except grpc.aio.AioRpcError as error:
                return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            return False

        while controller.registry.get_sample_value("pointsman_shed_share") != 0.95:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await controller.stub.Route(route_service_pb2.RouteRequest(prompt="canary"))
        with found() as garbage:
            assert sum([await refused() for _ in range(3 * CALLS)]) > CALLS
            await asyncio.sleep(0.1)
    assert garbage["_refusing.<locals>.refuse"] < CALLS / 2


async def test_settings_that_are_replaced_are_gone(controller: RunningController) -> None:
    """With the plans that were made by them."""
    with found() as garbage:
        for _ in range(CALLS):
            await controller.reload(controller.settings.model_copy(deep=True))
    assert garbage[Plans.__name__] < CALLS / 2
    assert garbage["Settings"] < CALLS / 2


def test_the_oldest_are_looked_through_again_though_little_has_come_since() -> None:
    """By default not before a fourth has been added to all that was there when the service had settled: hours, where little is asked."""
    before = gc.get_threshold()
    try:
        settle()
        gc.set_threshold(50, 1, 1)
        looked = gc.get_stats()[2]["collections"]
        kept: list[list[int]] = [[] for _ in range(2000)]
        assert gc.get_stats()[2]["collections"] > looked
        assert len(kept) < gc.get_freeze_count() / 4
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_who_keeps_what_it_makes_looks_more_rarely() -> None:
    """A load generator's samples aren't garbage."""
    before = gc.get_threshold()
    try:
        settle()
        served, *older = gc.get_threshold()
        settle(hoards=True)
        assert gc.get_threshold() == (10 * served, *older)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
