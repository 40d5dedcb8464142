"""Capability before cost (rule 11): what a request needs of a backend, and what a backend lacks of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pointsman.runtime.backend_settings import BackendSettings

_BYTES_PER_TOKEN: Final = 4
_PARTS: Final = {"image_url": "vision", "input_image": "vision", "input_audio": "audio"}


@dataclass(frozen=True, slots=True)
class Needs:
    """Features, each with the request's field that asks for it, and an estimate of the tokens of prompt and answer together."""

    features: Mapping[str, str]
    tokens: int = 0


def is_guarded(backend: BackendSettings) -> bool:
    """Whether there is anything that the backend can't do."""
    return backend.supports is not None or backend.max_context is not None


def needs_of(fields: Mapping[str, Any]) -> Needs:
    """Of an OpenAI body's fields, whose messages may have any shape.

    Tokens are estimated as a quarter of the text's UTF-8 bytes, which is four characters of English and about one of Chinese, and the
    answer counts with the `max_tokens` that the request names. Images and audio count as nothing.
    """
    features: dict[str, str] = {}
    length = 0
    for name in ("tools", "functions"):
        if declared := fields.get(name):
            features.setdefault("tools", name)
            length += _bytes_of(declared)
    shape = fields.get("response_format")
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        features["json_schema"] = "response_format"
    if fields.get("audio") or (isinstance(modalities := fields.get("modalities"), list) and "audio" in modalities):
        features["audio"] = "modalities"
    messages = fields.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else []):
        if isinstance(message, dict):
            where = f"messages[{index}]"
            if message.get("tool_calls") or message.get("role") in ("tool", "function"):
                features.setdefault("tools", where)
            for feature in _features_of_parts(message.get("content")):
                features.setdefault(feature, where)
            length += _text_bytes(message)
    return Needs(features, -(-length // _BYTES_PER_TOKEN) + _answer_tokens(fields))


def lacks(backend: BackendSettings, needs: Needs) -> dict[str, str]:
    """What the backend lacks, in words, each with the request's field; empty where it lacks nothing."""
    missing = {
        feature: where for feature, where in needs.features.items() if backend.supports is not None and feature not in backend.supports
    }
    if backend.max_context is not None and needs.tokens > backend.max_context:
        missing[f"a context of about {needs.tokens} tokens (it has {backend.max_context})"] = "messages"
    return missing


def _features_of_parts(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and isinstance(kind := part.get("type"), str) and kind in _PARTS:
            yield _PARTS[kind]


def _text_bytes(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    texts = [content, *(part.get("text") for part in content if isinstance(part, dict))] if isinstance(content, list) else [content]
    return sum(_bytes_of(text) for text in texts if isinstance(text, str)) + _bytes_of(message.get("tool_calls"))


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


def _answer_tokens(fields: Mapping[str, Any]) -> int:
    asked = fields.get("max_completion_tokens", fields.get("max_tokens"))
    return asked if isinstance(asked, int) and asked > 0 else 0
