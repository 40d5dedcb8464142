"""Settings that change while requests are under way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from pointsman.calibration.files import write_record
from pointsman.runtime.backend_settings import BackendSettings, BreakerSettings, Prices
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError
from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2
from tests.support.backend import Received, ScriptedBackend, streaming
from tests.support.canary import PROMPT
from tests.support.controllers import RunningController, running_controller
from tests.support.records import record
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Request, Spec, refusal, route
from tests.wire.controller.test_pin import pin

CHAT = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content=PROMPT)])
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1000000,"completion_tokens":0}}\n\n'


def _with(running: RunningController, /, **parts: Any) -> Settings:
    return Settings.model_validate({**dict(running.settings), **parts})


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


async def test_a_breakers_gauge_goes_with_its_backend_and_shows_the_backend_that_is_in_force(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """A request that began before the change opens a breaker of the backends before it, which isn't shown any more."""
    go_on = asyncio.Event()

    async def hangs_up_later(_: Received, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.close()

    weak.script = hangs_up_later
    own = {"retries": 0, "breaker": BreakerSettings(failures=1)}
    backends = {name: each.settings.model_copy(update=own) for name, each in (("strong", strong), ("weak", weak), ("spare", strong))}
    pairs = {"default": {"strong": "strong", "weak": "weak", "fallback": "none"}}
    async with running_controller(backends, scorers.address, pairs=pairs) as controller:

        def shown() -> dict[str, float | None]:
            labels = [(name, {"backend": name}) for name in backends]
            return {name: controller.registry.get_sample_value("pointsman_backend_breaker", each) for name, each in labels}

        assert shown() == {"strong": 0, "weak": 0, "spare": 0}
        under_way = asyncio.create_task(_whole(controller, 1))
        while not weak.received:
            await asyncio.sleep(0.01)
        await controller.reload(_with(controller, backends={name: backends[name] for name in ("strong", "weak")}))
        go_on.set()
        with pytest.raises(grpc.aio.AioRpcError, match="weak"):
            await under_way
        assert shown() == {"strong": 0, "weak": 0, "spare": None}
        with pytest.raises(grpc.aio.AioRpcError, match="weak"):
            await _whole(controller, 1)
        assert shown() == {"strong": 0, "weak": 2, "spare": None}


async def test_the_scorers_time_and_the_drift_limit_change_while_it_runs(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """The next batch has the new time, and what has been seen is judged by the new limit."""
    write_record(tmp_path, record(quantiles=tuple(n / 100 for n in range(101))))
    backends = {"strong": strong.settings, "weak": weak.settings}
    own = {"drift_window": 50, "drift_limit": 100.0, "scorer_timeout_s": 0.1}
    async with running_controller(backends, scorers.address, own=own, records_dir=tmp_path) as controller:

        async def past_limit() -> bool:
            listed = await controller.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
            return next(each for each in listed.strategies if each.name == "mf").live.drifts[0].past_limit

        for _ in range(50):
            await route(controller, Spec(model="router-mf-0.5"))
        assert not await past_limit()
        scorers.delay_s = 0.3
        assert (await route(controller, Spec(model="router-mf-0.5"), "slow")).decision.reason == routing_pb2.REASON_SCORER_TIMEOUT
        newer = controller.settings.controller.model_copy(update={"drift_limit": 0.2, "scorer_timeout_s": 30.0})
        change = await controller.reload(_with(controller, controller=newer))
        assert (change.in_force, change.need_restart) == (["controller.scorer_timeout_s", "controller.drift_limit"], [])
        assert (await route(controller, Spec(model="router-mf-0.5"), "slower")).decision.reason == routing_pb2.REASON_COMPARISON
        assert await past_limit()


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
