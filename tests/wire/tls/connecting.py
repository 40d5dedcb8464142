"""Callers of every kind of listener, and what they get."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.certificates import Authority

Files = tuple[Path, Path]


@asynccontextmanager
async def grpc_channel(port: int, trusted: Authority, own: Files | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """With a certificate of its own or without."""
    chain, key = (path.read_bytes() for path in own) if own else (None, None)
    credentials = grpc.ssl_channel_credentials(trusted.roots, key, chain)
    # A pool of its own, so that no connection is an earlier one's.
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield channel


async def grpc_health(port: int, trusted: Authority, own: Files | None = None) -> str:
    """What a gRPC health check gets: SERVING, or the code of its failure."""
    async with grpc_channel(port, trusted, own) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def http_status(url: str, trusted: Authority, own: Files | None = None) -> str:
    """What GET gets: the status, or `refused` where the connection doesn't get so far."""
    async with httpx.AsyncClient(verify=trusted.context(own), trust_env=False, timeout=20) as client:
        try:
            return str((await client.get(url)).status_code)
        except (httpx.TransportError, ssl.SSLError):
            return "refused"


async def served_serial(port: int) -> str:
    """The serial number of the certificate that a new connection gets."""
    return await asyncio.to_thread(_serial, port)


def _serial(port: int) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain, context.wrap_socket(plain) as connection:
        return str(hash(connection.getpeercert(binary_form=True)))


async def handshake(port: int, newest: ssl.TLSVersion) -> str:
    """The version that a client gets who knows none newer than that, or why none."""
    return await asyncio.to_thread(_handshake, port, newest)


def _handshake(port: int, newest: ssl.TLSVersion) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # Without it OpenSSL wouldn't even offer TLS 1.1, and the refusal would be the client's own.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is what is asked for
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, newest
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        try:
            with context.wrap_socket(plain) as connection:
                return str(connection.version())
        except (ssl.SSLError, ConnectionError) as error:
            return f"refused: {getattr(error, 'reason', error)}"


def visit(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bool, bool, ssl.SSLSession | None]:
    """Whether a client that offers to go on with an earlier session is let in, whether it was resumed, and the session now."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
                # HTTP/2's greeting, which HTTP/1.1 answers with an error; TLS 1.3 brings refusals and sessions with the first answer.
                connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
                answered = bool(connection.recv(1))
                return answered, bool(connection.session_reused), connection.session
        except OSError:  # ssl.SSLError is one
            return False, False, None
