"""Certificates that change on disk: new connections get the new one, those that stand go on, and a bad file changes nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controller.metrics_server import serving_metrics
from gateway.service import Gateway, serving
from pointsman.runtime.settings_file import SettingsError
from pointsman.runtime.tls import ServerTls
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.certificates import Authority
from tests.wire.gateway.conftest import settings_for
from tests.wire.gateway.scripted_controller import SSE, Context, ScriptedController, controller_on, finished, started
from tests.wire.tls.connecting import grpc_channel, grpc_health, http_status, served_serial, visit

Event = route_service_pb2.RelayResponse


class Paused:
    """A relay that sends one piece, waits until it is told, and sends another."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, request: route_service_pb2.RelayRequest, context: Context) -> None:
        await context.write(started(200, SSE))
        await context.write(Event(bytes=b"data: 1\n\n"))
        await self.go_on.wait()
        await context.write(Event(bytes=b"data: 2\n\n"))
        await context.write(finished())


@asynccontextmanager
async def gateway_with(ours: Authority, scripted: ScriptedController) -> AsyncIterator[tuple[Gateway, int]]:
    """A gateway, and a metrics port that shows the same files."""
    tls = ours.server()
    async with serving(settings_for(scripted.port, tls=tls)) as gateway:
        with serving_metrics("127.0.0.1", 0, CollectorRegistry(), ServerTls(tls, "controller.tls")) as metrics:
            yield gateway, metrics


async def test_new_connections_get_the_new_certificate_and_no_stream_is_lost(ours: Authority, scripted: ScriptedController) -> None:
    """On REST and on gRPC, with a stream under way on each."""
    scripted.relay = paused = Paused()
    body = b'{"model": "router-mf-0.5", "stream": true}'
    async with gateway_with(ours, scripted) as (gateway, metrics):
        ports = (gateway.rest_port, gateway.grpc_port, metrics)
        async with (
            httpx.AsyncClient(verify=ours.context(), trust_env=False, timeout=30) as client,
            client.stream("POST", f"https://127.0.0.1:{gateway.rest_port}/v1/chat/completions", content=body) as rest,
            grpc_channel(gateway.grpc_port, ours) as channel,
        ):
            pieces = rest.aiter_bytes()
            assert await anext(pieces) == b"data: 1\n\n"
            call = route_service_pb2_grpc.RouteServiceStub(channel).Relay(route_service_pb2.RelayRequest(body=body))
            events = aiter(call)
            assert [(await anext(events)).WhichOneof("event") for _ in range(2)] == ["started", "bytes"]

            before = [await served_serial(port) for port in ports]
            ours.write(ours.issue())
            after = [await served_serial(port) for port in ports]
            assert len(set(before)) == len(set(after)) == 1
            assert before != after

            paused.go_on.set()
            assert b"".join([piece async for piece in pieces]) == b"data: 2\n\n"
            assert [event.WhichOneof("event") async for event in events] == ["bytes", "finished"]


async def test_a_bad_or_half_written_pair_is_refused_and_named_and_the_old_one_stays(ours: Authority, scripted: ScriptedController) -> None:
    """A key of another certificate, half a file, an empty one, none; the log has it once each, and never the key."""
    other = ours.issue()
    async with gateway_with(ours, scripted) as (gateway, metrics):
        ports = (gateway.rest_port, gateway.grpc_port, metrics)
        crt, key = ours.folder / "server.crt", ours.folder / "server.key"
        before = [await served_serial(port) for port in ports]
        good = key.read_bytes()
        for bad, said in (
            (other.key, "don't belong together"),
            (good[: len(good) // 2], "can't be used"),
            (b"", "holds no private key in PEM"),
            (None, "can't be read: No such file or directory"),
        ):
            key.unlink() if bad is None else key.write_bytes(bad)
            with capture_logs() as logs:
                assert [await served_serial(port) for port in (*ports, *ports)] == [*before, *before]
            told = [entry for entry in logs if entry["event"] == "certificate refused, the old one stays"]
            # Once by each of the two that read the files here.
            assert len(told) == 2
            assert all(said in entry["error"] and str(key) in entry["error"] for entry in told)
            assert "PRIVATE" not in str(logs)
        key.write_bytes(other.key)
        crt.write_bytes(other.chain)
        assert set(before).isdisjoint([await served_serial(port) for port in ports])


async def test_an_authority_that_was_taken_out_lets_nobody_in(ours: Authority, theirs: Authority, scripted: ScriptedController) -> None:
    """And one that was put in does, from the next connection on."""
    mine, foreign = ours.write(ours.issue("a.example"), "client"), theirs.write(theirs.issue("b.example"), "client")
    async with serving(settings_for(scripted.port, tls=ours.server("required"))) as gateway:
        url = f"https://127.0.0.1:{gateway.rest_port}/health"

        async def who() -> list[str]:
            rest = [await http_status(url, ours, own) for own in (mine, foreign)]
            return [*rest, *[await grpc_health(gateway.grpc_port, ours, own) for own in (mine, foreign)]]

        assert await who() == ["200", "refused", "SERVING", "UNAVAILABLE"]
        roots = ours.ca_file.read_bytes()
        ours.ca_file.write_bytes(roots + theirs.roots)
        assert await who() == ["200", "200", "SERVING", "SERVING"]
        ours.ca_file.write_bytes(theirs.roots)
        # What the clients trust must stay.
        assert [await http_status(url, Rooted(roots, ours.folder), own) for own in (mine, foreign)] == ["refused", "200"]
        assert [await grpc_health(gateway.grpc_port, ours, own) for own in (mine, foreign)] == ["UNAVAILABLE", "SERVING"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_that_an_authority_let_in_ends_with_it(
    ours: Authority, theirs: Authority, scripted: ScriptedController, version: ssl.TLSVersion
) -> None:
    """A resumed session shows no certificate, so nobody could verify it anew."""
    mine = ours.write(ours.issue("a.example"), "client")
    tls = ours.server("required")
    context = Rooted(ours.roots, ours.folder).context(mine)
    context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    async with serving(settings_for(scripted.port, tls=tls)) as gateway:
        with serving_metrics("127.0.0.1", 0, CollectorRegistry(), ServerTls(tls, "controller.tls")) as metrics:
            ports = (gateway.rest_port, gateway.grpc_port, metrics)
            begun = [await asyncio.to_thread(visit, port, context, None) for port in ports]
            assert [answered for answered, _, _ in begun] == [True] * 3
            again = [await asyncio.to_thread(visit, port, context, one[2]) for port, one in zip(ports, begun, strict=True)]
            assert [answered for answered, _, _ in again] == [True] * 3
            assert [again[0][1], again[2][1]] == [True, True]
            ours.ca_file.write_bytes(theirs.roots)
            after = [await asyncio.to_thread(visit, port, context, one[2]) for port, one in zip(ports, again, strict=True)]
            assert [answered for answered, _, _ in after] == [False] * 3


class Rooted(Authority):
    """An authority by its certificate alone, in a file of its own."""

    def __init__(self, roots: bytes, folder: Path) -> None:
        self.roots, self.ca_file = roots, folder / "trusted.crt"
        self.ca_file.write_bytes(roots)


async def test_the_gateway_shows_controllers_its_new_certificate_and_loses_no_call(ours: Authority, scripted: ScriptedController) -> None:
    """A controller that requires one: a call under way ends well, and the next one uses the new files."""
    scripted.relay = paused = Paused()
    scripted_tls = ServerTls(ours.server("required"), "controller.tls")
    async with controller_on(scripted, tls=scripted_tls) as secure:
        link = ours.client("gateway-1.example")
        async with (
            serving(settings_for(secure.port, controller_tls=link)) as gateway,
            grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
        ):
            stub = route_service_pb2_grpc.RouteServiceStub(channel)
            call = stub.Relay(route_service_pb2.RelayRequest())
            events = aiter(call)
            assert [(await anext(events)).WhichOneof("event") for _ in range(2)] == ["started", "bytes"]
            ours.write(ours.issue("gateway-2.example"), "client")
            await stub.Route(route_service_pb2.RouteRequest(prompt="x"))
            assert scripted.peers == [("gateway-1.example",), ("gateway-2.example",)]
            paused.go_on.set()
            assert [event.WhichOneof("event") async for event in events] == ["bytes", "finished"]


async def test_several_controllers_by_ip_address_are_verified_by_one_name(ours: Authority) -> None:
    """That of all their certificates; without it the gateway doesn't start."""
    tls = ours.server()
    ours.write(ours.issue("controller.example"))
    with pytest.raises(SettingsError, match=r"gateway\.controller_tls\.server_name"):
        async with serving(settings_for(1, 2, controller_tls=ours.client())):
            pass
    link = ours.client().model_copy(update={"server_name": "controller.example"})
    async with (
        controller_on(ScriptedController(), tls=ServerTls(tls, "controller.tls")) as one,
        controller_on(ScriptedController(), tls=ServerTls(tls, "controller.tls")) as other,
        serving(settings_for(one.port, other.port, controller_tls=link)) as gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        stub = route_service_pb2_grpc.RouteServiceStub(channel)
        while not (one.peers and other.peers):
            await stub.Route(route_service_pb2.RouteRequest(prompt="x"), timeout=20)
