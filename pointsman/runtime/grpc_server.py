"""The gRPC server that the gateway and the controller share: limits, keepalive, health, reflection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from pointsman.runtime.errors import Unavailable
from pointsman.runtime.tls import ServerTls
from pointsman.runtime.unreadable import ReadableOnly

ENVELOPE_BYTES: Final = 1 << 20  # what a message may hold beside the body: headers, routing spec
_NOTICE_S: Final = 0.5
ROUTE_SERVICE: Final = "pointsman.v1.RouteService"
ADMIN_SERVICE: Final = "pointsman.v1.AdminService"


def build_server(
    *,
    max_concurrent: int,
    max_body_bytes: int,
    max_connection_age_s: float = 1800,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    shares_port: bool = False,
) -> grpc.aio.Server:
    """A server that refuses call `max_concurrent` + 1 and longer messages with RESOURCE_EXHAUSTED.

    Connections take no new calls after `max_connection_age_s`, so that clients look their targets up again and load spreads to new
    replicas; the calls on them go on to their own deadlines. Pings are allowed every 10 s, on idle connections too, which is more often
    than our clients send them.
    """
    return grpc.aio.server(
        maximum_concurrent_rpcs=max_concurrent,
        interceptors=list(interceptors),
        options=[
            ("grpc.max_receive_message_length", max_body_bytes + ENVELOPE_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_connection_age_ms", int(max_connection_age_s * 1000)),
            # No call may last longer than a day (gateway.deadline), and each has a deadline.
            ("grpc.max_connection_age_grace_ms", 24 * 60 * 60_000),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            # Without it pings of a client that waits for nothing are held against it, whatever the line below allows.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            # Two processes on one port would share its requests unnoticed, where nobody has said that they shall.
            ("grpc.so_reuseport", int(shares_port)),
        ],
    )


def bind(server: grpc.aio.Server, host: str, port: int, tls: ServerTls | None = None) -> int:
    """The port bound (a free one for 0), in plain text without `tls`. Raises `Unavailable` naming a port that is taken."""
    try:
        if tls is None:
            return server.add_insecure_port(f"{host}:{port}")
        return server.add_secure_port(f"{host}:{port}", tls.grpc_credentials())
    except RuntimeError:
        or_else = ", or is the certificate of a kind that gRPC doesn't take" if tls else ""
        raise Unavailable(f"{host}:{port} can't be bound: is another process using the port{or_else}?") from None


class _Servicer(health.aio.HealthServicer):
    """Its streams end with the service; the library's own never do, and would hold up every graceful stop."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802
        watching, ended = asyncio.create_task(super().Watch(request, context)), asyncio.create_task(self.ended.wait())
        try:
            await asyncio.wait({watching, ended}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                await watching
        finally:
            watching.cancel()
            ended.cancel()


class Health:
    """grpc.health.v1: `""` says the process lives and takes requests, RouteService that every strategy behind it is ready."""

    def __init__(self, server: grpc.aio.Server, services: Iterable[str]) -> None:
        self._servicer = _Servicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, cast(grpc.aio.Server, ReadableOnly(server)))
        reflection.enable_server_reflection([*services, health.SERVICE_NAME, reflection.SERVICE_NAME], server)

    async def set(self, service: str, serving: bool) -> None:
        """Tells watchers of `service`."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._servicer.set(service, status)

    async def stop(self) -> None:
        """NOT_SERVING everywhere and for good: the first step of a graceful stop. Those who watch hear of it before their streams end."""
        await self._servicer.enter_graceful_shutdown()
        asyncio.get_running_loop().call_later(_NOTICE_S, self._servicer.ended.set)
