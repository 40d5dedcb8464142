"""Tokens of a text whose backend counts none: four characters are one."""

from __future__ import annotations

from typing import Any, Final

from pointsman.v1 import routing_pb2

_CHARACTERS_PER_TOKEN: Final = 4
_TEXTS: Final = ("content", "text", "refusal", "reasoning_content", "tool_calls", "function", "name", "arguments", "input", "output")
_OF_AN_ANSWER: Final = ("output", "delta")
_OF_A_CHOICE: Final = ("message", "delta", "text")


def characters_of(said: Any) -> int:
    """Of the texts in a request's messages, or in one message, whatever it is made of; images and audio have none."""
    if isinstance(said, str):
        return len(said)
    if isinstance(said, list):
        return sum(map(characters_of, said))
    return sum(characters_of(said[name]) for name in _TEXTS if name in said) if isinstance(said, dict) else 0


def answered_characters(answer: Any) -> int:
    """Of the texts in an answer, or in one event of a stream."""
    if not isinstance(answer, dict):
        return 0
    choices = answer.get("choices")
    of_choices = sum(
        characters_of(choice.get(name))
        for choice in (choices if isinstance(choices, list) else ())
        if isinstance(choice, dict)
        for name in _OF_A_CHOICE
    )
    return of_choices + sum(characters_of(answer.get(name)) for name in _OF_AN_ANSWER)


def estimated(asked: int, answered: int) -> routing_pb2.Usage:
    """The usage of so many characters, marked as an estimate."""
    return routing_pb2.Usage(prompt_tokens=_tokens(asked), completion_tokens=_tokens(answered), estimated=True)


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_PER_TOKEN)
