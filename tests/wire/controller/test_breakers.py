"""A backend that keeps failing isn't called for a while, and comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import pytest

from pointsman.runtime.backend_settings import BackendSettings, BreakerSettings
from tests.support.backend import Script, ScriptedBackend, answering, echoing, hanging, hanging_up, streaming
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.relaying import body, refused, relayed

_CLOSED, _OPEN = 0, 2


def _state(controller: RunningController) -> float | None:
    return controller.registry.get_sample_value("pointsman_backend_breaker", {"backend": "weak"})


def _controller(scorers: ScriptedScorers, weak: ScriptedBackend, strong: ScriptedBackend | None = None, **breaker: float) -> Any:
    """Three failures in a row open weak's breaker for 0.3 s; strong is the other tier where there is one."""
    settings = weak.settings.model_dump() | {"retries": 0, "breaker": {"failures": 3, "open_s": 0.3, **breaker}}
    other = {"strong": strong.settings} if strong else {}
    pairs = {"default": {"strong": "strong" if strong else "weak", "weak": "weak"}}
    own = {"fallback_to_strong_cap": 1}
    return running_controller({"weak": BackendSettings.model_validate(settings), **other}, scorers.address, own=own, pairs=pairs)


@pytest.mark.parametrize("stream", [False, True])
async def test_it_opens_spares_the_backend_and_closes_by_itself(
    scorers: ScriptedScorers, weak: ScriptedBackend, strong: ScriptedBackend, capsys: pytest.CaptureFixture[str], stream: bool
) -> None:
    """Meanwhile strong answers at once; the metric, the receipt and the log say so."""
    weak.script = answering(500, b"no")
    async with _controller(scorers, weak, strong) as controller:
        assert _state(controller) == _CLOSED
        for _ in range(3):
            assert (await relayed(controller, body(stream=stream))).attempts[0] == ("weak", 500, "BACKEND_FAILED")
        assert _state(controller) == _OPEN
        answer = await relayed(controller, body(stream=stream))
        assert answer.attempts == [("weak", 0, "BREAKER_OPEN"), ("strong", 200, "")]
        assert answer.decided == ("strong", "strong", "backend_fallback")
        assert len(weak.received) == 3
        weak.script = echoing
        await asyncio.sleep(0.3)
        assert (await relayed(controller, body(stream=stream))).decided == ("weak", "weak", "comparison")
        assert _state(controller) == _CLOSED
    changes = [line for line in capsys.readouterr().out.splitlines() if "breaker  " in line]
    assert [line.split("state=")[1] for line in changes] == ["open", "half_open", "closed"]


async def test_without_another_backend_the_caller_hears_when_to_come_back(scorers: ScriptedScorers, weak: ScriptedBackend) -> None:
    """BACKEND_UNREACHABLE, without a call."""
    weak.script = hanging_up
    async with _controller(scorers, weak, open_s=60) as controller:
        for _ in range(3):
            await refused(controller, body())
        reason, facts = await refused(controller, body())
        assert (reason, facts["code"], facts["http_status"]) == ("BACKEND_UNREACHABLE", "UNAVAILABLE", "502")
        assert 50 < float(facts["retry_after_s"]) <= 60
    assert len(weak.received) == 3


async def test_a_breaker_that_opens_ends_the_retries(scorers: ScriptedScorers, weak: ScriptedBackend) -> None:
    """The error is what the backend said, not that it was spared."""
    weak.script = answering(503, b"no")
    settings = weak.settings.model_copy(update={"retries": 5, "backoff_s": 0.01, "breaker": BreakerSettings(failures=2)})
    async with running_controller({"weak": settings}, scorers.address, pairs={"default": {"strong": "weak", "weak": "weak"}}) as controller:
        assert (await refused(controller, body()))[0] == "BACKEND_FAILED"
    assert len(weak.received) == 2


async def test_one_request_at_a_time_tries_a_backend_that_may_be_back(
    scorers: ScriptedScorers, weak: ScriptedBackend, strong: ScriptedBackend
) -> None:
    """The others go on falling back; a caller who gives up on the probe leaves its place to the next."""
    weak.script = hanging_up
    async with _controller(scorers, weak, strong, open_s=1) as controller:
        for _ in range(3):
            await relayed(controller, body())
        await asyncio.sleep(1)
        weak.script = hanging
        probe = asyncio.create_task(relayed(controller, body()))
        while len(weak.received) < 4:
            await asyncio.sleep(0.01)
        answers = await asyncio.gather(*(relayed(controller, body()) for _ in range(5)))
        assert {answer.attempts[0][2] for answer in answers} == {"BREAKER_OPEN"}
        probe.cancel()
        while controller.registry.get_sample_value("pointsman_requests_in_progress"):
            await asyncio.sleep(0.01)
        weak.script = echoing
        assert (await relayed(controller, body())).decided == ("weak", "weak", "comparison")


@pytest.mark.parametrize("script", [answering(200, b"<html>"), streaming([b"data: {}\n\n"], pause_s=0.02, then=hanging_up, complete=False)])
async def test_answers_that_break_off_open_it_too(
    scorers: ScriptedScorers, weak: ScriptedBackend, strong: ScriptedBackend, script: Script
) -> None:
    """A backend that begins every answer and ends none isn't sound."""
    weak.script = script
    async with _controller(scorers, weak, strong, min_requests=4, open_s=60) as controller:
        for _ in range(4):
            with contextlib.suppress(grpc.aio.AioRpcError):  # what was whole is an error, and a stream ends with an error event
                await relayed(controller, body(stream=True))
        assert _state(controller) == _OPEN


@pytest.mark.parametrize("script", [answering(429, b"{}"), answering(401, b"{}"), answering(400, b"{}"), answering(415, b"{}")])
async def test_refusals_are_the_answers_of_a_sound_backend(
    scorers: ScriptedScorers, weak: ScriptedBackend, strong: ScriptedBackend, script: Script
) -> None:
    """Callers' mistakes, limits and keys don't open it."""
    weak.script = script
    async with _controller(scorers, weak, strong) as controller:
        for _ in range(6):
            await relayed(controller, body())
        assert _state(controller) == _CLOSED
    assert len(weak.received) == 6


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_a_backend_that_hangs_opens_it_before_its_timeout(
    scorers: ScriptedScorers, weak: ScriptedBackend, strong: ScriptedBackend, hangs_up: bool
) -> None:
    """Where callers wait `slow_s` or longer, by their deadline or by hanging up; those who wait less don't."""
    weak.script = hanging
    async with _controller(scorers, weak, strong, slow_s=0.3) as controller:

        async def give_up(after_s: float) -> None:
            call = asyncio.create_task(relayed(controller, body(), timeout=60 if hangs_up else after_s))
            with contextlib.suppress(TimeoutError, grpc.aio.AioRpcError):
                await asyncio.wait_for(call, after_s if hangs_up else None)

        await asyncio.gather(*(give_up(0.05) for _ in range(6)))
        while controller.registry.get_sample_value("pointsman_requests_in_progress"):
            await asyncio.sleep(0.01)
        assert _state(controller) == _CLOSED
        await asyncio.gather(*(give_up(0.4) for _ in range(3)))
        while _state(controller) == _CLOSED:
            await asyncio.sleep(0.01)
        assert (await relayed(controller, body())).decided == ("strong", "strong", "backend_fallback")
