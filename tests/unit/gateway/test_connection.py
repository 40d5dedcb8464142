"""Who is told that a caller's connection is lost."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.connection import Connection, EndedWhenLost, ended_when_cancelled


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


def test_who_watches_instead_of_others_is_told_alone() -> None:
    """As the call to a controller is, once there is one."""
    connection, told = Connection(), list[str]()
    connection.watch(lambda: told.append("first"))
    connection.watch(lambda: told.append("second"), instead=True)
    connection.lost()
    assert told == ["second"]


def test_what_ends_with_the_connection_ends_with_its_block_too() -> None:
    """Also where that is left by an error; after it nobody watches."""
    connection, ended = Connection(), list[str]()
    with contextlib.suppress(ValueError), EndedWhenLost(connection, lambda: ended.append("it")):
        assert ended == []
        raise ValueError
    connection.lost()
    assert ended == ["it"]
    with EndedWhenLost(connection, lambda: ended.append("late")):
        assert ended == ["it", "late"]


async def test_work_isnt_cancelled_but_ended_by_what_it_watches() -> None:
    """What it waits for in gRPC would never be freed; the task that waits for it is cancelled all the same, once it has ended."""
    connection, over, ends = Connection(), asyncio.Event(), list[str]()

    async def reads() -> None:
        connection.watch(over.set, instead=True)
        await over.wait()
        ends.append("by itself")

    waiting = asyncio.ensure_future(ended_when_cancelled(reads(), connection))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ends == ["by itself"]


async def test_work_that_has_nothing_better_to_end_is_cancelled() -> None:
    """Before there is a call to a controller; and what work raises is raised."""
    cancelled = list[str]()

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append("here")

    waiting = asyncio.ensure_future(ended_when_cancelled(waits(), Connection()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cancelled == ["here"]

    async def fails() -> None:
        raise ValueError("canary")

    with pytest.raises(ValueError, match="canary"):
        await ended_when_cancelled(fails(), Connection())
