"""What is wrong with a setting, or with the file's YAML, in a sentence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args

import yaml
from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MUST_BE: Final[Mapping[str, str]] = {
    "dict_type": 'keys and values, such as {"key": "value"}',
    "model_type": 'keys and values, such as {"key": "value"}',
    "list_type": 'a list, such as ["a", "b"]',
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number, without a unit",
    "float_parsing": "a number, without a unit",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
"""By pydantic's type of error."""
PATTERNS: Final[Mapping[str, str]] = {
    r"^https?://[^\s]+$": "a URL that begins with http:// or https://",
    r"^rediss?://[^\s]+$": "a URL that begins with redis:// or rediss://",
    r"^[^\s/@]+:\d+$": "an address, host:port",
    r"^[A-Z]{3}$": "three capital letters, such as USD",
    r"^[0-9a-f]{64}$": "64 hex digits in lower case, as sha256sum prints them",
    r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$": "a header's name: letters, digits and -, without spaces",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "a name of letters, digits, '.', '_' and '-', with a letter or a digit first",
    r"^[a-z0-9][a-z0-9._-]*$": "a name of lower-case letters, digits, '.', '_' and '-', with a letter or a digit first",
    r"^[a-z][a-z0-9_]*$": "a name of lower-case letters, digits and '_', with a letter first",
    r"^[a-z]([a-z0-9-]*[a-z0-9])?$": "a name of lower-case letters, digits and '-', with a letter first and no '-' last",
}
"""What the schemas' patterns ask for."""
_YAML_ADVICE: Final[Mapping[str, str]] = {
    "mapping values are not allowed": "a value with ': ' in it needs quotes, and a key begins its line",
    r"'\t'": "indent with spaces, tabs are none of YAML's",
    "<block end>": "keys of one part are indented alike",
    "unexpected end of stream": "a quote isn't closed",
    "or '}'": "a { isn't closed, or a comma is missing",
    "or ']'": "a [ isn't closed, or a comma is missing",
    "another document": "the file is one document: remove the line ---",
    "could not find expected ':'": "every key is followed by ': '",
    "constructor for the tag": "a value that begins with ! needs quotes",
    "undefined alias": "a value that begins with * needs quotes",
}
"""By what the parser says."""


def sentence(error: ErrorDetails, schema: type[BaseModel]) -> str:
    """The key and what is wrong with it, with the nearest valid name where it is unknown; never its value."""
    loc = error["loc"]
    key = ".".join(str(part) for part in loc) or "settings"
    if error["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1], schema)
        near = difflib.get_close_matches(str(loc[-1]), known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{key}: unknown key; {advice}"
    return f"{key}: {_what_is_wrong(error)}"


def _what_is_wrong(error: ErrorDetails) -> str:
    kind, given, context = error["type"], error.get("input"), error.get("ctx", {})
    said = str(error["msg"]).removeprefix("Value error, ")
    if kind in ("dict_type", "model_type") and given is None:
        return "has nothing below it; give it keys, or remove it"
    if kind in _MUST_BE:
        quotes = "; put it in quotes" if kind == "string_type" and isinstance(given, bool | int | float) else ""
        return f"must be {_MUST_BE[kind]}, not {_kind_of(given)}{quotes}"
    if kind == "string_pattern_mismatch" and (words := PATTERNS.get(str(context.get("pattern")))):
        return f"must be {words}"
    if kind == "literal_error" and isinstance(given, str):
        near = difflib.get_close_matches(given[:64], re.findall("'([^']*)'", str(context.get("expected"))), n=1)
        return f"{said}; did you mean {near[0]!r}?" if near else said
    return said


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case Mapping():
            return "keys and values"
        case list() | tuple():
            return "a list"
    return "a date" if hasattr(value, "year") else "that"


def yaml_fault(error: yaml.YAMLError, text: str) -> tuple[int | None, str]:
    """The line and what is wrong with it, without the line itself: somebody may have written a key into it."""
    if isinstance(error, yaml.reader.ReaderError):
        return text.count("\n", 0, error.position) + 1, "a control character, which YAML has no place for; remove it"
    if not isinstance(error, yaml.MarkedYAMLError) or not error.problem_mark:
        return None, "it can't be parsed"
    problem = re.sub(" (alias|tag) '.*", r" \1", str(error.problem))  # which it quotes
    said = f"column {error.problem_mark.column + 1}: {problem}"
    advice = next((words for part, words in _YAML_ADVICE.items() if part in problem), "")
    return error.problem_mark.line + 1, f"{said}; {advice}" if advice else said


def top_level_fault(values: object) -> str:
    """What is wrong with a file whose YAML isn't a mapping."""
    return f"the top level must be keys and values, such as `gateway:`, not {_kind_of(values)}"


def _known_keys(loc: tuple[int | str, ...], schema: type[BaseModel]) -> list[str]:
    annotation: Any = schema
    for part in loc:
        annotation = _without_none(annotation.model_fields[part].annotation) if _is_model(annotation) else get_args(annotation)[-1]
    return sorted(annotation.model_fields) if _is_model(annotation) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _without_none(annotation: Any) -> Any:
    return next((a for a in get_args(annotation) if _is_model(a) and type(None) in get_args(annotation)), annotation)
