"""Who is known by a client certificate, and who may call AdminService at the edge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from gateway.service import Gateway
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, route_service_pb2, route_service_pb2_grpc
from tests.support.certificates import Authority
from tests.support.controllers import RunningController
from tests.wire.identity.asking import BODY
from tests.wire.identity.conftest import Serve, write_keys
from tests.wire.tls.connecting import Files, grpc_channel


async def _rest(gateway: Gateway, trusted: Authority, own: Files | None, key: str) -> str:
    """The status of a chat request; `refused` where the connection doesn't get so far."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(verify=trusted.context(own), trust_env=False, timeout=20) as client:
        try:
            answer = await client.post(f"https://127.0.0.1:{gateway.rest_port}/v1/chat/completions", json=BODY, headers=headers)
        except httpx.TransportError:
            return "refused"
    return str(answer.status_code)


async def _grpc(gateway: Gateway, trusted: Authority, own: Files | None, key: str) -> str:
    """The same in HTTP's words."""
    request = route_service_pb2.ChatCompletionRequest(body=json.dumps(BODY).encode())
    async with grpc_channel(gateway.grpc_port, trusted, own) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        try:
            await stub.ChatCompletion(request, timeout=20, metadata=(("authorization", f"Bearer {key}"),) if key else ())
        except grpc.aio.AioRpcError as error:
            return {"UNAUTHENTICATED": "401", "UNAVAILABLE": "refused"}.get(error.code().name, error.code().name)
    return "200"


@pytest.mark.parametrize("ask", [_rest, _grpc], ids=["rest", "grpc"])
async def test_a_certificates_name_is_a_caller(
    serve: Serve, keys_file: Path, tmp_path: Path, controller: RunningController, ask: Any
) -> None:
    """A key counts before it; a name that no entry has needs a key; a certificate of another authority gets no connection."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    bot, stranger = ours.write(ours.issue("bot.internal"), "bot"), ours.write(ours.issue("stranger.internal"), "stranger")
    forged = theirs.write(theirs.issue("bot.internal"), "forged")
    write_keys(keys_file, {"bot": {"keys": [], "certificates": ["bot.internal"]}, "alice": {"keys": ["key-of-alice"]}})
    async with serve(tls=ours.server("required")) as gateway:
        asked = [(bot, ""), (bot, "key-of-alice"), (bot, "wrong"), (stranger, ""), (stranger, "key-of-alice"), (forged, "key-of-alice")]
        assert [await ask(gateway, ours, *each) for each in asked] == ["200", "200", "401", "401", "200", "refused"]
    callers = {
        sample.labels["caller"]: sample.value
        for family in controller.registry.collect()
        for sample in family.samples
        if sample.name == "pointsman_caller_requests_total"
    }
    assert callers == {"bot": 1, "alice": 2}


async def test_admin_service_at_the_edge_is_for_operators_keys(serve: Serve, keys_file: Path) -> None:
    """Without a key nobody, and with another one neither."""
    write_keys(keys_file, {"alice": {"keys": ["key-of-alice"]}, "ops": {"keys": ["key-of-ops"], "admin": True}})
    async with serve(admin=True) as gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        stub: Any = admin_service_pb2_grpc.AdminServiceStub(channel)
        for key, code in (("", "UNAUTHENTICATED"), ("wrong", "UNAUTHENTICATED"), ("key-of-alice", "PERMISSION_DENIED")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Stats(admin_service_pb2.StatsRequest(), metadata=(("authorization", f"Bearer {key}"),))
            assert caught.value.code().name == code
        stats = await stub.Stats(admin_service_pb2.StatsRequest(), metadata=(("authorization", "Bearer key-of-ops"),))
        assert stats.uptime.ToTimedelta().total_seconds() > 0
