"""Where a backend fails for good: who answers in its place, and who never does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from pointsman.runtime.backend_settings import BreakerSettings
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.backend import Script, ScriptedBackend, answering, cutting, echoing, hanging, hanging_up, scripted_backend, streaming
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.relaying import TO_STRONG, TO_WEAK, body, refused, relayed

Spec = routing_pb2.RoutingSpec


@pytest.fixture
async def spare() -> AsyncIterator[ScriptedBackend]:
    """A third backend."""
    async with scripted_backend("spare", echoing) as backend:
        yield backend


def _with(scorers: ScriptedScorers, *backends: ScriptedBackend, of: dict[str, dict[str, Any]] | None = None, **settings: Any) -> Any:
    """A controller with these backends; `of` changes one's settings."""
    told = {each.name: each.settings.model_copy(update={"retries": 0, **(of or {}).get(each.name, {})}) for each in backends}
    return running_controller(told, scorers.address, **settings)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "script", [hanging_up, answering(500, b"no"), answering(503, b"no"), answering(429, b"{}"), answering(401, b"{}"), hanging]
)
@pytest.mark.parametrize(("model", "failing", "other"), [(TO_WEAK, "weak", "strong"), (TO_STRONG, "strong", "weak")])
async def test_the_other_tier_answers_and_the_decision_says_so(
    scorers: ScriptedScorers,
    strong: ScriptedBackend,
    weak: ScriptedBackend,
    script: Script,
    stream: bool,
    model: str,
    failing: str,
    other: str,
) -> None:
    """Both ways, streaming or not, in the headers and in the receipt; the body names the model of who answers."""
    {"weak": weak, "strong": strong}[failing].script = script
    async with _with(scorers, strong, weak, of={failing: {"first_byte_timeout_s": 0.3}}) as controller:
        request = route_service_pb2.RelayRequest(endpoint="chat/completions", body=body(model, stream=stream))
        headers = {str(key): value for key, value in await controller.stub.Relay(request).initial_metadata()}
        answer = await relayed(controller, body(model, stream=stream))
    assert answer.decided == (other, other, "backend_fallback")
    assert answer.receipt.decision.model == f"{other}-model"
    assert answer.receipt.decision.strong_win_rate == 0.4
    assert [attempt[0] for attempt in answer.attempts] == [failing, other]
    told = [headers[f"x-pointsman-{name}"] for name in ("tier", "model", "reason")]
    assert told == [other, f"{other}-model", "backend_fallback"]
    assert {"weak": weak, "strong": strong}[other].received[0].json["model"] == f"{other}-model"


async def test_a_backends_own_fallbacks_come_first_and_in_order(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend, spare: ScriptedBackend
) -> None:
    """They count as its tier; the other tier is the last resort."""
    weak.script = hanging_up
    async with _with(scorers, strong, weak, spare, of={"weak": {"fallbacks": ("spare",)}}) as controller:
        assert (await relayed(controller, body())).decided == ("weak", "spare", "backend_fallback")
        spare.script = hanging_up
        answer = await relayed(controller, body())
    assert answer.decided == ("strong", "strong", "backend_fallback")
    assert [attempt[0] for attempt in answer.attempts] == ["weak", "spare", "strong"]


async def test_where_nobody_answers_the_error_is_the_chosen_ones(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend
) -> None:
    """With the decision as it was, and both attempts counted."""
    weak.script, strong.script = answering(429, b"{}", retry_after="30"), hanging_up
    async with _with(scorers, strong, weak) as controller:
        reason, facts = await refused(controller, body())
        outcomes = {"backend": "strong", "kind": "fallback", "outcome": "backend_unreachable"}
        assert controller.registry.get_sample_value("pointsman_backend_attempts_total", outcomes) == 1
    assert (reason, facts["backend"], facts["retry_after_s"]) == ("BACKEND_RATE_LIMITED", "weak", "30")
    assert (facts["x-pointsman-tier"], facts["x-pointsman-reason"]) == ("weak", "comparison")


@pytest.mark.parametrize(
    "script",
    [
        cutting,
        answering(200, b"<html>"),
        answering(400, b"{}"),
        streaming([b"data: {}\n\n"], pause_s=0.05, then=hanging_up, complete=False),
    ],
)
async def test_an_answer_that_has_begun_is_never_given_up_for_another(
    controller: RunningController, strong: ScriptedBackend, weak: ScriptedBackend, script: Script
) -> None:
    """Not even where the caller has seen nothing of it."""
    weak.script = script
    with contextlib.suppress(grpc.aio.AioRpcError):  # a refusal passes, a stream ends with an error event, the others are errors
        await relayed(controller, body())
    assert strong.received == []


async def test_a_pair_may_have_no_fallback(scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend) -> None:
    """Then the caller hears what failed."""
    weak.script = hanging_up
    pairs = {"default": {"strong": "strong", "weak": "weak", "fallback": "none"}}
    async with _with(scorers, strong, weak, pairs=pairs) as controller:
        assert (await refused(controller, body()))[0] == "BACKEND_UNREACHABLE"
    assert strong.received == []


@pytest.mark.parametrize(
    "spec", [Spec(tier=routing_pb2.TIER_STRONG, model=TO_WEAK), Spec(model="strong"), Spec(strategies=["mf"], max_quality_loss=0.1)]
)
async def test_a_pin_a_name_and_a_bounded_loss_never_go_weak(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend, spare: ScriptedBackend, spec: Spec
) -> None:
    """They fail instead; strong's own fallback may stand in, where it serves the same model if the loss is bounded."""
    strong.script = hanging_up
    own = {"allow_backend_names": True, "on_uncertified": "strong"}
    async with _with(scorers, strong, weak, own=own) as controller:
        assert (await refused(controller, body(), spec))[0] == "BACKEND_UNREACHABLE"
    settings: dict[str, dict[str, Any]] = {"strong": {"fallbacks": ("spare",)}, "spare": {"model": "strong-model"}}
    async with _with(scorers, strong, weak, spare, own=own, of=settings) as controller:
        assert (await relayed(controller, body(), spec)).decided == ("strong", "spare", "backend_fallback")
    assert weak.received == []


@pytest.mark.parametrize(("cap", "answered"), [(0.0, 0), (0.5, 20), (1.0, 20)])
async def test_fallback_to_strong_is_capped(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend, cap: float, answered: int
) -> None:
    """By a share of recent requests, and ten more at first; past it 503, and strong isn't asked. Sound traffic makes room again."""
    weak.script = hanging_up
    async with _with(scorers, strong, weak, own={"fallback_to_strong_cap": cap}, of={"weak": {"breaker": None}}) as controller:
        for _ in range(answered - (cap == 0.5)):
            assert (await relayed(controller, body())).decided == ("strong", "strong", "backend_fallback")
        if cap == 1:
            return
        reason, facts = await refused(controller, body())
        assert (reason, facts["http_status"], facts["backend"]) == ("FALLBACK_CAPPED", "503", "weak")
        assert len(strong.received) == answered - (cap == 0.5)
        if cap:
            await relayed(controller, body(TO_STRONG))
            assert (await relayed(controller, body())).decided[0] == "strong"


async def test_a_strong_backend_that_is_spared_is_no_reason_to_speak_of_the_cap(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend
) -> None:
    """It couldn't have answered, so the caller hears what failed."""
    weak.script = strong.script = hanging_up
    of = {"strong": {"breaker": BreakerSettings(failures=1)}}
    async with _with(scorers, strong, weak, of=of, own={"fallback_to_strong_cap": 0}) as controller:
        assert (await refused(controller, body(TO_STRONG)))[0] == "BACKEND_UNREACHABLE"
        assert (await refused(controller, body()))[0] == "BACKEND_UNREACHABLE"
    assert len(strong.received) == 1


async def test_falling_back_to_weak_is_never_capped(scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend) -> None:
    """It spends nothing."""
    strong.script = hanging_up
    async with _with(scorers, strong, weak, own={"fallback_to_strong_cap": 0}) as controller:
        assert (await relayed(controller, body(TO_STRONG))).decided == ("weak", "weak", "backend_fallback")


async def test_a_fallback_stays_within_the_callers_deadline(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend
) -> None:
    """What hangs first leaves less to what hangs next."""
    weak.script = strong.script = hanging
    async with _with(scorers, strong, weak, of={"weak": {"first_byte_timeout_s": 0.3}}) as controller:
        assert (await refused(controller, body(), timeout=0.8))[0] == "DEADLINE_EXCEEDED"
        await strong.gone.wait()
