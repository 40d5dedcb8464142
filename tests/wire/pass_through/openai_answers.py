"""What a backend of OpenAI's kind answers, for the official client to parse."""

from __future__ import annotations

import json
from typing import Any

from tests.support.backend import Script, answering, streaming

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
CALLS = [
    {"id": f"call_{city}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city":"{city}"}}'}} for city in ("A", "B")
]
_MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}


def chat(message: dict[str, Any], finish_reason: str = "stop") -> Script:
    """A whole chat completion of one choice."""
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish_reason}
    return _whole({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE})


def chat_stream(*deltas: dict[str, Any], finish_reason: str = "stop") -> Script:
    """The same in pieces, with the usage in the last."""
    choices: list[list[dict[str, Any]]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices += [[{"index": 0, "delta": {}, "finish_reason": finish_reason}], []]
    base: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return _events(*({**base, "choices": each, "usage": None if each else USAGE} for each in choices), done=True)


def completion(text: str) -> Script:
    """A whole completion."""
    return _whole(_completion(text))


def completion_stream(*texts: str) -> Script:
    """The same in pieces."""
    return _events(*map(_completion, texts), done=True)


def response(text: str) -> Script:
    """A whole response."""
    return _whole(_response(text))


def response_stream(*texts: str) -> Script:
    """The same in typed events."""
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**_response(""), "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**_MESSAGE, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **place, "part": _text("")},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in texts),
        {"type": "response.completed", "response": _response("".join(texts))},
    ]
    return _events(*({**event, "sequence_number": number} for number, event in enumerate(events)))


def embeddings(vector: str | list[float]) -> Script:
    """One embedding."""
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    return _whole({"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}})


def _completion(text: str) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
    return {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}


def _response(text: str) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "output": [{**_MESSAGE, "content": [_text(text)]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 10,
        },
    }


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _whole(answer: dict[str, Any]) -> Script:
    return answering(200, json.dumps(answer).encode())


def _events(*events: dict[str, Any], done: bool = False) -> Script:
    named = [f"event: {event['type']}\n" if "type" in event else "" for event in events]
    pieces = [f"{name}data: {json.dumps(event)}\n\n".encode() for name, event in zip(named, events, strict=True)]
    return streaming([b": a comment\n\n", *pieces, *([b"data: [DONE]\n\n"] if done else [])])
