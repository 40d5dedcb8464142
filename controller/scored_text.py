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
            raise InvalidBody(f"messages[{index}] must be an object with a role, such as user.", param=f"messages[{index}]")
    return _of_turns([(f"messages[{index}]", message) for index, message in enumerate(messages)], window)


def scored_prompt(prompt: object) -> str:
    """The text to score of a completion's `prompt`: several prompts joined by newlines, and nothing for tokens or no prompt.

    Raises `InvalidBody` for anything but a string, or an array of strings or of tokens.
    """
    if isinstance(prompt, str):
        return prompt.strip() and prompt
    if prompt is None or prompt == [] or (isinstance(prompt, list) and isinstance(prompt[0], int | list)):
        return ""
    if not isinstance(prompt, list) or not all(isinstance(text, str) for text in prompt):
        raise InvalidBody("prompt must be a string, or an array of strings or of tokens.", param="prompt")
    return "\n".join(text for text in prompt if text.strip())


def scored_input(value: object, window: Window = "last_user_message") -> str:
    """The text to score of a response's `input`: a string, or the last user message among the items.

    Items that aren't messages (tool calls and their results, reasoning) are passed over. Raises `InvalidBody` naming the place.
    """
    if isinstance(value, str):
        return value.strip() and value
    if not isinstance(value, list | None):
        raise InvalidBody("input must be a string or an array of items.", param="input")
    items = [(f"input[{index}]", item) for index, item in enumerate(value or [])]
    for where, item in items:
        if not isinstance(item, dict):
            raise InvalidBody(f"{where} must be an object.", param=where)
    return _of_turns([(where, item) for where, item in items if "role" in item], window)


def clipped(text: str, max_chars: int) -> tuple[str, bool]:
    """Head (three quarters) and tail of a text longer than `max_chars` characters, and whether it was."""
    if len(text) <= max_chars:
        return text, False
    head = max_chars * 3 // 4
    return text[:head] + text[len(text) - (max_chars - head) :], True


def _of_turns(turns: Sequence[tuple[str, dict[str, Any]]], window: Window) -> str:
    """The text of the last user turn, or of the conversation; each turn comes with its place in the body."""
    if window == "conversation":
        spoken = [(w, turn) for w, turn in turns if turn["role"] == "user" or (turn["role"] == "assistant" and turn.get("content"))]
        return "\n\n".join(filter(None, (_text(where, turn) for where, turn in spoken)))
    last = next((turn for turn in reversed(turns) if turn[1]["role"] == "user"), None)
    return _text(*last) if last else ""


def _text(turn_at: str, message: dict[str, Any]) -> str:
    where = f"{turn_at}.content"
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
            raise InvalidBody(f"{where}[{index}] must be an object with a type, such as text.", param=f"{where}[{index}]")
        if part["type"] in ("text", "input_text", "output_text"):
            if not isinstance(part.get("text"), str):
                raise InvalidBody(f"{where}[{index}].text must be a string.", param=f"{where}[{index}].text")
            if part["text"].strip():
                yield part["text"]
