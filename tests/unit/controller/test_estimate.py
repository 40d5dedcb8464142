"""Tokens that no backend has counted."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from controller.estimate import answered_characters, asked_characters, characters_of, estimated
from controller.usage import UsageWatch
from pointsman.v1 import routing_pb2


@pytest.mark.parametrize(
    ("said", "characters"),
    [
        ("four", 4),
        ([{"role": "user", "content": "你好"}, {"role": "assistant", "content": None}], 2),
        ([{"role": "user", "content": [{"type": "text", "text": "abc"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]}], 3),
        ([{"role": "assistant", "tool_calls": [{"id": "call-1", "function": {"name": "f", "arguments": "{}"}}]}], 3),
        ([{"role": "user", "content": 7}, "odd", None, 3], 3),
        (None, 0),
    ],
)
def test_a_requests_texts_are_counted_and_nothing_else(said: Any, characters: int) -> None:
    """Parts and calls of tools too; no image, no id, and no nonsense that a backend may yet refuse."""
    assert characters_of(said) == characters


@pytest.mark.parametrize(
    ("answer", "characters"),
    [
        ({"choices": [{"message": {"role": "assistant", "content": "hello"}}, {"message": {"content": "you"}}]}, 8),
        ({"choices": [{"delta": {"content": "he"}, "finish_reason": "stop"}]}, 2),
        ({"choices": [{"text": "completed"}]}, 9),
        ({"output": [{"type": "message", "content": [{"type": "output_text", "text": "hello"}]}]}, 5),
        ({"type": "response.output_text.delta", "delta": "he"}, 2),
        ({"choices": "odd"}, 0),
        ([1], 0),
    ],
)
def test_an_answers_texts_are_counted_whatever_its_endpoint(answer: Any, characters: int) -> None:
    """Whole or an event of a stream."""
    assert answered_characters(answer) == characters


def test_four_characters_are_a_token_and_a_part_of_one_counts() -> None:
    """Marked as what it is."""
    assert estimated(9, 4) == routing_pb2.Usage(prompt_tokens=3, completion_tokens=1, estimated=True)
    assert estimated(0, 0) == routing_pb2.Usage(estimated=True)


def test_a_streams_texts_add_up_however_it_is_cut() -> None:
    """Byte by byte, with what isn't JSON in between."""
    events = [orjson.dumps({"choices": [{"delta": {"content": text}}]}) for text in ("he", "llo", " 你好")]
    stream = b": comment\n\n" + b"".join(b"data: " + event + b"\n\n" for event in events) + b"data: {\n\ndata: [DONE]\n\n"
    watch = UsageWatch()
    for n in range(len(stream)):
        watch.feed(stream[n : n + 1])
    assert (watch.characters, watch.usage) == (8, None)


def test_texts_are_counted_however_deep_they_lie() -> None:
    """JSON may be nested deeper than Python's stack."""
    assert asked_characters(orjson.loads('{"messages": ' + "[" * 1000 + '"four"' + "]" * 1000 + "}")) == 4
