"""What is asked again and what isn't, within which deadline, and what is left of an answer that broke off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from pointsman.client import AnswerCut, AsyncClient, Client, RouteError
from pointsman.runtime.errors import Overloaded, Unavailable
from tests.support.canary import PROMPT
from tests.wire.client.callers import Caller
from tests.wire.client.scripted import ScriptedRouteService

HELLO = [{"role": "user", "content": PROMPT}]
DECISIONS: list[tuple[str, tuple[Any, ...]]] = [
    ("route", (PROMPT,)),
    ("route_batch", ([PROMPT],)),
    ("compare_strategies", (PROMPT,)),
    ("list_strategies", ()),
]


@asynccontextmanager
async def through_a_link(address: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Another address of the service, by a connection that can be torn."""
    host, _, port = address.rpartition(":")
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        writers.extend((writer, inner_writer))
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    def tear() -> None:
        server.close()
        for writer in writers:
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", tear
    finally:
        tear()


@pytest.mark.parametrize(("method", "arguments"), DECISIONS, ids=[method for method, _ in DECISIONS])
async def test_what_costs_nothing_twice_is_asked_again(
    caller: Caller, service: ScriptedRouteService, address: str, method: str, arguments: tuple[Any, ...]
) -> None:
    """Three times at most, and each time with a deadline."""
    service.failures = [grpc.StatusCode.UNAVAILABLE, Unavailable("starting")]
    await caller.call(address, method, *arguments, timeout=5)
    assert len(service.requests) == 3
    assert all(0 < left_s < 5.5 for left_s in service.deadlines)
    service.requests.clear()
    service.failures = [Unavailable("starting"), Unavailable("starting"), Unavailable("still starting"), Unavailable("never asked")]
    with pytest.raises(RouteError, match="still starting"):
        await caller.call(address, method, *arguments)
    assert len(service.requests) == 3


async def test_the_deadline_is_that_of_all_tries_together(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """The second try, which hangs, doesn't get another one."""
    service.failures, service.hangs = [grpc.StatusCode.UNAVAILABLE], True
    with pytest.raises(RouteError) as raised:
        await caller.call(address, "route", PROMPT, timeout=1.0)
    assert raised.value.reason == "DEADLINE_EXCEEDED"
    assert len(service.requests) == 2


async def test_a_streamed_chat_is_not_asked_again(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """As a whole one isn't: the controller has retried backends already."""
    service.failures = [Unavailable("starting")]
    pieces, error, _ = await caller.stream_text(address, HELLO)
    assert isinstance(error, RouteError)
    assert not isinstance(error, AnswerCut)
    assert (pieces, error.reason, len(service.requests)) == ([], "UNAVAILABLE", 1)


async def test_an_overload_is_left_to_the_caller_who_hears_when_to_come_back(
    caller: Caller, service: ScriptedRouteService, address: str
) -> None:
    """The channel doesn't come back at once, which is what an overload needs least."""
    service.failures = [Overloaded("full", retry_after_s=0.05)]
    with pytest.raises(RouteError) as raised:
        await caller.call(address, "route", PROMPT)
    assert (raised.value.reason, raised.value.retry_after_s, len(service.requests)) == ("OVERLOADED", 0.05, 1)
    await asyncio.sleep(raised.value.retry_after_s or 0)
    await caller.call(address, "route", PROMPT)


async def test_an_answer_that_the_backend_cut_has_what_came_of_it(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """In the error, and its facts with it."""
    service.cut = True
    _, error, _ = await caller.stream_text(address, HELLO)
    assert isinstance(error, AnswerCut)
    assert (error.text, error.reason, error.backend) == ("Paris", "BACKEND_CUT", "strong")


async def test_an_answer_that_outlasts_its_deadline_has_what_came_of_it(
    caller: Caller, service: ScriptedRouteService, address: str
) -> None:
    """The one deadline is that of the whole stream."""
    service.hangs = True
    pieces, error, receipt = await caller.stream_text(address, HELLO, timeout=1.0)
    assert isinstance(error, AnswerCut)
    assert (pieces, error.text, error.reason, receipt) == (["Pa"], "Pa", "DEADLINE_EXCEEDED", None)


async def test_a_connection_that_breaks_leaves_what_came(service: ScriptedRouteService, address: str) -> None:
    """Sync and async; told apart from nobody being there."""
    service.hangs = True
    async with through_a_link(address) as (linked, tear), AsyncClient(linked) as client:
        pieces = client.stream_chat(HELLO).text()
        assert await anext(pieces) == "Pa"
        tear()
        with pytest.raises(AnswerCut, match="broke before the answer's end") as raised:
            await anext(pieces)
        assert (raised.value.text, raised.value.code) == ("Pa", grpc.StatusCode.UNAVAILABLE)
    async with through_a_link(address) as (linked, tear):
        torn, loop = tear, asyncio.get_running_loop()

        def work() -> AnswerCut:
            with Client(linked) as client:
                pieces = client.stream_chat(HELLO).text()
                assert next(pieces) == "Pa"
                loop.call_soon_threadsafe(torn)
                with pytest.raises(AnswerCut) as raised:
                    next(pieces)
                return raised.value

        assert (await asyncio.to_thread(work)).text == "Pa"


async def test_a_stream_can_be_cancelled_and_what_came_stays(service: ScriptedRouteService, address: str) -> None:
    """Sync and async; whoever reads on is told."""
    service.hangs = True
    async with AsyncClient(address) as client:
        answer = client.stream_chat(HELLO)
        pieces = answer.text()
        assert await anext(pieces) == "Pa"
        answer.cancel()
        with pytest.raises(AnswerCut) as raised:
            await anext(pieces)
        assert (raised.value.reason, raised.value.text, answer.text_so_far) == ("CANCELLED", "Pa", "Pa")
    await asyncio.wait_for(service.cancelled.wait(), 30)
    service.cancelled.clear()

    def work() -> AnswerCut:
        with Client(address) as client:
            answer = client.stream_chat(HELLO)
            pieces = answer.text()
            assert next(pieces) == "Pa"
            answer.cancel()
            with pytest.raises(AnswerCut) as raised:
                next(pieces)
            return raised.value

    assert (await asyncio.to_thread(work)).text == "Pa"
    await asyncio.wait_for(service.cancelled.wait(), 30)
