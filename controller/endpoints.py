"""The endpoints of OpenAI's API that are answered, and what routing reads of each one's body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.body import kind_of
from controller.needs import Needs, chat_needs, completion_needs, no_needs, response_needs
from controller.scored_text import Window, scored_input, scored_prompt, scored_text
from pointsman.runtime.errors import InvalidBody

CHAT_COMPLETIONS: Final = "chat/completions"
Fields = Mapping[str, Any]
_STATE: Final = ("previous_response_id", "conversation")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The rules of one endpoint."""

    reads: tuple[str, ...]
    """The fields beside `model` that the rules look at; a body that has one twice is refused."""
    text: Callable[[Fields, Window], str]
    """The text to score; empty when there is nothing to score. Raises `InvalidBody`."""
    unroutable: Callable[[Fields], str]
    """Why only a backend that is named can answer, as a sentence; empty where any may."""
    needs: Callable[[Fields], Needs]
    """What it takes of a backend to answer."""


def _messages(fields: Fields, window: Window) -> str:
    messages = fields.get("messages")
    if not isinstance(messages, list):
        what = "missing" if "messages" not in fields else f"{kind_of(messages)}; it must be an array of messages"
        raise InvalidBody(f"messages is {what}.", param="messages")
    if not messages:
        raise InvalidBody("messages is empty; at least one message is needed.", param="messages")
    return scored_text(messages, window)


def _any_may_answer(_: Fields) -> str:
    return ""


def _refers_to_state(fields: Fields) -> str:
    """A response that builds on what one backend keeps can be answered there alone."""
    for name in _STATE:
        if fields.get(name) is not None:
            return f"{name} stands for what one backend keeps, and another can't continue it."
    items = fields.get("input")
    if isinstance(items, list) and any(isinstance(item, dict) and item.get("type") == "item_reference" for item in items):
        return "An item_reference stands for what one backend keeps, and another can't read it."
    return ""


def _vectors_differ(_: Fields) -> str:
    return "Embeddings are never routed, since vectors of two models can't be compared."


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    CHAT_COMPLETIONS: Endpoint(("messages",), _messages, _any_may_answer, chat_needs),
    "completions": Endpoint(("prompt",), lambda fields, _: scored_prompt(fields.get("prompt")), _any_may_answer, completion_needs),
    "responses": Endpoint(
        ("input", *_STATE), lambda fields, window: scored_input(fields.get("input"), window), _refers_to_state, response_needs
    ),
    "embeddings": Endpoint((), lambda *_: "", _vectors_differ, no_needs),
}
"""By the path below /v1."""
