"""What a backend answers, and how it reaches the caller: whole, streamed, refused."""

from __future__ import annotations

import json

import grpc
import pytest

from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2
from tests.support.backend import (
    ScriptedBackend,
    answering,
    streaming,
)
from tests.support.canary import PROMPT
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.relaying import body, bytes_of, refused, relay

Spec = routing_pb2.RoutingSpec
WEAK, STRONG = Spec(model="router-mf-1"), Spec(model="router-mf-0")


def _chat(text: str = PROMPT) -> chat_pb2.Chat:
    return chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content=text)])


async def test_a_whole_answer_comes_typed_with_its_bytes_and_receipt(controller: RunningController, strong: ScriptedBackend) -> None:
    """Text, model, usage, the attempt, and the backend's bytes beside them."""
    response = await controller.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(routing=STRONG, chat=_chat("héllo 你好")))
    assert response.choices[0].message.content == "héllo 你好"
    assert response.model == "strong-model"
    assert json.loads(response.body)["usage"]["total_tokens"] == 10
    assert (response.receipt.usage.prompt_tokens, response.receipt.usage.completion_tokens) == (7, 3)
    assert [(attempt.backend, attempt.http_status) for attempt in response.receipt.attempts] == [("strong", 200)]
    assert strong.received[0].json == {"model": "strong-model", "messages": [{"role": "user", "content": "héllo 你好"}]}


async def test_a_stream_comes_as_chunks_then_the_receipt(controller: RunningController, weak: ScriptedBackend) -> None:
    """Each event once, in order, its bytes untouched; the usage of the last one is in the receipt."""
    request = route_service_pb2.StreamChatCompletionRequest(routing=WEAK, chat=_chat())
    events = [event async for event in controller.stub.StreamChatCompletion(request)]
    chunks = [event.chunk for event in events if event.WhichOneof("event") == "chunk"]
    assert "".join(delta.content for chunk in chunks for delta in chunk.deltas) == f"{PROMPT} "
    assert chunks[-1].raw == b"data: [DONE]\n\n"
    assert events[-1].receipt.usage.completion_tokens == 3
    assert weak.received[0].json["stream"] is True


async def test_a_typed_stream_loses_no_byte(controller: RunningController, weak: ScriptedBackend) -> None:
    """However the backend cuts it, and where it leaves out the last blank line."""
    pieces = [b": ping\n", b'\ndata: {"choices":[{"delta":{"content":"a"}}]}\r\n\r', b"\ndata: [DONE]"]
    weak.script = streaming(pieces, pause_s=0.01)
    request = route_service_pb2.StreamChatCompletionRequest(routing=WEAK, body=body(stream=True))
    events = [event async for event in controller.stub.StreamChatCompletion(request)]
    assert b"".join(event.chunk.raw for event in events) == b"".join(pieces)
    assert [delta.content for event in events for delta in event.chunk.deltas] == ["a"]


async def test_a_raw_body_that_asks_for_a_stream_is_told_the_other_call(controller: RunningController) -> None:
    """ChatCompletion has no room for one."""
    with pytest.raises(grpc.aio.AioRpcError, match="StreamChatCompletion") as caught:
        await controller.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(body=body(stream=True)))
    assert error_info(status_of(caught.value)).metadata["param"] == "stream"


async def test_only_the_value_of_model_changes_on_the_way(controller: RunningController, weak: ScriptedBackend) -> None:
    """Unknown fields, odd spacing, big numbers and escapes arrive as they were written."""
    content = (
        b'{ "seed": 9007199254740993,\n "temperature":1.50, "x": {"model":"router-mf-0"}, "model" : "router-mf-1" ,'
        b'"messages":[{"role":"user","content":"\\u4f60\\ud83d\\ude00 \xe4\xbd\xa0","name":"a\\"b"}],"tools":[], "n":1e0}'
    )
    await relay(controller, content)
    assert weak.received[0].body == content.replace(b'"model" : "router-mf-1"', b'"model" : "weak-model"')


async def test_a_relayed_stream_is_the_backends_bytes(controller: RunningController, weak: ScriptedBackend) -> None:
    """Comments, unknown events and cuts in the middle of a line pass untouched; the status and headers come first."""
    pieces = [b": hello\n\nevent: odd\nda", b"ta: {}\n\ndata: [DO", b"NE]\n\n"]
    weak.script = streaming(pieces, pause_s=0.01)
    events = await relay(controller, body(stream=True))
    assert events[0].WhichOneof("event") == "started"
    assert events[0].started.status == 200
    assert ("x-from-backend", "yes") in [(header.name, header.value) for header in events[0].started.headers]
    assert bytes_of(events) == b"".join(pieces)
    assert events[-1].finished.receipt.decision.tier == routing_pb2.TIER_WEAK


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_the_callers_own_mistakes_pass_through_unchanged(controller: RunningController, weak: ScriptedBackend, status: int) -> None:
    """Status and content are the backend's; the typed call says the same in an error."""
    content = b'{"error": {"message": "no such parameter", "type": "invalid_request_error"}}'
    weak.script = answering(status, content)
    events = await relay(controller, body())
    assert events[0].started.status == status
    assert bytes_of(events) == content
    with pytest.raises(grpc.aio.AioRpcError, match="no such parameter") as caught:
        await controller.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(routing=WEAK, chat=_chat()))
    assert error_info(status_of(caught.value)).metadata["http_status"] == str(status)


@pytest.mark.parametrize(
    ("content", "reason", "param"),
    [
        (b"", "INVALID_BODY", None),
        (b"not json", "INVALID_BODY", None),
        (b"[]", "INVALID_BODY", None),
        (b'{"model": "router-mf-1"', "INVALID_BODY", None),
        (b'{"model": "router-mf-1", "messages": [{"role": "user", "content": "\xff"}]}', "INVALID_BODY", None),
        (b"[" * 10_000 + b"]" * 10_000, "INVALID_BODY", None),
        (b'{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "INVALID_BODY", None),
        (b'{"model": "a", "model": "b", "messages": [1]}', "INVALID_BODY", "model"),
        (b'{"model": "a", "mod\\u0065l": "b", "messages": [1]}', "INVALID_BODY", "model"),
        (b'{"model": "a", "messages": [], "messages": [1]}', "INVALID_BODY", "messages"),
        (body(model=5), "INVALID_MODEL_STRING", "model"),
        (body(model=None), "INVALID_MODEL_STRING", "model"),
        (body(model=""), "INVALID_MODEL_STRING", "model"),
        (body(model="gpt-4"), "INVALID_MODEL_STRING", "model"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "INVALID_BODY", "model"),
        (b'{"model": "router-mf-1"}', "INVALID_BODY", "messages"),
        (body(messages=[]), "INVALID_BODY", "messages"),
        (body(messages="hello"), "INVALID_BODY", "messages"),
        (body(messages=["hello"]), "INVALID_BODY", "messages[0]"),
        (body(messages=[{"role": "user", "content": None}]), "INVALID_BODY", "messages[0].content"),
        (body(messages=[{"role": "user"}]), "INVALID_BODY", "messages[0].content"),
        (body(messages=[{"role": "user", "content": 5}]), "INVALID_BODY", "messages[0].content"),
        (body(messages=[{"role": "user", "content": ["x"]}]), "INVALID_BODY", "messages[0].content[0]"),
        (body(stream="yes"), "INVALID_BODY", "stream"),
    ],
)
async def test_a_bad_body_is_told_what_is_wrong(controller: RunningController, content: bytes, reason: str, param: str | None) -> None:
    """The error names the field; the next request works."""
    told, facts = await refused(controller, content)
    assert (facts["code"], told, facts.get("param")) == ("INVALID_ARGUMENT", reason, param)
    assert bytes_of(await relay(controller, body()))


async def test_a_body_over_the_limit_is_refused(weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """413, before anything is parsed."""
    backends = {"strong": weak.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, own={"max_body_bytes": 2048}) as controller:
        reason, metadata = await refused(controller, body(user="x" * 3000))
        assert (reason, metadata["http_status"]) == ("BODY_TOO_LARGE", "413")


async def test_a_long_body_arrives_whole_and_is_scored_by_head_and_tail(
    controller: RunningController, weak: ScriptedBackend, scorers: ScriptedScorers
) -> None:
    """Several megabytes go to the backend in pieces; the scorer gets no more than a model reads, and the receipt says so."""
    text = "head" + "ab" * (2 << 20) + "tail"
    events = await relay(controller, body(messages=[{"role": "user", "content": text}]))
    assert events[-1].finished.receipt.opinions[0].truncated
    assert len(scorers.batches[0][0]) == 16_000
    assert scorers.batches[0][0].startswith("head")
    assert scorers.batches[0][0].endswith("tail")
    assert weak.received[0].json["messages"][0]["content"] == text


async def test_a_typed_stream_needs_a_streaming_body(controller: RunningController) -> None:
    """A raw body that says `stream: false` can't be streamed, and the error says which field."""
    request = route_service_pb2.StreamChatCompletionRequest(body=body())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in controller.stub.StreamChatCompletion(request):
            pass
    assert error_info(status_of(caught.value)).metadata["param"] == "stream"


async def test_an_endpoint_that_nobody_serves_is_not_found(controller: RunningController) -> None:
    """NOT_FOUND by name."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in controller.stub.Relay(route_service_pb2.RelayRequest(endpoint="images", body=body())):
            pass
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_typed_chat_without_a_spec_takes_the_default_policy(weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """Where the settings have one; a raw body's empty `model` is an error all the same."""
    backends = {"strong": weak.settings, "weak": weak.settings}
    policies = {"default": {"strategies": ["mf"], "threshold": 0.9}}
    async with running_controller(backends, scorers.address, policies=policies) as controller:
        answer = await controller.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(chat=_chat()))
        assert answer.receipt.decision.threshold == 0.9
        reason, _ = await refused(controller, body(model=""))
        assert reason == "INVALID_MODEL_STRING"
