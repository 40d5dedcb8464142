"""What of a request is scored: the text of the last user message.

Never a tool result or an assistant turn, so an agent's tool loop keeps the model it began with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pointsman.runtime.errors import InvalidBody

Window = Literal["last_user_message", "conversation"]


def scored_text(messages: Sequence[Any], window: Window = "last_user_message") -> str:
    """The text to score of an OpenAI body's `messages`; empty when there is nothing to score.

    A multimodal message gives its text parts, joined by newlines. `conversation` takes every user and assistant text.
    Raises `InvalidBody` for a message that isn't one, naming its place.
    """
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InvalidBody(f"messages[{index}] must be an object with a role.", param=f"messages[{index}]")
    if window == "conversation":
        spoken = [(i, m) for i, m in enumerate(messages) if m["role"] == "user" or (m["role"] == "assistant" and m.get("content"))]
        return "\n\n".join(filter(None, (_text(index, message) for index, message in spoken)))
    last = next(((i, m) for i, m in reversed(list(enumerate(messages))) if m["role"] == "user"), None)
    return _text(*last) if last else ""


def clipped(text: str, max_chars: int) -> tuple[str, bool]:
    """Head (three quarters) and tail of a text longer than `max_chars` characters, and whether it was."""
    if len(text) <= max_chars:
        return text, False
    head = max_chars * 3 // 4
    return text[:head] + text[len(text) - (max_chars - head) :], True


def _text(index: int, message: dict[str, Any]) -> str:
    where = f"messages[{index}].content"
    content = message.get("content")
    if isinstance(content, str):
        return content.strip() and content
    if isinstance(content, list):
        return "\n".join(_part_texts(content, where))
    raise InvalidBody(
        f"{where} must be a string or an array of parts; a {message['role']} message without content can't be routed.", param=where
    )


def _part_texts(parts: Iterable[Any], where: str) -> Iterable[str]:
    for index, part in enumerate(parts):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise InvalidBody(f"{where}[{index}] must be an object with a type.", param=f"{where}[{index}]")
        if part["type"] in ("text", "input_text"):
            if not isinstance(part.get("text"), str):
                raise InvalidBody(f"{where}[{index}].text must be a string.", param=f"{where}[{index}].text")
            if part["text"].strip():
                yield part["text"]
