"""What a request needs of a backend, read off the body of whichever endpoint it came to. Its fields may have any shape: odd ones are the
backend's to refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_BYTES_PER_TOKEN: Final = 4
_PARTS: Final = {
    "image_url": "vision",
    "input_image": "vision",
    "computer_screenshot": "vision",
    "input_audio": "audio",
    "file": "files",
    "input_file": "files",
}
_SAID: Final = ("content", "output", "summary")  # of an item of a response's input: texts, or parts that have them
_CALLED: Final = ("arguments", "input")
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Needs:
    """Features, each with the request's field that asks for it, and an estimate of the tokens of prompt and answer together.

    Tokens are estimated as a quarter of the text's UTF-8 bytes, which is four characters of English and about one of Chinese, and the
    answer counts with the limit that the request names. Images, audio and files count as nothing.
    """

    features: Mapping[str, str]
    tokens: int = 0
    text_at: str = "messages"
    """The field that most of the tokens are in."""


def chat_needs(fields: Fields) -> Needs:
    """Of a chat completion's body."""
    features: dict[str, str] = {}
    length = _declared(fields, features)
    for where, message in _objects(fields, "messages"):
        if message.get("tool_calls") or message.get("role") in ("tool", "function"):
            features.setdefault("tools", where)
        _note_parts(message.get("content"), where, features)
        length += _text_bytes(message.get("content")) + _bytes_of(message.get("tool_calls"))
    return Needs(features, _tokens(length) + _limit(fields, "max_completion_tokens", "max_tokens"))


def completion_needs(fields: Fields) -> Needs:
    """Of a completion's body: of several prompts the longest counts, since each has a context of its own."""
    features: dict[str, str] = {}
    length = _declared(fields, features) + _bytes_of(fields.get("suffix"))
    prompt = fields.get("prompt")
    # Texts, tokens, or either of them as the only one.
    several = prompt if isinstance(prompt, list) and not any(isinstance(each, int) for each in prompt) else [prompt]
    longest = max((len(each) if isinstance(each, list) else _tokens(_text_bytes(each)) for each in several), default=0)
    return Needs(features, longest + _tokens(length) + _limit(fields, "max_tokens"), "prompt")


def response_needs(fields: Fields) -> Needs:
    """Of a response's body: of all items of its input, messages or not."""
    features: dict[str, str] = {}
    length = _declared(fields, features) + _text_bytes(fields.get("instructions"))
    if isinstance(text := fields.get("text"), dict):
        _note_shape(text.get("format"), "text.format", features)
    if isinstance(given := fields.get("input"), str):
        length += _text_bytes(given)
    for where, item in _objects(fields, "input"):
        if isinstance(kind := item.get("type"), str) and (kind.endswith(("_call", "_call_output")) or kind.startswith("mcp_")):
            features.setdefault("tools", where)
        for name in _SAID:
            _note_parts(item.get(name), where, features)
            length += _text_bytes(item.get(name))
        length += sum(_bytes_of(item.get(name)) for name in _CALLED)
    return Needs(features, _tokens(length) + _limit(fields, "max_output_tokens"), "input")


def no_needs(_: Fields) -> Needs:
    """Of a body that is its one backend's to judge."""
    return Needs({})


def _declared(fields: Fields, features: dict[str, str]) -> int:
    """Notes what any endpoint's body may ask for at its top level, and gives the bytes of the tools that it declares."""
    length = 0
    for name in ("tools", "functions"):
        if declared := fields.get(name):
            features.setdefault("tools", name)
            length += _bytes_of(declared)
    _note_shape(fields.get("response_format"), "response_format", features)
    if fields.get("audio") or (isinstance(modalities := fields.get("modalities"), list) and "audio" in modalities):
        features["audio"] = "modalities"
    return length


def _note_shape(shape: Any, where: str, features: dict[str, str]) -> None:
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        features.setdefault("json_schema", where)


def _note_parts(content: Any, where: str, features: dict[str, str]) -> None:
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict) and isinstance(kind := part.get("type"), str) and kind in _PARTS:
            features.setdefault(_PARTS[kind], where)


def _objects(fields: Fields, name: str) -> Iterator[tuple[str, Fields]]:
    """The objects of an array, each with its place."""
    values = fields.get(name)
    for index, value in enumerate(values if isinstance(values, list) else []):
        if isinstance(value, dict):
            yield f"{name}[{index}]", value


def _text_bytes(content: Any) -> int:
    """Of a text, of texts, or of the parts that have one."""
    texts = [content]
    if isinstance(content, list):
        texts = [part.get("text") if isinstance(part, dict) else part for part in content]
    return sum(_bytes_of(text) for text in texts if isinstance(text, str))


def _bytes_of(value: Any) -> int:
    """About what a JSON value takes, whatever its depth: its texts and names, and four bytes for all else."""
    length, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            length += len(each.encode(errors="surrogatepass"))
        elif isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif each is not None:
            length += 4
    return length


def _tokens(length: int) -> int:
    return -(-length // _BYTES_PER_TOKEN)


def _limit(fields: Fields, *names: str) -> int:
    """The tokens that the answer may have, by the first of the fields that is there."""
    asked = next((fields[name] for name in names if name in fields), None)
    return asked if isinstance(asked, int) and asked > 0 else 0
