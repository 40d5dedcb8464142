"""A chat request's body: parsed once, then only looked at; what goes on to the backend is its bytes with `model` spliced."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pointsman.runtime.errors import BodyTooLarge, InvalidBody, InvalidModelString

# A string, or a bracket; what lies between them (numbers, commas, names) can't end a value. Possessive, so that no input backtracks.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,}]+")
_SPACE = re.compile(rb"[\s,:]*")
_ONCE = frozenset({"model", "messages"})


@dataclass(frozen=True, slots=True)
class ChatBody:
    """An OpenAI chat body: the bytes as they came, and what routing needs of them."""

    raw: bytes
    model: str
    model_span: tuple[int, int]  # the bytes of model's value, quotes included
    messages: list[Any]
    user: str  # OpenAI's `user`, empty when absent
    stream: bool
    fields: Mapping[str, Any]
    """All of it, parsed."""

    def with_model(self, model: str) -> bytes:
        """The body with only the value of `model` replaced; one copy."""
        start, end = self.model_span
        return b"".join((self.raw[:start], json.dumps(model).encode(), self.raw[end:]))


def parse_chat_body(raw: bytes, *, max_bytes: int) -> ChatBody:
    """The body, checked for what routing needs and for nothing else. Raises `InvalidBody` or `InvalidModelString`."""
    if len(raw) > max_bytes:
        raise BodyTooLarge(f"The body is longer than {max_bytes} bytes.")
    fields = _parsed(raw)
    spans = _top_level_spans(raw)
    if "model" not in fields:
        raise InvalidBody("model is missing; it reads router-<strategy>-<threshold>, such as router-mf-0.1.", param="model")
    model, user, stream = fields["model"], fields.get("user"), fields.get("stream")
    if not isinstance(model, str):
        raise InvalidModelString(f"model must be a string such as router-mf-0.1, not {_kind(model)}.", param="model")
    if not isinstance(stream, bool | None):
        raise InvalidBody(f"stream must be true or false, not {_kind(stream)}.", param="stream")
    return ChatBody(raw, model, spans["model"], _messages(fields), user if isinstance(user, str) else "", stream is True, fields)


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f" (line {error.lineno}, column {error.colno})" if raw else ""
        raise InvalidBody(f"The body is not valid JSON in UTF-8: {error.msg}{where}.") from None
    if not isinstance(fields, dict):
        raise InvalidBody(f"The body must be a JSON object, not {_kind(fields)}.")
    return fields


def _messages(fields: dict[str, Any]) -> list[Any]:
    messages = fields.get("messages")
    if not isinstance(messages, list):
        what = "missing" if "messages" not in fields else f"{_kind(messages)}; it must be an array of messages"
        raise InvalidBody(f"messages is {what}.", param="messages")
    if not messages:
        raise InvalidBody("messages is empty; at least one message is needed.", param="messages")
    return messages


def _top_level_spans(raw: bytes) -> dict[str, tuple[int, int]]:
    """Where each top-level value lies. The text is known to be a valid JSON object.

    A parser keeps the last of two equal keys and a backend may keep the first, so `model` or `messages` twice is refused.
    """
    spans: dict[str, tuple[int, int]] = {}
    at = _skip(raw, raw.index(b"{") + 1)
    while raw[at : at + 1] == b'"':
        key_end = _end_of(_STRING, raw, at)
        key = orjson.loads(raw[at:key_end])
        start = _skip(raw, key_end)
        end = _value_end(raw, start)
        if key in spans and key in _ONCE:
            raise InvalidBody(f"{key} appears twice in the body.", param=key)
        spans[key] = (start, end)
        at = _skip(raw, end)
    return spans


def _value_end(raw: bytes, start: int) -> int:
    first = raw[start : start + 1]
    if first == b'"':
        return _end_of(_STRING, raw, start)
    if first not in (b"{", b"["):
        return _end_of(_SCALAR, raw, start)
    depth = 0
    for token in _TOKEN.finditer(raw, start):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end()
    raise InvalidBody("The body is not valid JSON: a bracket is not closed.")


def _skip(raw: bytes, at: int) -> int:
    return _end_of(_SPACE, raw, at)


def _end_of(pattern: re.Pattern[bytes], raw: bytes, at: int) -> int:
    match = pattern.match(raw, at)
    if match is None:
        raise InvalidBody("The body is not valid JSON.")
    return match.end()


def _kind(value: object) -> str:
    """A JSON value's type in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
