"""The gateway before a real controller that asks who calls: certificates, tokens, and what callers hear when it is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from structlog.testing import capture_logs

from gateway.service import Gateway, serving
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, calibration_pb2, route_service_pb2, route_service_pb2_grpc, routing_pb2
from tests.support.backend import echoing, scripted_backend
from tests.support.certificates import Authority
from tests.support.controllers import running_controller
from tests.support.gateways import gateway_before
from tests.support.scorers import scripted_scorers
from tests.wire.tls.connecting import grpc_channel

TOKEN, OTHER = "canary-token-of-the-gateway", "canary-token-of-somebody-else"
PROMPT = "canary-prompt"
Calibrate = admin_service_pb2.CalibrateRequest


@asynccontextmanager
async def product(own: Mapping[str, Any], records: Path = Path("none"), **gateway: Any) -> AsyncIterator[Gateway]:
    """A gateway, a controller and a backend; `own` is the controller's."""
    backend: Any
    controller: Any
    async with (
        scripted_backend("weak", echoing) as backend,
        scripted_scorers({"mf": lambda prompt: len(prompt.text) % 100 / 100, "random": lambda _: 0.5}) as scorers,
        running_controller(
            {"strong": backend.settings, "weak": backend.settings}, scorers.address, ready=False, own=own, records_dir=records
        ) as controller,
        serving(gateway_before(controller.address, **gateway)) as running,
    ):
        yield running


async def chat(gateway: Gateway) -> httpx.Response:
    """One question by REST, in plain text."""
    body = {"model": "router-random-0", "messages": [{"role": "user", "content": PROMPT}]}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=30, trust_env=False) as client:
        return await client.post("/v1/chat/completions", content=json.dumps(body))


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The controller's token in a file."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


async def test_a_gateway_with_token_and_certificate_is_let_in(tmp_path: Path, token: Path) -> None:
    """And its callers notice nothing."""
    ours = Authority(tmp_path / "ours")
    own = {"tls": ours.server("required"), "token_file": token}
    with capture_logs() as logs:
        async with product(own, controller_tls=ours.client("gateway.example"), controller_token_file=token) as gateway:
            answer = await chat(gateway)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == PROMPT
    assert "canary" not in str(logs)


@pytest.mark.parametrize("sent", [None, OTHER])
async def test_a_gateway_that_is_refused_tells_its_callers_so_and_not_that_they_are(tmp_path: Path, token: Path, sent: str | None) -> None:
    """503, since the caller's own credentials are in order; on gRPC UNAVAILABLE; and the log says it, without the token."""
    wrong = tmp_path / "wrong"
    wrong.write_text(OTHER)
    gateway_settings = {"controller_token_file": wrong} if sent else {}
    with capture_logs() as logs:
        async with product({"token_file": token}, **gateway_settings) as gateway:
            answer = await chat(gateway)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await route_service_pb2_grpc.RouteServiceStub(channel).Route(route_service_pb2.RouteRequest(prompt=PROMPT))
            if sent:
                # Read again without a restart.
                wrong.write_text(TOKEN)
                assert (await chat(gateway)).status_code == 200
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert "refuses the gateway's own credentials" in answer.json()["error"]["message"]
    assert (caught.value.code(), error_info(status_of(caught.value)).reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert [entry["event"] for entry in logs].count("the controller refuses this gateway's credentials") == 1
    assert "canary" not in str(logs)


async def test_a_gateway_that_doesnt_trust_the_controller_or_isnt_trusted_doesnt_reach_it(tmp_path: Path) -> None:
    """Another authority on either side, or no certificate: 503, and the log says why."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    impostor = ours.client().model_copy(update=dict(zip(("cert_file", "key_file"), theirs.write(theirs.issue("gw")), strict=True)))
    for link in (theirs.client(), ours.client(), impostor):
        with capture_logs() as logs:
            async with product({"tls": ours.server("required")}, controller_tls=link) as gateway:
                assert (await chat(gateway)).status_code == 503
        assert "the controller can't be reached" in [entry["event"] for entry in logs]


async def test_admin_service_passes_at_the_edge_for_callers_with_a_certificate(tmp_path: Path, token: Path) -> None:
    """Calls of one message and of a stream of them, with the gateway's token, and errors in the controller's words."""
    ours = Authority(tmp_path / "ours")
    mine = ours.write(ours.issue("operator.example"), "operator")
    async with (
        product({"token_file": token}, tmp_path, controller_token_file=token, admin=True, tls=ours.server("required")) as gateway,
        grpc_channel(gateway.grpc_port, ours, mine) as channel,
    ):
        stub: Any = admin_service_pb2_grpc.AdminServiceStub(channel)
        assert (await stub.Pin(admin_service_pb2.PinRequest(tier=routing_pb2.TIER_WEAK))).tier == routing_pb2.TIER_WEAK
        assert (await stub.Stats(admin_service_pb2.StatsRequest())).uptime.ToTimedelta().total_seconds() > 0
        target = calibration_pb2.CalibratedThreshold(strong_share=0.5)
        examples = [Calibrate(example=Calibrate.Example(prompt=PROMPT + "x" * n)) for n in range(300)]
        start = Calibrate(start=Calibrate.Start(strategy="mf", targets=[target]))
        assert (await stub.Calibrate(iter([start, *examples]))).calibration.sample_size == 300
        start.start.strategy = "nope"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Calibrate(iter([start, *examples]))
        assert error_info(status_of(caught.value)).reason == "UNKNOWN_STRATEGY"


async def test_admin_service_is_refused_to_callers_whom_the_gateway_doesnt_know(tmp_path: Path) -> None:
    """With TLS that asks for no certificate as without; and where it isn't let through at all, it doesn't exist."""
    ours = Authority(tmp_path / "ours")
    for settings, reason in (
        ({"admin": True}, "PERMISSION_DENIED"),
        ({"admin": True, "tls": ours.server("optional")}, "PERMISSION_DENIED"),
        ({"tls": ours.server()}, "UNIMPLEMENTED"),
    ):
        async with product({}, **settings) as gateway:
            plain = grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}")
            async with grpc_channel(gateway.grpc_port, ours) if "tls" in settings else plain as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await admin_service_pb2_grpc.AdminServiceStub(channel).Stats(admin_service_pb2.StatsRequest())
        assert error_info(status_of(caught.value)).reason == reason
