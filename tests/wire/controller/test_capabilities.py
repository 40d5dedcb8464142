"""A backend that lacks what the request needs isn't called (rule 11)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend, answering, hanging_up
from tests.support.controllers import running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Request
from tests.wire.controller.relaying import TO_STRONG, TO_WEAK, body, refused, relayed

Spec = routing_pb2.RoutingSpec
_IMAGE = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]}]
_SAYS = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
_LONG = [{"role": "user", "content": "word " * 500}]


def _input(part: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "what is it?"}, part]}]}


def _with(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend, of: Mapping[str, Mapping[str, Any]], **settings: Any
) -> Any:
    told = {each.name: each.settings.model_copy(update=dict(of.get(each.name, {}))) for each in (strong, weak)}
    return running_controller(told, scorers.address, **settings)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "lacking"),
    [
        ({"messages": _IMAGE}, {"supports": frozenset({"tools", "json_schema", "audio"})}),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"supports": frozenset({"vision"})}),
        ({"response_format": _SAYS}, {"supports": frozenset({"tools"})}),
        ({"messages": _LONG}, {"max_context": 600}),
        ({"max_tokens": 600}, {"max_context": 600}),
    ],
)
@pytest.mark.parametrize(("model", "chosen", "other"), [(TO_WEAK, "weak", "strong"), (TO_STRONG, "strong", "weak")])
async def test_the_other_tier_is_called_instead(
    scorers: ScriptedScorers,
    strong: ScriptedBackend,
    weak: ScriptedBackend,
    fields: dict[str, Any],
    lacking: dict[str, Any],
    stream: bool,
    model: str,
    chosen: str,
    other: str,
) -> None:
    """Whatever the pair's fallback is; and a request that needs nothing special goes where it was to go."""
    pairs = {"default": {"strong": "strong", "weak": "weak", "fallback": "none"}}
    async with _with(scorers, strong, weak, {chosen: lacking}, pairs=pairs) as controller:
        answer = await relayed(controller, body(model, stream=stream, **fields))
        plain = await relayed(controller, body(model, stream=stream))
    assert answer.decided == (other, other, "capability")
    assert answer.attempts == [(other, 200, "")]
    assert plain.decided == (chosen, chosen, "comparison")


@pytest.mark.parametrize(
    ("endpoint", "fields", "lacking"),
    [
        ("responses", _input({"type": "input_image", "image_url": "data:,"}), {"supports": {"files"}}),
        ("responses", _input({"type": "input_file", "file_id": "f"}), {"supports": {"vision"}}),
        ("responses", {"input": "x", "text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}}, {"supports": {"tools"}}),
        ("responses", {"input": "x", "tools": [{"type": "function", "name": "f"}]}, {"supports": {"vision"}}),
        ("responses", {"input": "x", "max_output_tokens": 600}, {"max_context": 600}),
        ("responses", {"input": "word " * 500}, {"max_context": 600}),
        ("completions", {"prompt": ["x", "word " * 500]}, {"max_context": 600}),
        ("completions", {"prompt": "x", "max_tokens": 600}, {"max_context": 600}),
    ],
)
async def test_other_endpoints_are_guarded_by_what_their_own_bodies_say(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend, endpoint: str, fields: dict[str, Any], lacking: dict[str, Any]
) -> None:
    """The other tier answers; where it can't either, the field at fault is named."""
    strong.script = answering(200, b"{}")
    request = route_service_pb2.RelayRequest(endpoint=endpoint, body=json.dumps({"model": TO_WEAK, **fields}).encode())
    async with _with(scorers, strong, weak, {"weak": lacking}) as controller:
        receipt = [event async for event in controller.stub.Relay(request)][-1].finished.receipt
    assert (receipt.decision.backend, receipt.decision.reason) == ("strong", routing_pb2.REASON_CAPABILITY)
    assert (receipt.endpoint, [attempt.backend for attempt in receipt.attempts]) == (endpoint, ["strong"])
    async with _with(scorers, strong, weak, {"weak": lacking, "strong": lacking}) as controller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in controller.stub.Relay(request):
                pass
    info = error_info(status_of(caught.value))
    assert (info.reason, info.metadata["param"].partition("[")[0]) in {("MISSING_CAPABILITY", each) for each in (*fields, "text.format")}
    assert weak.received == []


async def test_where_neither_can_the_refusal_says_what_is_missing(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend
) -> None:
    """400, before anything is called."""
    of: dict[str, dict[str, Any]] = {"strong": {"max_context": 1000}, "weak": {"supports": frozenset()}}
    async with _with(scorers, strong, weak, of) as controller:
        reason, facts = await refused(controller, body(messages=_IMAGE, max_tokens=5000))
        assert (reason, facts["code"], facts["http_status"], facts["param"]) == (
            "MISSING_CAPABILITY",
            "INVALID_ARGUMENT",
            "400",
            "messages[0]",
        )
        assert "weak lacks vision; strong lacks a context of about 5003 tokens (it has 1000)" in facts["details"]
        assert facts["x-pointsman-tier"] == "weak"
    assert strong.received == weak.received == []


@pytest.mark.parametrize(
    "spec", [Spec(tier=routing_pb2.TIER_STRONG, model=TO_WEAK), Spec(model="strong"), Spec(strategies=["mf"], max_quality_loss=0.1)]
)
async def test_a_pin_a_name_and_a_bounded_loss_are_refused_and_not_moved_to_weak(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend, spec: Spec
) -> None:
    """What they asked for can't be had."""
    own = {"allow_backend_names": True, "on_uncertified": "strong"}
    async with _with(scorers, strong, weak, {"strong": {"supports": frozenset()}}, own=own) as controller:
        assert (await refused(controller, body(messages=_IMAGE), spec))[0] == "MISSING_CAPABILITY"


async def test_a_failing_backend_is_not_replaced_by_one_that_lacks_something(
    scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend
) -> None:
    """The error is the failure's."""
    weak.script = hanging_up
    async with _with(scorers, strong, weak, {"strong": {"supports": frozenset()}}) as controller:
        assert (await refused(controller, body(messages=_IMAGE)))[0] == "BACKEND_UNREACHABLE"
    assert strong.received == []


async def test_route_decides_by_what_the_messages_need(scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend) -> None:
    """Images and length, of messages or a prompt."""
    part = chat_pb2.ContentPart
    image = chat_pb2.ChatMessage(role="user", parts=[part(text="what is it?"), part(image_url="data:,")])
    requests = [
        Request(messages=route_service_pb2.Messages(messages=[image]), routing=Spec(model=TO_WEAK)),
        Request(prompt="word " * 500, routing=Spec(model=TO_WEAK)),
        Request(prompt="word", routing=Spec(model=TO_WEAK)),
    ]
    async with _with(scorers, strong, weak, {"weak": {"supports": frozenset(), "max_context": 600}}) as controller:
        decisions = [(await controller.stub.Route(request)).decision for request in requests]
    assert [(each.backend, each.model) for each in decisions] == [("strong", "strong-model")] * 2 + [("weak", "weak-model")]
    assert [each.reason for each in decisions[:2]] == [routing_pb2.REASON_CAPABILITY] * 2
