"""Small functions of the answer's way: events, usage, cost, scored text, typed requests."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from controller.chat_codec import chat_to_body, chunk_from_event, completion_from_json
from controller.scored_text import clipped, scored_input, scored_prompt, scored_text
from controller.sse import EventSplitter, events_of
from controller.usage import UsageWatch, cost_of, usage_of
from pointsman.runtime.backend_settings import BackendSettings, Prices
from pointsman.runtime.errors import BackendFailed, InvalidBody
from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2

_STREAM = (
    b': c\n\ndata: {"a":1}\n\nevent: x\r\ndata: y\r\n\r\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
)


def _cut(stream: bytes, seed: int) -> list[bytes]:
    draw = random.Random(seed)
    cuts = sorted(draw.randrange(len(stream)) for _ in range(draw.randrange(20)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@pytest.mark.parametrize("seed", range(50))
def test_events_are_the_same_however_the_stream_is_cut(seed: int) -> None:
    """Five events, and together they are the stream."""
    splitter = EventSplitter()
    events = [event for piece in _cut(_STREAM, seed) for event in splitter.feed(piece)]
    assert len(events) == 5
    assert b"".join(events) == _STREAM
    assert splitter.rest() == b""


async def test_an_event_that_never_ends_is_bounded() -> None:
    """What came whole before it passes; the rest is a failure of the backend's."""
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b"data: 1\n\n"
        while True:
            taken += 1
            yield b"x" * 1000

    events = events_of(endless(), "weak", 10_000)
    assert await anext(events) == b"data: 1\n\n"
    with pytest.raises(BackendFailed, match="weak sent an event of more than 10,000 bytes"):
        await anext(events)
    assert taken == 11


@pytest.mark.parametrize("seed", range(50))
def test_usage_is_found_however_the_stream_is_cut(seed: int) -> None:
    """The last usage that an event had."""
    watch = UsageWatch()
    for piece in _cut(_STREAM, seed):
        watch.feed(piece)
    assert watch.usage == routing_pb2.Usage(prompt_tokens=5, completion_tokens=2)


def test_usage_of_a_wrong_shape_counts_as_none() -> None:
    """A backend's nonsense doesn't fail a request that was answered."""
    watch = UsageWatch()
    watch.feed(b'data: {"usage": null}\n\ndata: {"usage": [1]}\n\ndata: "usage"\n\n')
    assert watch.usage is None


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ({"usage": {"prompt_tokens": 5, "completion_tokens": 2}}, (5, 2)),
        ({"usage": {"prompt_tokens": 5, "total_tokens": 5}}, (5, 0)),
        ({"object": "response", "usage": {"input_tokens": 5, "output_tokens": 2}}, (5, 2)),
        ({"type": "response.completed", "response": {"usage": {"input_tokens": 5, "output_tokens": 2}}}, (5, 2)),
        ({"usage": {"prompt_tokens": "5", "completion_tokens": -2}}, (0, 0)),
        ({"type": "response.created", "response": {"usage": None}}, None),
        ([], None),
    ],
)
def test_usage_is_read_from_each_endpoints_own_shape(answer: Any, tokens: tuple[int, int] | None) -> None:
    """Chat, embeddings, a response and the last event of a streamed one; nonsense counts as nothing."""
    usage = usage_of(answer)
    assert (usage and (usage.prompt_tokens, usage.completion_tokens)) == tokens


def test_cost_is_priced_here_and_at_strong() -> None:
    """Per million tokens; without a price on either side there is none."""
    usage = routing_pb2.Usage(prompt_tokens=1_000_000, completion_tokens=500_000)
    cheap = BackendSettings(base_url="http://x/v1", model="w", prices=Prices(prompt_per_million=1, completion_per_million=2))
    dear = BackendSettings(base_url="http://x/v1", model="s", prices=Prices(prompt_per_million=10, completion_per_million=30))
    cost = cost_of(usage, "weak", "strong", {"weak": cheap, "strong": dear})
    assert cost == routing_pb2.Cost(amount=2.0, always_strong=25.0, currency="USD")
    assert cost_of(usage, "weak", "strong", {"weak": cheap, "strong": dear.model_copy(update={"prices": None})}) is None


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "a"),
        ([{"role": "user", "content": "a"}, {"role": "user", "content": "  "}], ""),
        ([{"role": "system", "content": "s"}], ""),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]}], "a\nb"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}], ""),
        ([{"role": "user", "content": "q"}, {"role": "tool", "content": "r"}, {"role": "assistant", "content": None}], "q"),
    ],
)
def test_the_last_user_text_is_scored(messages: list[Any], text: str) -> None:
    """Never a tool result or an assistant turn; empty when there is none."""
    assert scored_text(messages) == text


def test_the_window_may_be_the_conversation() -> None:
    """Every user and assistant text, no system prompt and no tool result."""
    turns = [("system", "s"), ("user", "a"), ("assistant", "b"), ("tool", "t"), ("user", "c")]
    assert scored_text([{"role": role, "content": text} for role, text in turns], "conversation") == "a\n\nb\n\nc"


def test_a_responses_conversation_has_what_both_said() -> None:
    """No instructions, no tool's result."""
    items = [
        {"role": "developer", "content": "s"},
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        {"type": "function_call_output", "output": "t"},
        {"role": "user", "content": "c"},
    ]
    assert scored_input(items, "conversation") == "a\n\nb\n\nc"
    assert scored_input(items) == "c"
    assert scored_input(" x ", "conversation") == " x "


@pytest.mark.parametrize(
    ("prompt", "text"), [("a", "a"), (" ", ""), (["a", " ", "b"], "a\nb"), ([1, 2], ""), ([[1], [2]], ""), ([], ""), (None, "")]
)
def test_a_completions_prompt_is_its_text(prompt: Any, text: str) -> None:
    """Tokens have none."""
    assert scored_prompt(prompt) == text


def test_clipping_keeps_head_and_tail() -> None:
    """Three quarters of head."""
    assert clipped("abcdefgh" + "x" * 10 + "yz", 8) == ("abcdefyz", True)
    assert clipped("abc", 8) == ("abc", False)


def test_a_typed_request_sends_what_is_set_and_nothing_else() -> None:
    """No default is added; 64-bit seeds stay exact."""
    chat = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content="")], temperature=0, seed=2**62 + 1, extra_json='{"k": [1]}')
    chat.tools.add(name="f", parameters_json='{"type": "object"}')
    assert orjson.loads(chat_to_body(chat, "m", stream=True)) == {
        "model": "m",
        "messages": [{"role": "user", "content": ""}],
        "temperature": 0.0,
        "seed": 2**62 + 1,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "stream": True,
        "k": [1],
    }


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        (chat_pb2.Chat(messages=[chat_pb2.ChatMessage(content="x")]), "messages[0].role"),
        (chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", parts=[chat_pb2.ContentPart()])]), "messages[0].parts[0]"),
        (chat_pb2.Chat(extra_json="["), "extra_json"),
        (chat_pb2.Chat(extra_json='{"messages": []}'), "extra_json"),
        (chat_pb2.Chat(tools=[chat_pb2.Tool(name="f", parameters_json="3")]), "tools[0].parameters_json"),
    ],
)
def test_a_typed_request_that_cannot_be_sent_names_its_field(chat: chat_pb2.Chat, param: str) -> None:
    """The path as the caller wrote it."""
    with pytest.raises(InvalidBody) as caught:
        chat_to_body(chat, "m", stream=False)
    assert caught.value.param == param


def test_json_in_a_typed_request_goes_on_as_it_was_written() -> None:
    """Numbers beyond 64 bits and 1.50 too, nested deeper than a serializer goes."""
    deep = "[" * 600 + "1.50" + "]" * 600
    part = chat_pb2.ContentPart(json='{"type": "odd", "n": 1e2}')
    chat = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", parts=[part])], extra_json=f' {{"seed": {10**30}, "k": {deep}}}\n')
    chat.tools.add(name="f", parameters_json=f'{{"x": {deep}}}')
    body = chat_to_body(chat, "m", stream=True)
    assert body.endswith(f'"stream":true,"seed": {10**30}, "k": {deep}}}'.encode())
    assert b'"content":[{"type": "odd", "n": 1e2}]' in body
    assert f'"parameters":{{"x": {deep}}}'.encode() in body
    assert orjson.loads(body)["seed"] == 1e30
    assert chat_to_body(chat_pb2.Chat(extra_json=" { } "), "m", stream=False) == b'{"model":"m","messages":[]}'


@pytest.mark.parametrize("chat", [chat_pb2.Chat(temperature=math.nan), chat_pb2.Chat(top_p=-math.inf)])
def test_what_is_no_number_in_json_is_refused(chat: chat_pb2.Chat) -> None:
    """Not sent as null."""
    with pytest.raises(InvalidBody, match="must be a number"):
        chat_to_body(chat, "m", stream=False)


def test_a_backend_that_counts_in_booleans_fails_nothing() -> None:
    """True is no number of tokens and no index."""
    assert usage_of({"usage": {"prompt_tokens": True, "completion_tokens": 2}}) == routing_pb2.Usage(completion_tokens=2)
    assert chunk_from_event(b'data: {"choices": [{"index": true}]}').deltas[0].index == 0
    assert completion_from_json(b'{"choices": [{"index": true}]}', "weak").choices[0].index == 0


def test_an_event_without_data_is_a_chunk_of_bytes_alone() -> None:
    """Comments and unknown events pass too."""
    for event in (b": ping\n\n", b"data: [DONE]\n\n", b"event: odd\ndata: not JSON\n\n", b"data: [1]\n\n"):
        assert chunk_from_event(event) == route_service_pb2.ChatCompletionChunk(raw=event)
