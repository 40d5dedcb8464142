"""Every listener of ours speaks TLS, 1.2 at least, and lets in whom its settings say."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client import CollectorRegistry

from controller.metrics_server import serving_metrics
from gateway.service import serving
from pointsman.runtime.grpc_server import Health, bind, build_server
from pointsman.runtime.tls import ServerTls
from pointsman.runtime.tls_settings import TlsSettings
from tests.support.certificates import Authority, Issued
from tests.wire.gateway.conftest import settings_for
from tests.wire.gateway.scripted_controller import ScriptedController
from tests.wire.tls.connecting import grpc_health, handshake, http_status


@dataclass(frozen=True)
class Listeners:
    """One of each kind."""

    rest: int
    edge: int
    controller: int
    metrics: int

    @property
    def all(self) -> tuple[int, ...]:
        return self.rest, self.edge, self.controller, self.metrics


@asynccontextmanager
async def listening(tls: TlsSettings, scripted: ScriptedController) -> AsyncIterator[Listeners]:
    """The gateway's two, a controller's gRPC server, and its metrics."""
    shared = ServerTls(tls, "controller.tls")
    server = build_server(max_concurrent=10, max_body_bytes=1 << 20)
    health = Health(server, [])
    port = bind(server, "127.0.0.1", 0, shared)
    await server.start()
    await health.set("", True)
    async with serving(settings_for(scripted.port, tls=tls)) as gateway:
        with serving_metrics("127.0.0.1", 0, CollectorRegistry(), shared) as metrics:
            yield Listeners(gateway.rest_port, gateway.grpc_port, port, metrics)
    await server.stop(None)


async def test_every_listener_answers_over_tls_and_by_an_ip_address(ours: Authority, scripted: ScriptedController) -> None:
    """Clients that verify the name: gRPC and HTTP."""
    async with listening(ours.server(), scripted) as at:
        assert await http_status(f"https://127.0.0.1:{at.rest}/health", ours) == "200"
        assert await http_status(f"https://localhost:{at.rest}/health", ours) == "200"
        assert await http_status(f"https://127.0.0.1:{at.metrics}/metrics", ours) == "200"
        assert await grpc_health(at.edge, ours) == "SERVING"
        assert await grpc_health(at.controller, ours) == "SERVING"


async def test_tls_1_3_and_1_2_are_spoken_and_1_1_is_not(ours: Authority, scripted: ScriptedController) -> None:
    """Said by the server: the client would."""
    async with listening(ours.server(), scripted) as at:
        for port in at.all:
            assert await handshake(port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
            assert await handshake(port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
            # gRPC hangs up without the alert.
            assert await handshake(port, ssl.TLSVersion.TLSv1_1) in {
                "refused: TLSV1_ALERT_PROTOCOL_VERSION",
                "refused: UNEXPECTED_EOF_WHILE_READING",
            }


async def test_plain_text_gets_nothing_from_a_tls_listener(ours: Authority, scripted: ScriptedController) -> None:
    """No answer in plain text, and the server serves on."""
    async with listening(ours.server(), scripted) as at:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            for port in at.all:
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get(f"http://127.0.0.1:{port}/health")
                    pytest.fail(f"answered {answer.status_code}")
        assert await http_status(f"https://127.0.0.1:{at.rest}/health", ours) == "200"


async def test_where_certificates_are_required_nothing_answers_without_one_of_ours(
    ours: Authority, theirs: Authority, scripted: ScriptedController
) -> None:
    """Neither without one nor with another authority's, probes included."""
    mine, foreign = ours.write(ours.issue("gw.example"), "client"), theirs.write(theirs.issue("gw.example"), "client")
    async with listening(ours.server("required"), scripted) as at:
        for own, http, grpc_answer in ((None, "refused", "UNAVAILABLE"), (mine, "200", "SERVING")):
            assert await http_status(f"https://127.0.0.1:{at.rest}/health", ours, own) == http
            assert await http_status(f"https://127.0.0.1:{at.metrics}/metrics", ours, own) == http
            assert await grpc_health(at.edge, ours, own) == grpc_answer
            assert await grpc_health(at.controller, ours, own) == grpc_answer
        assert await http_status(f"https://127.0.0.1:{at.rest}/health", ours, foreign) == "refused"
        assert await http_status(f"https://127.0.0.1:{at.metrics}/metrics", ours, foreign) == "refused"
        assert await grpc_health(at.edge, ours, foreign) == await grpc_health(at.controller, ours, foreign) == "UNAVAILABLE"


async def test_an_authority_below_another_may_be_trusted_alone(ours: Authority, scripted: ScriptedController) -> None:
    """Certificates of its own get in, those of the one above don't; on both protocols."""
    below = ours.ca.create_child_ca()
    made = below.issue_cert("gw.example")
    of_it = ours.write(Issued(made.cert_chain_pems[0].bytes(), made.private_key_pem.bytes()), "of_it")
    of_ours = ours.write(ours.issue("gw.example"), "of_ours")
    (ours.folder / "below.crt").write_bytes(below.cert_pem.bytes())
    tls = ours.server("required").model_copy(update={"client_ca_file": ours.folder / "below.crt"})
    async with listening(tls, scripted) as at:
        for own, http, grpc_answer in ((of_it, "200", "SERVING"), (of_ours, "refused", "UNAVAILABLE")):
            assert await http_status(f"https://127.0.0.1:{at.rest}/health", ours, own) == http
            assert await http_status(f"https://127.0.0.1:{at.metrics}/metrics", ours, own) == http
            assert await grpc_health(at.edge, ours, own) == grpc_answer


async def test_where_certificates_are_optional_probes_need_none(ours: Authority, theirs: Authority, scripted: ScriptedController) -> None:
    """One of another authority is refused by HTTP; gRPC, which doesn't ask, takes no notice."""
    mine, foreign = ours.write(ours.issue("gw.example"), "client"), theirs.write(theirs.issue("gw.example"), "client")
    async with listening(ours.server("optional"), scripted) as at:
        for own in (None, mine):
            assert await http_status(f"https://127.0.0.1:{at.rest}/health", ours, own) == "200"
            assert await http_status(f"https://127.0.0.1:{at.metrics}/metrics", ours, own) == "200"
            assert await grpc_health(at.edge, ours, own) == "SERVING"
        assert await http_status(f"https://127.0.0.1:{at.rest}/health", ours, foreign) == "refused"
        assert await grpc_health(at.edge, ours, foreign) == "SERVING"


async def test_a_client_that_connects_and_says_nothing_keeps_nobody_waiting(ours: Authority, scripted: ScriptedController) -> None:
    """Its handshake is in nobody's way."""
    async with listening(ours.server(), scripted) as at:
        silent = [await asyncio.open_connection("127.0.0.1", port) for port in at.all]
        assert await http_status(f"https://127.0.0.1:{at.metrics}/metrics", ours) == "200"
        assert await http_status(f"https://127.0.0.1:{at.rest}/health", ours) == "200"
        assert await grpc_health(at.controller, ours) == "SERVING"
        for _, writer in silent:
            writer.close()
