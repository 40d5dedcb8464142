"""`pointsman chat` without a prompt, on a terminal, against a scripted RouteService."""

from __future__ import annotations

import asyncio

from pointsman.runtime.errors import InvalidModelString
from pointsman.v1 import route_service_pb2 as pb
from tests.wire.cli.terminal import on_a_terminal
from tests.wire.client.scripted import ScriptedRouteService


def said(service: ScriptedRouteService) -> list[tuple[str, list[str]]]:
    """Of each request the model string and the messages' texts."""
    requests = [each for each in service.requests if isinstance(each, pb.StreamChatCompletionRequest)]
    return [(each.routing.model, [message.content for message in each.chat.messages]) for each in requests]


async def test_a_conversation_sends_all_that_was_said(service: ScriptedRouteService, address: str) -> None:
    """The tier stands below each answer; /model and /new count for what comes after; a failure doesn't count as said."""
    async with on_a_terminal("chat", "--address", address, "--model", "router-random-0.5") as terminal:
        await terminal.until("> ")
        terminal.type("one\n")
        shown = await terminal.until("\r\n> ")
        assert "Paris\r\nstrong  big  mf: strong win rate 0.6250 ≥ threshold 0.5" in shown
        service.failures = [InvalidModelString("model 'x': not a router", param="model")]
        for line in ("/model x", "lost", "/model router-mf-0.3", "//two", "/new", "three", "/nonsense"):
            terminal.type(f"{line}\n")
            shown = await terminal.until("\r\n> ")
            assert (line != "lost") or "model 'x': not a router" in shown
        assert "there is no /nonsense" in shown
        terminal.type("/quit\n")
        assert await terminal.process.wait() == 0
    assert said(service) == [
        ("router-random-0.5", ["one"]),
        ("x", ["one", "Paris", "lost"]),
        ("router-mf-0.3", ["one", "Paris", "/two"]),
        ("router-mf-0.3", ["three"]),
    ]


async def test_ctrl_c_stops_the_answer_and_ctrl_d_the_conversation(service: ScriptedRouteService, address: str) -> None:
    """The service's call ends too, and what had come counts as said. At the prompt Ctrl-C only takes the line back."""
    service.hangs = True
    async with on_a_terminal("chat", "--address", address) as terminal:
        await terminal.until("> ")
        terminal.type("half")
        await terminal.until("half")
        while not await terminal.shows("\r\n> ", 1):
            # Python's readline sees a signal that comes while it isn't waiting for a key only at the next one.
            terminal.type("\x03")
        await terminal.until("\r\n> ")
        terminal.type("one\n")
        await terminal.until("Pa")
        terminal.type("\x03")
        await terminal.until("stopped")
        await terminal.until("> ")
        async with asyncio.timeout(30):
            await service.cancelled.wait()
        service.hangs = False
        terminal.type("two\n")
        await terminal.until("Paris")
        await terminal.until("> ")
        terminal.type("\x04")
        assert await terminal.process.wait() == 0
    assert said(service) == [("router-mf-0.5", ["one"]), ("router-mf-0.5", ["one", "Pa", "two"])]
