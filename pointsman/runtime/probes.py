"""Whether a service is ready: each probe asks it over its own protocol, as its callers will."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import grpc

from pointsman.runtime.addresses import reachable
from pointsman.runtime.client_tls import ClientTls, controller_tls
from pointsman.runtime.settings import Settings
from pointsman.runtime.tls_settings import TlsSettings
from pointsman.scorer.v1 import scorer_service_pb2
from pointsman.scorer.v1.scorer_service_pb2_grpc import ScorerServiceStub

Probe = Callable[[], Awaitable[str | None]]
"""None once what is asked is ready, else what is still missing, in a few words."""
_TIMEOUT_S: Final = 2.0
_SHOWN: Final = 160
_MAX_BYTES: Final = 65_536


def gateway_ready(settings: Settings, port: int | None = None) -> Probe:
    """It answers for everything behind it, so its readiness is that of the whole."""
    own = settings.gateway
    return http_ready(reachable(own.host), port or own.own_port or own.rest_port, "/readyz", own.tls)


def controller_ready(settings: Settings, port: int | None = None) -> Probe:
    """By the health that it tells; asked as a gateway would. Raises `SettingsError` for files of TLS."""
    own = settings.controller
    return grpc_healthy(reachable(own.host), port or own.grpc_port, controller_tls(settings.gateway))


def scorers_ready(settings: Settings) -> Probe:
    """Every strategy's."""
    own = settings.scorers
    return strategies_ready(reachable(own.host), own.grpc_port, sorted(settings.strategies))


def local_llm_ready(port: int) -> Probe:
    """By its own way of telling."""
    return http_ready("127.0.0.1", port, "/health")


def http_ready(host: str, port: int, path: str, tls: TlsSettings | None = None) -> Probe:
    """Ready when GET `path` answers 200; what is missing is the answer's body.

    A server that insists on a client certificate is ready once it says so: this probe has none.
    """

    insists = tls is not None and tls.client_certificates == "required"

    async def probe() -> str | None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, body = await _get(host, port, path, _unverified() if tls else None)
        except (ssl.SSLError, ConnectionResetError) as error:
            return None if insists else f"no answer on port {port} yet: {error.strerror}"
        except (OSError, TimeoutError):
            return f"no answer on port {port} yet"
        if status == "200" or (insists and not status):
            return None
        return _missing(body)[:_SHOWN] or f"{path} answers {status or 'nothing'}"

    return probe


def grpc_healthy(host: str, port: int, tls: ClientTls | None = None) -> Probe:
    """Ready when grpc.health.v1 says that the server serves."""

    async def probe() -> str | None:
        # Here, since the command's own installation doesn't have it; a checkout that can run the services does.
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        try:
            async with _channel(f"{host}:{port}", tls) as channel:
                stub: Any = health_pb2_grpc.HealthStub(channel)  # its types don't know its methods
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
        except grpc.RpcError:
            return f"no answer on port {port} yet"
        return None if answer.status == health_pb2.HealthCheckResponse.SERVING else "not serving yet"

    return probe


def strategies_ready(host: str, port: int, strategies: Sequence[str]) -> Probe:
    """Ready when every strategy's scorer describes itself."""

    async def probe() -> str | None:
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
            missing = [strategy for strategy in strategies if not await _describes(channel, strategy)]
        return f"no answer yet from: {', '.join(missing)}" if missing else None

    return probe


def _channel(target: str, tls: ClientTls | None) -> grpc.aio.Channel:
    if tls is None:
        return grpc.aio.insecure_channel(target)
    return grpc.aio.secure_channel(target, tls.credentials(tls.now()), options=tls.options())


def _unverified() -> ssl.SSLContext:
    """For a child of one's own on this machine, whose certificate has the name that others call it by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _missing(body: str) -> str:
    """In words, where the body is that of our /readyz or an error in OpenAI's shape; else as it is, on one line."""
    match _parsed(body):
        case {"error": {"message": str(said)}}:
            return said
        case {"gateway": "ok", "controller": "ok", "strategies": dict(strategies)} if strategies:
            states: dict[str, list[str]] = {}
            for name, state in strategies.items():
                if state != "ready":
                    states.setdefault(str(state), []).append(str(name))
            return "; ".join(f"{', '.join(names)}: {state}" for state, names in states.items())
        case {"gateway": "ok", "controller": str(said)} if said != "ok":
            return f"controller {said}"
    return " ".join(body.split())


def _parsed(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


async def _describes(channel: grpc.aio.Channel, strategy: str) -> bool:
    # Ray Serve's proxy selects the application by this metadata.
    application = (("application", strategy),)
    try:
        await ScorerServiceStub(channel).Describe(scorer_service_pb2.DescribeRequest(), timeout=_TIMEOUT_S, metadata=application)
    except grpc.RpcError:
        return False
    return True


async def _get(host: str, port: int, path: str, tls: ssl.SSLContext | None) -> tuple[str, str]:
    # HTTP/1.0: the answer ends with the connection, and no proxy variable of the environment can send it elsewhere.
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
        answer = bytearray()
        while len(answer) < _MAX_BYTES and (piece := await reader.read(_MAX_BYTES)):
            answer += piece
    finally:
        writer.close()
    head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
    return head.partition(" ")[2][:3], body
