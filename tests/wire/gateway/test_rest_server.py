"""The socket that REST is served on."""

from __future__ import annotations

import socket

import pytest

from gateway.rest_server import bind_socket
from pointsman.runtime.errors import Unavailable


def test_a_connection_sends_small_pieces_at_once() -> None:
    """With Nagle's algorithm two pieces of an answer lie 40 ms apart."""
    with bind_socket("127.0.0.1", 0) as bound, socket.create_connection(bound.getsockname()):
        connection, _ = bound.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_taken_port_is_named() -> None:
    """So that nobody searches for it."""
    with bind_socket("127.0.0.1", 0) as taken, pytest.raises(Unavailable, match=str(taken.getsockname()[1])):
        bind_socket("127.0.0.1", taken.getsockname()[1])
