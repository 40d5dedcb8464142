"""The body: parsed once, spliced by bytes."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from controller.body import parse_body
from pointsman.runtime.errors import InvalidBody, InvalidRequest

_LIMIT = 1 << 24
_AWKWARD = ["model", '"', "\\", "\\\\", "{", "}", "[", "]", ",", ":", "\n", "\u0000", "é", "你", "😀", '"model":"x"', "\\u0022", " "]


def _value(draw: random.Random, depth: int) -> Any:
    kind = draw.randrange(8 if depth else 6)
    if kind == 6:
        return [_value(draw, depth - 1) for _ in range(draw.randrange(4))]
    if kind == 7:
        return {_text(draw): _value(draw, depth - 1) for _ in range(draw.randrange(4))}
    return [None, True, False, draw.randrange(-(10**12), 10**12), draw.uniform(-1e9, 1e-9), _text(draw)][kind]


def _text(draw: random.Random) -> str:
    return "".join(draw.choice(_AWKWARD) for _ in range(draw.randrange(6)))


@pytest.mark.parametrize("seed", range(300))
def test_splicing_changes_the_model_and_nothing_else(seed: int) -> None:
    """Whatever surrounds it: the spliced bytes parse to the same object but for `model`, and differ in that span alone."""
    draw = random.Random(seed)
    fields = {f"{_text(draw)}{n}": _value(draw, 3) for n in range(draw.randrange(6))}
    fields |= {"model": _text(draw), "messages": [{"role": "user", "content": _text(draw)}], "stream": draw.choice([True, False, None])}
    items = list(fields.items())
    draw.shuffle(items)
    layouts: list[dict[str, Any]] = [{}, {"indent": 2}, {"separators": (",", ":")}, {"separators": (" ,\t", "\n:  ")}]
    raw = json.dumps(dict(items), ensure_ascii=draw.random() < 0.5, **draw.choice(layouts)).encode()
    body = parse_body(raw, reads=("messages",), max_bytes=_LIMIT)
    spliced = body.with_model("new 模型")
    assert json.loads(spliced) == {**fields, "model": "new 模型"}
    start, end = body.model_span
    assert json.loads(raw[start:end]) == fields["model"]
    assert spliced[:start] == raw[:start]
    assert spliced[len(spliced) - (len(raw) - end) :] == raw[end:]


@pytest.mark.parametrize("seed", range(300))
def test_broken_bytes_are_refused_or_parsed_and_nothing_else(seed: int) -> None:
    """A body with some bytes changed, removed or doubled is InvalidRequest or spliced rightly, and never another error."""
    draw = random.Random(seed)
    raw = bytearray(b'{"model":"router-mf-0.5","messages":[{"role":"user","content":"h\\u00e9 \\"x\\""}],"n":[1,{"a":[]}],"stream":false}')
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(raw))
        raw[at : at + draw.randrange(2)] = bytes(draw.choice([b"", b'"', b"{", b"}", b"\\", b"\xff", b",", b'"model":']))
    try:
        body = parse_body(bytes(raw), reads=("messages",), max_bytes=_LIMIT)
    except InvalidRequest:
        return
    assert json.loads(body.with_model("m"))["model"] == "m"


def test_a_nested_model_is_not_the_model() -> None:
    """Only the top level's counts, wherever it stands."""
    raw = b'{"messages":[{"role":"user","content":"x","model":"inner"}],"meta":{"model":"inner"},"model":"outer"}'
    assert parse_body(raw, reads=("messages",), max_bytes=_LIMIT).model == "outer"


def test_a_key_written_with_escapes_is_the_same_key() -> None:
    """`mod\\u0065l` is `model`, so a second one can't hide."""
    with pytest.raises(InvalidBody, match="model appears twice"):
        parse_body(b'{"model":"a","messages":[1],"mod\\u0065l":"b"}', reads=("messages",), max_bytes=_LIMIT)


@pytest.mark.parametrize("value", [rb'"\ud83d"', b"1e400", b"[" * 1100 + b"]" * 1100, b"NaN", b"01", b"'x'", b"1,"])
def test_what_is_no_json_is_refused(value: bytes) -> None:
    """The guide names these, so that nobody is surprised."""
    with pytest.raises(InvalidBody, match="not valid JSON"):
        parse_body(b'{"model":"m","messages":[1],"x":' + value + b"}", reads=("messages",), max_bytes=_LIMIT)


def test_a_byte_order_mark_is_refused() -> None:
    """As JSON's own standard has it."""
    with pytest.raises(InvalidBody, match="byte order mark"):
        parse_body(b'\xef\xbb\xbf{"model":"m","messages":[1]}', reads=("messages",), max_bytes=_LIMIT)
