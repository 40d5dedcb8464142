"""uvicorn on the process's own event loop, on a socket that is bound before anything starts."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import connection, joined_writes
from gateway.connection import Connection
from gateway.joined_writes import JoinedWrites
from pointsman.runtime import peers
from pointsman.runtime.errors import Unavailable
from pointsman.runtime.peers import names_in_certificate
from pointsman.runtime.tls import ServerTls

_BACKLOG: Final = 2048
_PAUSE_S: Final = 0.2
_KEEP_ALIVE_S: Final = 75
"""An idle connection is kept for longer than proxies and clients keep theirs (60 s at most by their defaults): whoever closes first may
cross a request that is just coming, and that one is lost."""


def bind_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that listens already, so that early connections wait. Raises `Unavailable` naming a port that is taken.

    A `shared` port may be bound by others who say so too: the kernel deals connections out among them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG, reuse_port=shared)
    except OSError as error:
        raise Unavailable(f"{host}:{port} can't be bound: {error.strerror or error}; is another process using the port?") from None
    # Connections inherit it. asyncio sets it only on sockets made with an explicit protocol, and without it two pieces of an answer
    # lie 40 ms apart.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to `pointsman.runtime.lifecycle`."""
        yield


class _Protocol(HttpToolsProtocol):
    """Puts the connection, its writes, and the names in the client's certificate into each request's scope."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        # Empty where it wasn't verified.
        self._peer = names_in_certificate(secured.getpeercert()) if secured else ()
        self._connection = Connection()
        self._writes = JoinedWrites(transport)
        self.transport = cast(asyncio.Transport, self._writes)  # it passes on what it isn't itself

    def connection_lost(self, exc: Exception | None) -> None:
        self._writes.lost()
        super().connection_lost(exc)
        # uvicorn does it only after a peaceful end; after a reset the timer held connection and request for its 75 s.
        self._unset_keepalive_if_required()
        self._connection.lost()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, object] = self.scope  # type: ignore[assignment]
        scope[peers.SCOPE_KEY] = self._peer
        scope[connection.SCOPE_KEY] = self._connection
        scope[joined_writes.SCOPE_KEY] = self._writes

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.scope[connection.WHOLE_KEY] = True  # type: ignore[typeddict-unknown-key]


class RestServer:
    """Serves until `stop()`, in plain text without `tls`."""

    def __init__(self, app: ASGIApp, bound: Sequence[socket.socket], drain_s: float, tls: ServerTls | None = None) -> None:
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(drain_s),
            ssl_context_factory=(lambda *_: tls.context()) if tls else None,
        )
        self._server = _Server(config)
        self._bound = bound
        self._pause_s = min(_PAUSE_S, drain_s / 20)
        self.task: asyncio.Task[None] = asyncio.get_running_loop().create_task(self._server.serve(sockets=[*bound]))

    async def stop(self) -> None:
        """Stops accepting, lets running requests finish within `drain_s`, cuts those that don't."""
        if self._server.started:
            # Whoever isn't in the queue yet connects again a moment later, and finds who else listens; the queue itself is emptied.
            for each in self._bound:
                each.listen(0)
            await asyncio.sleep(self._pause_s)
            for server in self._server.servers:
                server.close()
            # uvicorn closes what is idle, and who has just connected has yet to ask.
            await asyncio.sleep(self._pause_s)
        self._server.should_exit = True
        await self.task
