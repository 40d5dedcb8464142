"""Who is told that a caller's connection is lost."""

from __future__ import annotations

from gateway.connection import Connection


def test_a_lost_connection_tells_each_that_still_watches_once() -> None:
    """Also those that come too late, and nobody who was forgotten."""
    connection, told = Connection(), list[str]()
    first, second, late = (lambda name=name: told.append(name) for name in ("first", "second", "late"))
    connection.watch(first)
    connection.watch(second)
    connection.forget(second)
    connection.lost()
    connection.lost()
    assert told == ["first"]
    connection.watch(late)
    assert (told, connection.is_lost) == (["first", "late"], True)
