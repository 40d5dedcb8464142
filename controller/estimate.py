"""Tokens of a text whose backend counts none: four characters are one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pointsman.v1 import routing_pb2

_CHARACTERS_PER_TOKEN: Final = 4
_TEXTS: Final = frozenset(
    {"content", "text", "refusal", "reasoning_content", "tool_calls", "function", "name", "arguments", "input", "output"}
)
_ASKED: Final = ("messages", "prompt", "input", "instructions")
_OF_A_CHOICE: Final = frozenset({"message", "delta", "text"})
_OF_AN_ANSWER: Final = frozenset({"output", "delta"})


def characters_of(said: Any, names: frozenset[str] = _TEXTS) -> int:
    """Of the texts in a request's messages, or in one message, whatever it is made of; images and audio have none.

    `names` are the fields of an object that count.
    """
    total, waiting = 0, [(said, names)]
    while waiting:  # a loop, since JSON may be nested deeper than Python's stack
        each, counted = waiting.pop()
        if isinstance(each, str):
            total += len(each)
        elif isinstance(each, list):
            waiting += [(item, counted) for item in each]
        elif isinstance(each, dict):
            waiting += [(value, _TEXTS) for name, value in each.items() if name in counted]
    return total


def asked_characters(fields: Mapping[str, Any]) -> int:
    """Of the texts in a request's body, whichever endpoint's it is."""
    return sum(characters_of(fields.get(name)) for name in _ASKED)


def answered_characters(answer: Any) -> int:
    """Of the texts in an answer, or in one event of a stream."""
    if not isinstance(answer, dict):
        return 0
    choices = answer.get("choices")
    if isinstance(choices, list):
        return characters_of(choices, _OF_A_CHOICE)
    return characters_of(answer, _OF_AN_ANSWER)


def estimated(asked: int, answered: int) -> routing_pb2.Usage:
    """The usage of so many characters, marked as an estimate."""
    return routing_pb2.Usage(prompt_tokens=_tokens(asked), completion_tokens=_tokens(answered), estimated=True)


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_PER_TOKEN)
