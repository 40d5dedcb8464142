"""Settings that change while requests are under way."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from pointsman.runtime.backend_settings import BackendSettings, Prices
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError
from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2
from tests.support.backend import Received, ScriptedBackend, streaming
from tests.support.canary import PROMPT
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Request, Spec, refusal, route
from tests.wire.controller.test_pin import pin

CHAT = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content=PROMPT)])
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1000000,"completion_tokens":0}}\n\n'


def _with(controller: RunningController, **parts: Any) -> Settings:
    return Settings.model_validate({**dict(controller.settings), **parts})


def _priced(backend: ScriptedBackend, price: float, **more: Any) -> BackendSettings:
    return backend.settings.model_copy(update={"prices": Prices(prompt_per_million=price, completion_per_million=price), **more})


async def _whole(controller: RunningController, threshold: int) -> routing_pb2.Receipt:
    request = route_service_pb2.ChatCompletionRequest(routing=Spec(model=f"router-mf-{threshold}"), chat=CHAT)
    return (await controller.stub.ChatCompletion(request)).receipt


async def test_a_request_under_way_keeps_what_it_began_with(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """Its backend, its connection and its prices; the next request has the new ones, and a second change does no harm either."""
    go_on = asyncio.Event()

    async def waits(_: Received, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(f"{len(USAGE):x}\r\n".encode() + USAGE + b"\r\n")

    echo, weak.script = weak.script, streaming([b"data: {}\n\n"], then=waits)
    async with running_controller({"strong": _priced(strong, 10), "weak": _priced(weak, 1)}, scorers.address) as controller:
        request = route_service_pb2.StreamChatCompletionRequest(routing=Spec(model="router-mf-1"), chat=CHAT)
        stream = aiter(controller.stub.StreamChatCompletion(request))
        assert (await anext(stream)).chunk.raw
        weak.script = echo
        for model in ("second", "third"):
            newer = {"strong": _priced(strong, 10), "weak": _priced(weak, 2, model=model, max_connections=7)}
            change = await controller.reload(_with(controller, backends=newer))
            assert change.in_force[0] == "backends.weak.model"
            receipt = await _whole(controller, 1)
            assert receipt.decision.model == model
            assert receipt.cost.amount == pytest.approx(2e-5)
        go_on.set()
        *_, last = [event async for event in stream]
        assert (last.receipt.decision.model, last.receipt.cost.amount) == ("weak-model", 1)
        assert not last.receipt.error


async def test_pairs_policies_and_on_failure_change_and_what_is_remembered_stays(
    controller: RunningController, scorers: ScriptedScorers
) -> None:
    """A pin holds, and recent win rates are still known."""
    await route(controller, Spec(model="router-mf-1"))
    await pin(controller, tier=routing_pb2.TIER_WEAK)
    change = await controller.reload(
        _with(
            controller,
            pairs={"default": {"strong": "strong", "weak": "weak"}, "turned": {"strong": "weak", "weak": "strong"}},
            policies={"cheap": {"strategies": ["mf"], "threshold": 0.9, "pair": "turned"}},
            strategies={"mf": {"on_failure": "weak"}, "random": {}},
        )
    )
    assert change.in_force == ["strategies.mf.on_failure", "pairs.turned", "policies.cheap"]
    assert (await route(controller, Spec(model="router:cheap"))).decision.model == "strong-model"
    assert (await route(controller, Spec(model="router-mf-0"))).decision.reason == routing_pb2.REASON_PINNED_BY_OPERATOR
    listed = await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
    assert [(pair.name, pair.pinned) for pair in listed.pairs] == [
        ("default", routing_pb2.TIER_WEAK),
        ("turned", routing_pb2.TIER_UNSPECIFIED),
    ]
    assert {each.name: each.live.win_rates for each in listed.strategies}["mf"] == 2
    scorers.fail_with = grpc.StatusCode.INTERNAL
    unseen = await route(controller, Spec(model="router-mf-0", pair="turned"), "not in the decision cache")
    assert unseen.decision.tier == routing_pb2.TIER_WEAK


async def test_a_pin_of_a_pair_that_is_gone_can_be_released(controller: RunningController) -> None:
    """Until then it waits for the pair to come back."""
    pairs = {"default": {"strong": "strong", "weak": "weak"}}
    await controller.reload(_with(controller, pairs={**pairs, "other": pairs["default"]}))
    await pin(controller, pair="other", tier=routing_pb2.TIER_WEAK)
    await controller.reload(_with(controller, pairs=pairs))
    assert (await pin(controller, pair="other", tier=routing_pb2.TIER_UNSPECIFIED)).tier == routing_pb2.TIER_UNSPECIFIED
    with pytest.raises(grpc.aio.AioRpcError, match="No pair"):
        await pin(controller, pair="other", tier=routing_pb2.TIER_UNSPECIFIED)


async def test_settings_that_do_not_go_with_what_runs_change_nothing(controller: RunningController) -> None:
    """Not even the part of them that would."""
    policies = {"new": {"strategies": ["bert"], "threshold": 0.5}, "cheap": {"strategies": ["mf"], "threshold": 0.9}}
    with pytest.raises(SettingsError, match="bert"):
        await controller.reload(_with(controller, policies=policies, strategies={"mf": {}, "random": {}, "bert": {}}))
    code, reason, _ = await refusal(controller, Request(prompt="x", routing=Spec(model="router:cheap")))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_POLICY")


async def test_reloading_under_load_loses_no_request(strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """Every request is answered while backends are replaced again and again, and none is closed under one."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address) as controller:
        stop = asyncio.Event()

        async def ask() -> int:
            count = 0
            while not stop.is_set():
                assert (await _whole(controller, count % 2)).attempts[0].http_status == 200
                count += 1
            return count

        asking = [asyncio.create_task(ask()) for _ in range(10)]
        for number in range(20):
            newer = {name: each.model_copy(update={"max_connections": 100 + number}) for name, each in backends.items()}
            await controller.reload(_with(controller, backends=newer))
            await asyncio.sleep(0.02)
        stop.set()
        assert min(await asyncio.gather(*asking)) > 0
