"""Protobuf messages as bytes on the wire, made up from their descriptors: rightly, wrongly, and not at all."""

from __future__ import annotations

import struct
from functools import cache
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz import texts

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEP: Final = 200
"""Levels of nesting; protobuf refuses more than a hundred."""
_DOUBLES: Final = (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64)
_FLOATS: Final = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_SFIXED32)
_MEANT: Final[dict[str, tuple[str, ...]]] = {
    "model": texts.MODELS,
    "endpoint": ("chat/completions", "completions", "responses", "embeddings"),
    "strategies": ("mf", "random"),
    "strategy": ("mf", "random"),
    "pair": ("default", ""),
    "policy": ("cheap",),
    "role": ("user", "assistant", "system", "tool"),
    "name": ("content-type", "accept", "f"),
}
"""What a field of that name may well hold, so that cases come through to what lies behind it."""


def requests(message: Descriptor) -> SearchStrategy[bytes]:
    """A request of that type: of its fields, with unknown ones among them, spoilt in places, or any bytes."""
    deep = st.sampled_from([b"\x0b" * _DEEP + b"\x0c" * _DEEP, _nested(_DEEP)])
    return st.one_of(
        of(message), of(message), of(message).flatmap(texts.damaged), st.binary(max_size=64), st.tuples(of(message), deep).map(b"".join)
    )


@cache
def of(message: Descriptor, depth: int = 5) -> SearchStrategy[bytes]:
    """The message with some of its fields, each any number of times, and sometimes one that it doesn't have."""
    if not message.fields or not depth:
        return _unknown()
    fields = st.sampled_from(list(message.fields)).flatmap(lambda field: _field(field, depth))
    return st.lists(st.integers(0, 19).flatmap(lambda n: fields if n else _unknown()), max_size=6).map(b"".join)


@cache
def _field(field: FieldDescriptor, depth: int) -> SearchStrategy[bytes]:
    if field.message_type is not None:
        return of(field.message_type, depth - 1).map(lambda value: _tag(field.number, _BYTES) + _sized(value))
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(field.name).map(lambda value: _tag(field.number, _BYTES) + _sized(value))
    if field.type == FieldDescriptor.TYPE_BYTES:
        whole = st.one_of(texts.written(texts.bodies()), st.binary())
        return whole.map(lambda value: _tag(field.number, _BYTES) + _sized(value))
    if field.type in _DOUBLES:
        numbers = st.one_of(st.floats(0, 1), st.floats())
        return numbers.map(lambda value: _tag(field.number, _FIXED64) + struct.pack("<d", value))
    if field.type in _FLOATS:
        return st.floats(width=32).map(lambda value: _tag(field.number, _FIXED32) + struct.pack("<f", value))
    whole_numbers = st.one_of(st.integers(0, 9), st.integers(0, (1 << 64) - 1))
    return whole_numbers.map(lambda value: _tag(field.number, _VARINT) + _varint(value))


@cache
def _text(name: str) -> SearchStrategy[bytes]:
    """UTF-8, mostly: now and then bytes that aren't."""
    anything = st.one_of(
        texts.words().map(str.encode), st.integers(0, 9).flatmap(lambda n: texts.words().map(str.encode) if n else st.binary())
    )
    if name.endswith("json"):
        return st.one_of(texts.written(texts.json_values()), texts.written(texts.bodies()), anything)
    if name in _MEANT:
        meant = st.sampled_from(_MEANT[name]).map(str.encode)
        return st.one_of(meant, meant, anything)
    return anything


@cache
def _unknown() -> SearchStrategy[bytes]:
    numbers = st.integers(1, (1 << 29) - 1)
    varint = st.tuples(numbers, st.integers(0, (1 << 64) - 1)).map(lambda case: _tag(case[0], _VARINT) + _varint(case[1]))
    return st.one_of(varint, st.tuples(numbers, st.binary()).map(lambda case: _tag(case[0], _BYTES) + _sized(case[1])))


def _nested(levels: int) -> bytes:
    """Field 1 within field 1, and so on: whatever the message has there."""
    value = b""
    for _ in range(levels):
        value = _tag(1, _BYTES) + _sized(value)
    return value


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _sized(value: bytes) -> bytes:
    return _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
