"""AdminService.Stats and `pointsman stats`, over the wire."""

from __future__ import annotations

import asyncio
import json

import grpc
import pytest

from pointsman.runtime.backend_settings import Prices
from pointsman.v1 import chat_pb2, route_service_pb2
from tests.support.backend import Received, ScriptedBackend
from tests.support.canary import PROMPT
from tests.support.controllers import running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.cli.test_commands import pointsman_command
from tests.wire.controller.asking import Request, Spec, refusal, route


async def test_the_command_shows_what_was_decided_spent_and_saved(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """Ten tokens at a dollar a million, that strong would have sold for ten."""
    backends = {
        name: backend.settings.model_copy(update={"prices": Prices(prompt_per_million=price, completion_per_million=price)})
        for name, backend, price in (("strong", strong, 10.0), ("weak", weak, 1.0))
    }
    async with running_controller(backends, scorers.address) as controller:
        chat = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content=PROMPT)])
        await controller.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(routing=Spec(model="router-mf-1"), chat=chat))
        await route(controller, Spec(model="router-mf-0"))
        code, _, _ = await refusal(controller, Request(prompt="x", routing=Spec(model="router-nope-1")))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        done = await pointsman_command("stats", "--json", "--address", controller.address)
        shown = await pointsman_command("stats", "--address", controller.address)
    answer = json.loads(done.out)
    (weak_row,) = (row for row in answer["rows"] if row["tier"] == "TIER_WEAK")
    assert (weak_row["requests"], weak_row["usage"]["prompt_tokens"], weak_row["cost"]["currency"]) == ("1", "7", "USD")
    assert answer["refused"] == {"UNKNOWN_STRATEGY": "1"}
    durations = {kind: [(each["name"], each["count"]) for each in answer[kind]] for kind in ("scoring", "scorer_wait", "first_byte")}
    assert durations == {"scoring": [("mf", "1")], "scorer_wait": [("mf", "1")], "first_byte": [("weak", "1")]}
    assert [(each["pair"], each["name"], each["count"]) for each in answer["router"]] == [("default", "mf", "2")]
    assert "2 decided, 50.0 % to strong, 1 of them without a call" in shown.out
    assert "spent 1e-05 USD; always strong 0.0001; saved 9e-05 (90.0 %)" in shown.out


async def test_the_routers_time_is_its_own_part_of_a_request(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """Scoring is in it, a backend that takes its time isn't; of what is only decided on it is all."""
    echo = weak.script

    async def slow(received: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        await echo(received, writer)

    weak.script = slow
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, own={"router_cost_per_hour": 3.6e9}) as controller:
        chat = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content="hello")])
        request = route_service_pb2.ChatCompletionRequest(routing=Spec(model="router-mf-1"), chat=chat)
        called = (await controller.stub.ChatCompletion(request)).receipt.timings
        assert called.scoring_s <= called.router_s <= called.total_s - 0.2
        decided = (await route(controller, Spec(model="router-mf-0"))).receipt.timings
        assert decided.router_s == decided.total_s > 0
        answer = json.loads((await pointsman_command("stats", "--json", "--address", controller.address)).out)
        shown = await pointsman_command("stats", "--address", controller.address)
    assert sum(row["router_s"] for row in answer["rows"]) == pytest.approx(called.router_s + decided.router_s)
    assert answer["router_cost"] > 1
    assert "the router took" in shown.out
    assert "running the router cost" in shown.out


async def test_an_address_without_an_admin_service_is_told_apart(scorers: ScriptedScorers) -> None:
    """A gateway's, for example."""
    done = await pointsman_command("stats", "--address", scorers.address)
    assert (done.code, done.out) == (1, "")
    assert "a controller has it" in done.err
