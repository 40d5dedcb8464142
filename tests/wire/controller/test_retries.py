"""What is tried again before the first byte, and what never is."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import grpc
import pytest

from pointsman.v1 import route_service_pb2
from tests.support.backend import (
    Script,
    ScriptedBackend,
    answering,
    babbling,
    by_turns,
    cutting,
    echoing,
    hanging,
    hanging_up,
    resetting,
    streaming,
)
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.relaying import body, refused, relayed

_ALONE = {"default": {"strong": "weak", "weak": "weak"}}


def _alone(weak: ScriptedBackend, scorers: ScriptedScorers, **settings: Any) -> Any:
    """A controller with this backend only."""
    own = {"weak": weak.settings.model_copy(update={"backoff_s": 0.01, **settings})}
    return running_controller(own, scorers.address, pairs=_ALONE)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "attempt"),
    [
        (hanging_up, (0, "BACKEND_UNREACHABLE")),
        (resetting, (0, "BACKEND_UNREACHABLE")),
        (answering(429, b"{}"), (429, "BACKEND_RATE_LIMITED")),
        (answering(429, b"{}", retry_after="1"), (429, "BACKEND_RATE_LIMITED")),
        (answering(429, b"{}", retry_after=format_datetime(datetime.now(UTC) - timedelta(hours=1))), (429, "BACKEND_RATE_LIMITED")),
        (answering(503, b"busy"), (503, "BACKEND_FAILED")),
    ],
)
async def test_what_is_safe_is_tried_again(
    weak: ScriptedBackend, scorers: ScriptedScorers, script: Script, attempt: tuple[int, str], stream: bool
) -> None:
    """The caller sees the answer alone, and the receipt each attempt."""
    weak.script = by_turns([script], then=echoing)
    async with _alone(weak, scorers) as controller:
        answer = await relayed(controller, body(stream=stream))
    assert answer.attempts == [("weak", *attempt), ("weak", 200, "")]
    assert (answer.receipt.error, answer.decided) == ("", ("weak", "weak", "comparison"))
    assert [request.body for request in weak.received] == [weak.received[0].body] * 2


async def test_a_refused_connection_is_tried_again(weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """And one whose name nobody knows."""
    for url in ("http://127.0.0.1:1/v1", "http://nowhere.invalid/v1"):
        async with _alone(weak, scorers, base_url=url) as controller:
            reason, facts = await refused(controller, body())
            assert (reason, facts["x-pointsman-tier"]) == ("BACKEND_UNREACHABLE", "weak")
            assert _counted(controller, kind="retry", outcome="backend_unreachable") == 1


async def test_a_retry_after_is_waited_for_where_it_is_short_and_fits_into_the_deadline(
    weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """Else the caller hears of it."""
    weak.script = by_turns([answering(429, b"{}", retry_after="6"), answering(429, b"{}", retry_after="4")], then=echoing)
    async with _alone(weak, scorers) as controller:
        assert (await refused(controller, body()))[1]["retry_after_s"] == "6"
        assert (await refused(controller, body(), timeout=3))[1]["retry_after_s"] == "4"
        assert len(weak.received) == 2


async def test_a_500_is_tried_again_only_where_the_settings_say_so(weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """The backend may have begun to work."""
    for statuses, calls in ((frozenset({429}), 1), (frozenset({500}), 2)):
        weak.received.clear()
        weak.script = by_turns([answering(500, b"oh no")], then=echoing)
        async with _alone(weak, scorers, retry_statuses=statuses) as controller:
            if calls == 1:
                assert (await refused(controller, body()))[0] == "BACKEND_FAILED"
            else:
                assert (await relayed(controller, body())).attempts[0] == ("weak", 500, "BACKEND_FAILED")
        assert len(weak.received) == calls


@pytest.mark.parametrize("script", [answering(400, b"{}"), answering(401, b"{}"), answering(200, b"<html>"), cutting, babbling])
async def test_what_was_answered_is_not_asked_again(weak: ScriptedBackend, scorers: ScriptedScorers, script: Script) -> None:
    """A refusal, a wrong key, nonsense, and half of an answer."""
    weak.script = script
    async with _alone(weak, scorers) as controller:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await relayed(controller, body())
    assert len(weak.received) == 1


async def test_a_stream_that_was_cut_is_never_begun_again(
    controller: RunningController, strong: ScriptedBackend, weak: ScriptedBackend
) -> None:
    """What came stays as it came, an error follows, and no other backend is asked."""
    weak.script = by_turns([streaming([b"data: {}\n\n"], pause_s=0.05, then=hanging_up, complete=False)], then=echoing)
    answer = await relayed(controller, body(stream=True))
    assert answer.kinds == ["started", "bytes", "error", "finished"]
    assert answer.content == b"data: {}\n\n"
    assert answer.attempts == [("weak", 200, "BACKEND_CUT")]
    assert (len(weak.received), len(strong.received)) == (1, 0)


async def test_a_caller_who_went_away_is_not_called_for_again(weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """Neither while a backend is silent nor while a retry waits."""
    weak.script = by_turns([hanging, answering(429, b"{}", retry_after="1")], then=echoing)
    async with _alone(weak, scorers) as controller:
        for calls in (1, 2):
            call: Any = controller.stub.Relay(route_service_pb2.RelayRequest(endpoint="chat/completions", body=body()))
            while len(weak.received) < calls:
                await asyncio.sleep(0.01)
            call.cancel()
            while controller.registry.get_sample_value("pointsman_requests_in_progress"):
                await asyncio.sleep(0.01)
        await asyncio.sleep(1.1)
    assert len(weak.received) == 2


async def test_retries_never_outlast_the_callers_deadline(weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """However many are allowed: none begins that couldn't end in time, and one that hangs ends with the deadline."""
    settings = {"retries": 10, "backoff_s": 0.1, "max_backoff_s": 0.2}
    async with _alone(weak, scorers, **settings, breaker=None) as controller:
        weak.script = answering(503, b"busy")
        reason, _ = await refused(controller, body(), timeout=0.5)
        assert reason in ("BACKEND_FAILED", "DEADLINE_EXCEEDED")
        weak.script = by_turns([answering(503, b"busy")], then=hanging)
        assert (await refused(controller, body(), timeout=0.5))[0] == "DEADLINE_EXCEEDED"
        await weak.gone.wait()


async def test_a_first_byte_timeout_is_each_attempts_own(weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """A retry that hangs gets its whole time, and a timeout isn't tried again."""
    weak.script = by_turns([hanging_up], then=hanging)
    async with _alone(weak, scorers, retries=5, first_byte_timeout_s=0.2) as controller:
        assert (await refused(controller, body()))[0] == "BACKEND_TIMEOUT"
    assert len(weak.received) == 2


async def test_an_outage_is_not_multiplied(weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """Fifty requests of which each may be retried ten times: ten retries, and a fifth of the requests more."""
    weak.script = hanging_up
    async with _alone(weak, scorers, retries=10, breaker=None, max_backoff_s=0.01) as controller:
        for _ in range(50):
            await refused(controller, body())
        assert _counted(controller, kind="first", outcome="backend_unreachable") == 50
        assert _counted(controller, kind="retry", outcome="backend_unreachable") == 19
    assert len(weak.received) == 69


def _counted(controller: RunningController, **labels: str) -> float | None:
    return controller.registry.get_sample_value("pointsman_backend_attempts_total", {"backend": "weak", **labels})
