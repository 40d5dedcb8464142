"""Backends that fail, hang or break off, and callers who go away: a typed error, never half an answer."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from pointsman.runtime.error_forms import error_info
from pointsman.v1 import route_service_pb2
from tests.support.backend import Script, ScriptedBackend, answering, cutting, hanging, hanging_up, streaming
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.relaying import body, bytes_of, refused, relay


@pytest.mark.parametrize(
    ("script", "reason", "http_status"),
    [
        (answering(401, b"{}"), "BACKEND_AUTH", "502"),
        (answering(403, b"{}"), "BACKEND_AUTH", "502"),
        (answering(429, b"{}", retry_after="7"), "BACKEND_RATE_LIMITED", "429"),
        (answering(429, b"{}", retry_after="Mon, 01 Jan 99999999999999999999 00:00:00 GMT"), "BACKEND_RATE_LIMITED", "429"),
        (answering(500, b"oh no"), "BACKEND_FAILED", "502"),
        (answering(503, b"oh no"), "BACKEND_FAILED", "502"),
        (answering(302, b"", location="http://127.0.0.1:1/"), "BACKEND_FAILED", "502"),
        (answering(200, b"<html>hi</html>", "text/html"), "BACKEND_FAILED", "502"),
        (answering(200, b'{"id": ', "application/json"), "BACKEND_FAILED", "502"),
        (answering(200, b"x" * 4096, "application/json"), "BACKEND_FAILED", "502"),
        (cutting, "BACKEND_CUT", "502"),
        (hanging_up, "BACKEND_UNREACHABLE", "502"),
    ],
)
async def test_a_failing_backend_is_a_typed_error(
    scorers: ScriptedScorers, weak: ScriptedBackend, script: Script, reason: str, http_status: str
) -> None:
    """Never half an answer, and the next request works."""
    sound, weak.script = weak.script, script
    pairs = {"default": {"strong": "weak", "weak": "weak"}}
    async with running_controller({"weak": weak.settings}, scorers.address, pairs=pairs) as controller:
        told, metadata = await refused(controller, body())
        assert (told, metadata["http_status"], metadata["backend"]) == (reason, http_status, "weak")
        if reason == "BACKEND_RATE_LIMITED":
            assert metadata["retry_after_s"] in ("7", "1")  # 1 where the backend's own word is nonsense
        weak.script = sound
        assert bytes_of(await relay(controller, body()))


async def test_a_backend_that_is_not_there_is_unreachable(scorers: ScriptedScorers, weak: ScriptedBackend) -> None:
    """Connection refused, told apart from a slow one."""
    gone = weak.settings.model_copy(update={"base_url": "http://127.0.0.1:1/v1"})
    async with running_controller({"strong": gone, "weak": gone}, scorers.address) as controller:
        reason, facts = await refused(controller, body())
        assert (facts["code"], reason) == ("UNAVAILABLE", "BACKEND_UNREACHABLE")


async def test_a_hanging_backend_is_a_timeout_by_its_own_limit(scorers: ScriptedScorers, weak: ScriptedBackend) -> None:
    """The first byte has a limit of its own, and the connection is given up."""
    weak.script = hanging
    slow = weak.settings.model_copy(update={"first_byte_timeout_s": 0.2})
    async with running_controller({"strong": slow, "weak": slow}, scorers.address) as controller:
        reason, facts = await refused(controller, body())
        assert (facts["code"], reason) == ("DEADLINE_EXCEEDED", "BACKEND_TIMEOUT")
    await weak.gone.wait()


async def test_a_callers_deadline_ends_the_backends_call(controller: RunningController, weak: ScriptedBackend) -> None:
    """The caller hears DEADLINE_EXCEEDED and the backend is hung up on."""
    weak.script = hanging
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await relay(controller, body(), timeout=0.5)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await weak.gone.wait()


@pytest.mark.parametrize("script", [hanging_up, None])
async def test_a_stream_that_breaks_off_ends_with_an_error_and_a_receipt(
    scorers: ScriptedScorers, weak: ScriptedBackend, script: Script | None
) -> None:
    """What came before stands; nothing is spliced on, whether the backend hung up or fell silent."""
    weak.script = streaming([b"data: {}\n\n"], pause_s=0.05, then=script or hanging, complete=False)
    backend = weak.settings.model_copy(update={"idle_timeout_s": 0.2})
    async with running_controller({"strong": backend, "weak": backend}, scorers.address) as controller:
        events = await relay(controller, body(stream=True))
        assert [event.WhichOneof("event") for event in events] == ["started", "bytes", "error", "finished"]
        reason = "BACKEND_CUT" if script else "BACKEND_TIMEOUT"
        assert error_info(events[2].error).reason == reason
        assert events[3].finished.receipt.error == reason


async def test_a_caller_who_goes_away_mid_stream_hangs_up_on_the_backend(controller: RunningController, weak: ScriptedBackend) -> None:
    """Nobody pays for tokens that nobody reads; the request is accounted as cancelled."""
    weak.script = streaming([b"data: {}\n\n"], then=hanging)
    call: Any = controller.stub.Relay(route_service_pb2.RelayRequest(endpoint="chat/completions", body=body(stream=True)))
    assert (await call.read()).WhichOneof("event") == "started"
    assert (await call.read()).bytes
    call.cancel()
    await weak.gone.wait()
    labels = {"call": "chat", "pair": "default", "strategy": "mf", "tier": "weak", "reason": "comparison", "error": "CANCELLED"}
    while controller.registry.get_sample_value("pointsman_requests_total", labels) != 1.0:
        await asyncio.sleep(0.01)
    assert controller.registry.get_sample_value("pointsman_requests_in_progress") == 0
