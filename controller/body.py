"""A request's body: parsed once, then only looked at; what goes on to the backend is its bytes with `model` spliced."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson

from pointsman.runtime.errors import BodyTooLarge, InvalidBody, InvalidModelString

# What precedes a key, the key, and its value where that is a string or a scalar.
_FIELD = re.compile(rb'[\s,]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")\s*+:\s*+("[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s,{}\[\]"]++)?', re.DOTALL)
# A string, or a bracket; what lies between them (numbers, commas, names) can't end a value. Possessive, so that no input backtracks.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Body:
    """A body of one of OpenAI's endpoints: the bytes as they came, and what routing needs of them."""

    raw: bytes
    model: str
    model_span: tuple[int, int]  # the bytes of model's value, quotes included
    fields: dict[str, Any]  # the top level, parsed; of two equal keys the last
    user: str  # OpenAI's `user`, empty when absent
    stream: bool

    def with_model(self, model: str) -> bytes:
        """The body with only the value of `model` replaced; one copy."""
        start, end = self.model_span
        return b"".join((self.raw[:start], json.dumps(model).encode(), self.raw[end:]))


def parse_body(raw: bytes, *, reads: Collection[str], max_bytes: int) -> Body:
    """The body, checked for what routing needs and for nothing else.

    `reads` are the fields beside `model` that the endpoint's rules look at; none of them may come twice.
    Raises `InvalidBody` or `InvalidModelString`.
    """
    if len(raw) > max_bytes:
        raise BodyTooLarge(f"The body is longer than the {max_bytes:,} bytes of controller.max_body_bytes; send less.")
    fields = _parsed(raw)
    spans = _top_level_spans(raw, {"model", *reads})
    if "model" not in fields:
        raise InvalidBody("model is missing; it reads router-<strategy>-<threshold>, such as router-mf-0.1.", param="model")
    model, user, stream = fields["model"], fields.get("user"), fields.get("stream")
    if not isinstance(model, str):
        raise InvalidModelString(f"model must be a string such as router-mf-0.1, not {kind_of(model)}.", param="model")
    if not isinstance(stream, bool | None):
        raise InvalidBody(f"stream must be true or false, not {kind_of(stream)}.", param="stream")
    return Body(raw, model, spans["model"], fields, user if isinstance(user, str) else "", stream is True)


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f" (line {error.lineno}, column {error.colno})" if raw else ""
        raise InvalidBody(f"The body is not valid JSON in UTF-8: {error.msg}{where}.") from None
    if not isinstance(fields, dict):
        raise InvalidBody(f"The body must be a JSON object, not {kind_of(fields)}.")
    return fields


def _top_level_spans(raw: bytes, once: Collection[str]) -> dict[str, tuple[int, int]]:
    """Where each top-level value lies. The text is known to be a valid JSON object.

    A parser keeps the last of two equal keys and a backend may keep the first, so what routing reads is refused twice.
    """
    spans: dict[str, tuple[int, int]] = {}
    at = raw.index(b"{") + 1
    while field := _FIELD.match(raw, at):
        key = field[1][1:-1].decode() if b"\\" not in field[1] else orjson.loads(field[1])
        if key in spans and key in once:
            raise InvalidBody(f"{key} appears twice in the body; send it once.", param=key)
        start, at = field.span(2) if field[2] else (field.end(), _nested_end(raw, field.end()))
        spans[key] = (start, at)
    return spans


def _nested_end(raw: bytes, start: int) -> int:
    """The end of an object or an array."""
    depth = 0
    for token in _TOKEN.finditer(raw, start):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end()
    raise InvalidBody("The body is not valid JSON: a bracket is not closed.")


def kind_of(value: object) -> str:
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
