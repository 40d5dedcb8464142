"""The controller's metrics over HTTP, in plain text or TLS, in threads of their own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from pointsman.runtime.errors import Unavailable
from pointsman.runtime.tls import ServerTls

_TIMEOUT_S: Final = 10.0


class _Handler(WSGIRequestHandler):
    timeout = _TIMEOUT_S  # of the socket: whoever connects and says nothing is let go

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Scrapes come every few seconds and would drown the rest."""


class _Server(ThreadingWSGIServer):
    tls: ServerTls | None = None

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.tls:
            # The handshake is the handler's, in its own thread: here it would keep everybody else waiting.
            connection = self.tls.context().wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who goes away or can't do the handshake is no news."""


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextmanager
def serving_metrics(host: str, port: int, registry: CollectorRegistry, tls: ServerTls | None = None) -> Iterator[int]:
    """Serves `/metrics` inside the block, and gives the port (a free one for 0). Raises `Unavailable` naming a port that is taken."""
    try:
        server = make_server(host, port, make_wsgi_app(registry), _Server6 if ":" in host else _Server, handler_class=_Handler)
    except OSError:
        raise Unavailable(f"{host}:{port} can't be bound for metrics: is another process using the port?") from None
    server.tls = tls
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
