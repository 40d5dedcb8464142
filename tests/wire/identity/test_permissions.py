"""What a key may use, from the gateway's keys file to the controller that enforces it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from gateway.service import Gateway, serving
from pointsman.runtime.callers import CALLER_KEY
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, caller_pb2, route_service_pb2_grpc, routing_pb2
from pointsman.v1 import route_service_pb2 as pb
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController
from tests.wire.gateway.conftest import settings_for
from tests.wire.gateway.scripted_controller import ScriptedController, controller_on
from tests.wire.identity.asking import Grpc, Rest
from tests.wire.identity.conftest import Protocol, Serve, write_keys

KEY = "key-of-alice"
BEARER = (("authorization", f"Bearer {KEY}"),)


@pytest.mark.parametrize(
    ("allowed", "asked", "message"),
    [
        ({"strategies": ["mf"]}, {"model": "router-mf-1"}, ""),
        ({"strategies": ["mf"]}, {"model": "router-random-1"}, "Of the strategies this key may use: mf."),
        ({"strategies": ["mf"]}, {"model": "router-mf+random-1"}, "Of the strategies this key may use: mf."),
        ({"pairs": ["other"]}, {"pair": "other"}, ""),
        ({"pairs": ["other"]}, {}, "Of the pairs this key may use: other."),
        ({"backends": ["weak"]}, {"model": "weak"}, ""),
        ({"backends": ["weak"]}, {"model": "strong"}, "Of the backends this key may use: weak."),
        ({"pin_tier": True}, {"tier": "strong"}, ""),
        ({}, {"tier": "strong"}, "This key may not pin its requests to a tier; leave the tier out."),
        ({}, {}, ""),
    ],
    ids=str,
)
async def test_a_key_uses_what_its_lists_allow(
    serve: Serve,
    keys_file: Path,
    protocol: Protocol,
    backend: ScriptedBackend,
    allowed: dict[str, Any],
    asked: dict[str, str],
    message: str,
) -> None:
    """Anything else is a 403 that says what it may, and no backend is called."""
    write_keys(keys_file, {"alice": {"keys": [KEY], **allowed}})
    async with serve() as gateway:
        answered = await protocol(gateway).ask(KEY, **asked)
    assert (answered.reason, answered.message) == (("permission_denied", message) if message else ("", ""))
    assert answered.status in (("403", "PERMISSION_DENIED") if message else ("200", "OK"))
    assert len(backend.received) == (0 if message else 1)


async def test_every_other_call_keeps_to_the_lists_too(serve: Serve, keys_file: Path) -> None:
    """Route, RouteBatch, CompareStrategies and ListStrategies, and what REST lists."""
    write_keys(keys_file, {"alice": {"keys": [KEY], "strategies": ["mf"], "pairs": ["default"], "backends": []}})
    mf, random = routing_pb2.RoutingSpec(model="router-mf-1"), routing_pb2.RoutingSpec(model="router-random-1")
    async with serve() as gateway, grpc.aio.insecure_channel(Grpc(gateway).address) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        assert (await stub.Route(pb.RouteRequest(prompt="x", routing=mf), metadata=BEARER)).receipt.caller == "alice"
        assert len((await stub.RouteBatch(pb.RouteBatchRequest(prompts=["x", "y"], routing=mf), metadata=BEARER)).results) == 2
        opinions = (await stub.CompareStrategies(pb.CompareStrategiesRequest(prompt="x"), metadata=BEARER)).opinions
        assert [each.strategy for each in opinions] == ["mf"]
        listed = await stub.ListStrategies(pb.ListStrategiesRequest(), metadata=BEARER)
        assert [each.name for each in listed.strategies] == ["mf"]
        assert ([each.name for each in listed.pairs], list(listed.backends)) == (["default"], [])
        for refused in (
            stub.Route(pb.RouteRequest(prompt="x", routing=random), metadata=BEARER),
            stub.RouteBatch(pb.RouteBatchRequest(prompts=["x"], routing=random), metadata=BEARER),
            stub.CompareStrategies(pb.CompareStrategiesRequest(prompt="x", strategies=["random"]), metadata=BEARER),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match="may use: mf") as caught:
                await refused
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        async with httpx.AsyncClient(base_url=Rest(gateway).base_url, headers={"api-key": KEY}, trust_env=False) as rest:
            models = [each["id"] for each in (await rest.get("/v1/models")).json()["data"]]
            assert (models, (await rest.get("/v1/models/router-random-1")).status_code) == (["router-mf-0.5"], 404)


async def test_what_was_used_is_told_by_caller(serve: Serve, keys_file: Path, controller: RunningController) -> None:
    """AdminService.Stats has a row for each caller, tier and backend."""
    write_keys(keys_file, {"alice": {"keys": [KEY]}, "bob": {"keys": ["key-of-bob"]}})
    async with serve() as gateway:
        for key in (KEY, KEY, "key-of-bob"):
            await Rest(gateway).ask(key)
    async with grpc.aio.insecure_channel(controller.address) as channel:
        stub: Any = admin_service_pb2_grpc.AdminServiceStub(channel)
        stats = await stub.Stats(admin_service_pb2.StatsRequest())
    told = {row.caller: (row.backend, row.requests, row.usage.prompt_tokens, row.usage.completion_tokens) for row in stats.callers}
    assert told == {"alice": ("weak", 2, 14, 6), "bob": ("weak", 1, 7, 3)}


@pytest.mark.parametrize("has_keys", [False, True], ids=["without keys", "with keys"])
async def test_nobody_outside_says_who_they_are(protocol: Protocol, keys_file: Path, has_keys: bool) -> None:
    """What a caller writes where the gateway writes its name goes no further, on either protocol."""
    forged = caller_pb2.Caller(name="root", may_pin=True, admin=True).SerializeToString()
    async with controller_on(ScriptedController()) as controller:
        settings = settings_for(controller.port).model_copy(update={"keys_file": keys_file if has_keys else None})
        async with serving(settings) as gateway:
            await _forge(gateway, protocol, forged)
        (metadata,) = controller.metadata
    told = metadata.get(CALLER_KEY)
    assert told is None if not has_keys else isinstance(told, bytes)
    if isinstance(told, bytes):
        assert caller_pb2.Caller.FromString(told).name == "alice"
    assert "authorization" not in metadata
    assert KEY not in str(metadata)


async def _forge(gateway: Gateway, protocol: Protocol, forged: bytes) -> None:
    if protocol is Rest:
        headers = {"authorization": f"Bearer {KEY}", CALLER_KEY: forged.hex(), "x-pointsman-caller": "root"}
        async with httpx.AsyncClient(base_url=Rest(gateway).base_url, trust_env=False) as client:
            assert (await client.post("/v1/chat/completions", content=b"{}", headers=headers)).status_code == 200
        return
    async with grpc.aio.insecure_channel(Grpc(gateway).address) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        await stub.Route(pb.RouteRequest(prompt="x"), metadata=(*BEARER, (CALLER_KEY, forged)))


async def test_a_word_about_the_caller_that_cant_be_read_lets_nobody_in(controller: RunningController) -> None:
    """A controller doesn't guess."""
    with pytest.raises(grpc.aio.AioRpcError, match="can't be read") as caught:
        await controller.stub.Route(pb.RouteRequest(prompt="x"), metadata=((CALLER_KEY, b"\xff\xff"),))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
