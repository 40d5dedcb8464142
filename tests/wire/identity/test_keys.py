"""Who gets in, on both protocols."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import generate_latest

from gateway.service import Gateway
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController
from tests.wire.identity.asking import BODY, Rest
from tests.wire.identity.conftest import Protocol, Serve, write_keys

UNAUTHENTICATED = ("401", "UNAUTHENTICATED")
UNKNOWN = "The API key isn't one that is known here; whoever runs this service gives them out."
ANOTHER = "; whoever runs this service gives out another."


@pytest.mark.parametrize(
    ("fields", "key", "message"),
    [
        ({}, "", "This needs an API key: send it as `authorization: Bearer <key>`."),
        ({}, "key-of-nobody", UNKNOWN),
        ({}, "key-of-alic", UNKNOWN),
        ({"expires": "2020-01-01T00:00:00Z"}, "key-of-alice", f"The API key has expired{ANOTHER}"),
        ({"revoked": True}, "key-of-alice", f"The API key has been revoked{ANOTHER}"),
        ({"revoked": True}, "key-of-nobody", UNKNOWN),
    ],
    ids=["no key", "another's", "almost right", "expired", "revoked", "another's while there is a revoked one"],
)
async def test_who_has_no_key_that_counts_gets_nothing(
    serve: Serve, keys_file: Path, protocol: Protocol, backend: ScriptedBackend, fields: dict[str, Any], key: str, message: str
) -> None:
    """Neither a backend nor a scorer hears of it."""
    write_keys(keys_file, {"alice": {"keys": ["key-of-alice"], **fields}})
    async with serve() as gateway:
        answered = await protocol(gateway).ask(key)
    assert (answered.reason, answered.message) == ("unauthenticated", message)
    assert answered.status in UNAUTHENTICATED
    assert backend.received == []
    if answered.status == "401":
        assert answered.told["www-authenticate"] == "Bearer"


async def test_a_key_gets_in_and_while_it_rotates_so_do_both(serve: Serve, keys_file: Path, protocol: Protocol) -> None:
    """The old one until its hash is taken out."""
    write_keys(keys_file, {"alice": {"keys": ["old", "new"]}})
    async with serve() as gateway:
        asks = protocol(gateway)
        assert [(await asks.ask(key)).reason for key in ("old", "new")] == ["", ""]
        write_keys(keys_file, {"alice": {"keys": ["new"]}})
        await gateway.reload(Settings())
        assert [(await asks.ask(key)).reason for key in ("old", "new")] == ["unauthenticated", ""]
        write_keys(keys_file, {"nobody at all": {"keys": ["other"]}})
        await gateway.reload(Settings())
        assert (await asks.ask("new")).reason == ""


async def test_the_file_is_followed_without_being_told(serve: Serve, keys_file: Path, protocol: Protocol) -> None:
    """Every two seconds."""
    async with serve() as gateway:
        write_keys(keys_file, {"bob": {"keys": ["key-of-bob"]}})
        while (await protocol(gateway).ask("key-of-bob")).reason:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("header", ["api-key", "x-api-key"])
async def test_azures_clients_send_their_key_in_a_header_of_its_own(gateway: Gateway, header: str) -> None:
    """REST alone."""
    assert (await Rest(gateway).ask(**{header: "key-of-alice"})).reason == ""
    assert (await Rest(gateway).ask(**{header: "wrong"})).reason == "unauthenticated"


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/router-mf-0.5", "/openapi.json", "/metrics", "/nothing", "/v1/chat/completions"]
)
async def test_on_rest_only_health_checks_answer_anybody(gateway: Gateway, path: str) -> None:
    """Not even which paths there are is told."""
    async with httpx.AsyncClient(base_url=Rest(gateway).base_url, trust_env=False) as client:
        assert (await client.get(path)).status_code == 401
        assert {(await client.get(open_path)).status_code for open_path in ("/health", "/livez", "/readyz")} <= {200, 503}
        assert (await client.get("/v1/models", headers={"authorization": "Bearer key-of-alice"})).status_code == 200


@pytest.mark.parametrize("method", ["/pointsman.v1.RouteService/Nothing", "/pointsman.v1.AdminService/Stats", "/a.B/C"])
async def test_on_grpc_only_health_checks_answer_anybody(gateway: Gateway, method: str) -> None:
    """Reflection and what isn't there need a key like everything else."""
    key = (("authorization", "Bearer key-of-alice"),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
        call: Any = channel.unary_unary(method)
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]  # typed for synchronous channels alone
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        assert [await _code(call(b"")), await _code(call(b"", metadata=key))] == ["UNAUTHENTICATED", "UNIMPLEMENTED"]
        assert len([answer async for answer in reflection.ServerReflectionInfo(iter(asked), metadata=key)]) == 1
        with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
            [answer async for answer in reflection.ServerReflectionInfo(iter(asked))]


async def _code(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name


async def test_a_body_isnt_read_before_it_is_known_who_sends_it(gateway: Gateway) -> None:
    """The answer is there while none of the promised body is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.rest_port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        start: Any = channel.stream_stream("/pointsman.v1.RouteService/ChatCompletion")
        assert await start().code() is grpc.StatusCode.UNAUTHENTICATED


async def test_who_is_refused_may_try_again_on_the_same_connection(gateway: Gateway) -> None:
    """The body that nobody reads is in nobody's way."""
    async with httpx.AsyncClient(base_url=Rest(gateway).base_url, trust_env=False, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(2):
            assert (await client.post("/v1/chat/completions", content=b" " * 1_000_000)).status_code == 401
        assert (await client.post("/v1/chat/completions", json=BODY, headers={"api-key": "key-of-alice"})).status_code == 200


async def test_metrics_name_every_caller_so_an_operators_key_reads_them(serve: Serve, keys_file: Path, protocol: Protocol) -> None:
    """Or anybody's, where the settings say so."""
    write_keys(keys_file, {"alice": {"keys": ["key-of-alice"]}, "ops": {"keys": ["key-of-ops"], "admin": True}})
    async with serve() as gateway, httpx.AsyncClient(base_url=Rest(gateway).base_url, trust_env=False) as client:
        await protocol(gateway).ask("key-of-alice")
        assert (await client.get("/metrics", headers={"api-key": "key-of-alice"})).status_code == 403
        metrics = (await client.get("/metrics", headers={"api-key": "key-of-ops"})).text
        assert 'caller="alice"' in metrics
        assert "key-of-" not in metrics
    async with serve(open_metrics=True) as gateway, httpx.AsyncClient(base_url=Rest(gateway).base_url, trust_env=False) as client:
        assert (await client.get("/metrics")).status_code == 200


async def test_a_key_never_goes_further_than_the_gateway(
    gateway: Gateway, protocol: Protocol, backend: ScriptedBackend, controller: RunningController, tmp_path: Path, capfd: Any
) -> None:
    """Not to a backend, into a log, a receipt or a metric; the caller's name does."""
    answered = await protocol(gateway).ask("key-of-alice", x_api_key="key-of-alice", cookie="key-of-alice")
    await protocol(gateway).ask("key-of-mallory")
    assert answered.reason == ""
    assert "key-of-" not in json.dumps(backend.received[0].headers)
    log = tmp_path / "decisions.jsonl"
    while not log.exists() or "alice" not in log.read_text():
        await asyncio.sleep(0.01)
    assert json.loads(log.read_text().splitlines()[0])["caller"] == "alice"
    samples = {
        sample.name: sample
        for family in controller.registry.collect()
        for sample in family.samples
        if sample.labels.get("caller") == "alice" and sample.labels.get("kind") != "completion"
    }
    assert samples["pointsman_caller_requests_total"].value == 1
    assert samples["pointsman_caller_tokens_total"].value == 7
    said = "".join(capfd.readouterr()) + log.read_text() + generate_latest(controller.registry).decode()
    assert "caller=alice" in said
    assert "key-of-" not in said


async def test_without_a_keys_file_everybody_gets_in_and_strangers_may_come_is_said(serve: Serve, protocol: Protocol, capfd: Any) -> None:
    """Only where others than this machine can reach the gateway."""
    async with serve(keys_file=None) as gateway:
        assert (await protocol(gateway).ask("any")).reason == ""
    assert "anybody who reaches the gateway" not in "".join(capfd.readouterr())
    async with serve(keys_file=None, host="0.0.0.0"):
        assert "anybody who reaches the gateway" in "".join(capfd.readouterr())


async def test_a_file_that_isnt_there_stops_the_start(serve: Serve, tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(SettingsError, match=r"none\.yaml"):
        async with serve(keys_file=tmp_path / "none.yaml"):
            raise AssertionError
