"""A backend that sends no usage: its tokens are estimated, and said to be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend, answering, hanging_up, streaming
from tests.support.controllers import RunningController
from tests.wire.controller.asking import Spec

CHAT = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content="x" * 40)])
PIECES = [b'data: {"choices":[{"delta":{"content":"12345678"}}]}\n\n', b"data: [DONE]\n\n"]


async def _streamed(controller: RunningController) -> routing_pb2.Receipt:
    request = route_service_pb2.StreamChatCompletionRequest(routing=Spec(model="router-mf-1"), chat=CHAT)
    return [event async for event in controller.stub.StreamChatCompletion(request)][-1].receipt


def _tokens(controller: RunningController, kind: str, estimated: str) -> float | None:
    labels = {"pair": "default", "strategy": "mf", "tier": "weak", "reason": "comparison", "backend": "weak"}
    return controller.registry.get_sample_value("pointsman_tokens_total", {**labels, "kind": kind, "estimated": estimated})


async def test_a_whole_answer_and_a_stream_are_estimated(controller: RunningController, weak: ScriptedBackend) -> None:
    """Four characters are a token, in the receipt and under a label of their own."""
    weak.script = answering(200, json.dumps({"choices": [{"message": {"role": "assistant", "content": "12345678"}}]}).encode())
    request = route_service_pb2.ChatCompletionRequest(routing=Spec(model="router-mf-1"), chat=CHAT)
    whole = (await controller.stub.ChatCompletion(request)).receipt.usage
    weak.script = streaming(PIECES)
    streamed = (await _streamed(controller)).usage
    assert whole == streamed == routing_pb2.Usage(prompt_tokens=10, completion_tokens=2, estimated=True)
    assert (_tokens(controller, "prompt", "true"), _tokens(controller, "completion", "true")) == (20, 4)
    assert _tokens(controller, "prompt", "false") is None


async def test_what_came_of_a_stream_that_was_cut_counts(controller: RunningController, weak: ScriptedBackend) -> None:
    """Backends charge for it too."""
    weak.script = streaming(PIECES[:1], pause_s=0.05, then=hanging_up, complete=False)
    receipt = await _streamed(controller)
    assert (receipt.error, receipt.usage.completion_tokens, receipt.usage.estimated) == ("BACKEND_CUT", 2, True)


async def test_a_backends_own_count_is_taken_as_it_is(controller: RunningController) -> None:
    """And isn't marked."""
    assert (await _streamed(controller)).usage == routing_pb2.Usage(prompt_tokens=7, completion_tokens=3)


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_took_no_tokens(controller: RunningController, weak: ScriptedBackend, status: int) -> None:
    """Nothing is estimated where nothing was answered."""
    weak.script = answering(status, b'{"error": {"message": "no"}}')
    body = json.dumps({"model": "router-mf-1", "messages": [{"role": "user", "content": "x"}]}).encode()
    call: Any = controller.stub.Relay(route_service_pb2.RelayRequest(endpoint="chat/completions", body=body))
    events = [event async for event in call]
    assert not events[-1].finished.receipt.HasField("usage")
