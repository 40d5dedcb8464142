"""Who may call a controller: by token, by certificate, or nobody but health checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controller.guard import Guard, warn_if_open
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.runtime.grpc_server import ADMIN_SERVICE, ROUTE_SERVICE, bind, build_server
from pointsman.runtime.shedding import Shedding
from pointsman.runtime.tls_settings import TlsSettings
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, route_service_pb2, route_service_pb2_grpc
from tests.support.backend import ScriptedBackend
from tests.support.controllers import running_controller
from tests.support.scorers import ScriptedScorers

TOKEN, NEXT, WRONG = "canary-token-of-the-first-kind", "canary-token-of-the-second-kind", "canary-token-of-no-kind"
Said = tuple[tuple[str, str], ...]


def bearer(token: str) -> Said:
    """As a gateway sends it."""
    return (("authorization", f"Bearer {token}"),)


@asynccontextmanager
async def guarded(
    backends: tuple[ScriptedBackend, ScriptedBackend], scorers: ScriptedScorers, **own: Any
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a controller with these settings of its own."""
    settings = {each.name: each.settings for each in backends}
    async with (
        running_controller(settings, scorers.address, ready=False, own=own) as controller,
        grpc.aio.insecure_channel(controller.address) as channel,
    ):
        yield channel


async def outcome(call: Any) -> str:
    """OK, or the reason of a refusal in our own words."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error_info(status_of(error)).reason
    return "OK"


async def all_outcomes(channel: grpc.aio.Channel, said: Said) -> dict[str, str]:
    """Of a call of each service and of each kind."""
    route, admin = route_service_pb2_grpc.RouteServiceStub(channel), admin_service_pb2_grpc.AdminServiceStub(channel)
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
    health: Any = health_pb2_grpc.HealthStub(channel)
    stream = route.Relay(route_service_pb2.RelayRequest(), metadata=said)
    unknown: Any = channel.unary_unary("/pointsman.v1.RouteService/NoSuch", request_serializer=Message.SerializeToString)
    # It never sends its first message: an answer that waited for it would not come.
    silent: Any = admin.Calibrate(_silence(), metadata=said) if said != bearer(TOKEN) else admin.Calibrate(iter(()), metadata=said)
    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    return {
        "unary": await outcome(route.ListStrategies(route_service_pb2.ListStrategiesRequest(), metadata=said)),
        "stream": await outcome(stream.read()),
        "admin": await outcome(admin.Stats(admin_service_pb2.StatsRequest(), metadata=said)),
        "client stream": await outcome(silent),
        "reflection": await outcome(_first(reflection.ServerReflectionInfo(iter([listing]), metadata=said))),
        "unknown": await outcome(unknown(route_service_pb2.RouteRequest(), metadata=said)),
        "health": await outcome(health.Check(health_pb2.HealthCheckRequest(), metadata=said)),
    }


async def _silence() -> AsyncIterator[admin_service_pb2.CalibrateRequest]:
    await asyncio.Event().wait()
    yield admin_service_pb2.CalibrateRequest()


async def _first(stream: Any) -> Any:
    return await anext(aiter(stream))


@pytest.mark.parametrize(
    "said",
    [(), bearer(WRONG), bearer(""), bearer(TOKEN[:-1]), (("authorization", TOKEN),), (("authorization", f"Basic {TOKEN}"),)],
    ids=["none", "wrong", "empty", "shorter", "without Bearer", "another scheme"],
)
async def test_without_its_token_nothing_but_health_answers(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path, said: Said
) -> None:
    """Every service and every kind of call, those that don't exist among them; no token is in the log."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with capture_logs() as logs:
        async with guarded((strong, weak), scorers, token_file=tmp_path / "token") as channel:
            found = await all_outcomes(channel, said)
    assert found.pop("health") == "OK"
    assert set(found.values()) == {"UNAUTHENTICATED"}
    assert "canary" not in str(logs)


async def test_with_its_token_everything_answers(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """In its own words where the request is at fault."""
    (tmp_path / "token").write_text(TOKEN)
    with capture_logs() as logs:
        async with guarded((strong, weak), scorers, token_file=tmp_path / "token") as channel:
            assert await all_outcomes(channel, bearer(TOKEN)) == {
                "unary": "OK",
                "stream": "NOT_FOUND",
                "admin": "OK",
                "client stream": "INVALID_REQUEST",
                "reflection": "OK",
                "unknown": "UNIMPLEMENTED",
                "health": "OK",
            }
    assert "canary" not in str(logs)


async def test_a_token_is_replaced_without_a_restart(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """Both count while the file has both; a file that can't be used changes nothing and is named."""
    file = tmp_path / "token"

    async def who(channel: grpc.aio.Channel) -> list[str]:
        stub = route_service_pb2_grpc.RouteServiceStub(channel)
        request = route_service_pb2.ListStrategiesRequest()
        return [await outcome(stub.ListStrategies(request, metadata=bearer(token))) for token in (TOKEN, NEXT)]

    file.write_text(f"{TOKEN}\n")
    async with guarded((strong, weak), scorers, token_file=file) as channel:
        assert await who(channel) == ["OK", "UNAUTHENTICATED"]
        file.write_text(f"{TOKEN}\n{NEXT}\n")
        assert await who(channel) == ["OK", "OK"]
        file.write_text(f"{NEXT}\n")
        assert await who(channel) == ["UNAUTHENTICATED", "OK"]
        for bad in ("", "short", f"{TOKEN} with spaces"):
            file.write_text(bad)
            with capture_logs() as logs:
                assert await who(channel) == ["UNAUTHENTICATED", "OK"]
            [told] = [entry for entry in logs if entry["event"] == "token refused, the old one stays"]
            assert "controller.token_file: a token is 16 to 4096 printable ASCII characters" in told["error"]
            assert "canary" not in str(logs)
        file.unlink()
        assert await who(channel) == ["UNAUTHENTICATED", "OK"]


async def _admin_and_route(settings: ControllerSettings, said: Said = ()) -> tuple[str, str]:
    """What AdminService and RouteService answer behind the guard of these settings, which listens on loopback whatever they say."""

    async def answer(_: bytes, context: Any) -> bytes:
        return b""

    server = build_server(
        max_concurrent=10, max_body_bytes=1024, interceptors=[Guard(settings, Shedding(lambda: None, CollectorRegistry()))]
    )
    for service in (ADMIN_SERVICE, ROUTE_SERVICE):
        handlers: dict[str, Any] = {"M": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        calls: list[Any] = [channel.unary_unary(f"/{service}/M") for service in (ADMIN_SERVICE, ROUTE_SERVICE)]
        admin, route = [await outcome(call(b"", metadata=said)) for call in calls]
    await server.stop(None)
    return admin, route


async def test_admin_service_is_refused_where_others_reach_a_controller_that_asks_nobody_who_they_are(tmp_path: Path) -> None:
    """And why is said, to the caller and in the log at the start."""
    (tmp_path / "token").write_text(TOKEN)
    required = TlsSettings(cert_file=tmp_path, key_file=tmp_path, client_certificates="required", client_ca_file=tmp_path)
    optional = required.model_copy(update={"client_certificates": "optional"})
    anybody = "0.0.0.0"
    for own, answers, warns in (
        ({"host": anybody}, ("PERMISSION_DENIED", "OK"), True),
        ({"host": "192.0.2.7", "tls": optional}, ("PERMISSION_DENIED", "OK"), True),
        ({"host": anybody, "tls": required}, ("OK", "OK"), False),
        ({"host": anybody, "token_file": tmp_path / "token", "tls": optional}, ("UNAUTHENTICATED", "UNAUTHENTICATED"), False),
        ({"host": "127.0.0.1"}, ("OK", "OK"), False),
        ({"host": "localhost"}, ("OK", "OK"), False),
        ({"host": "::1"}, ("OK", "OK"), False),
    ):
        settings = ControllerSettings(**own)
        with capture_logs() as logs:
            warn_if_open(settings)
        assert [entry["log_level"] for entry in logs] == ["warning"] * warns
        assert await _admin_and_route(settings) == answers
    assert await _admin_and_route(ControllerSettings(host=anybody, token_file=tmp_path / "token"), bearer(TOKEN)) == ("OK", "OK")


async def test_a_token_in_plain_text_on_the_network_is_warned_of(tmp_path: Path) -> None:
    """It isn't refused: a mesh or a fenced network may carry it."""
    (tmp_path / "token").write_text(TOKEN)
    with capture_logs() as logs:
        warn_if_open(ControllerSettings(host="0.0.0.0", token_file=tmp_path / "token"))
    assert ["plain text" in entry["event"] for entry in logs] == [True]
