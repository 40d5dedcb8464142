"""JSON schemas, as an OpenAPI document has them: as rows of a table, and in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from docs.generator.markdown import anchor, cell

Schema = Mapping[str, Any]
CONTRACT: Final = "x-protobuf-type"
"""What names a message or an enum of the contracts."""
_FEW: Final = 4
_BOUNDS: Final = (
    ("minimum", "at least {:,g}"),
    ("exclusiveMinimum", "above {:,g}"),
    ("maximum", "at most {:,g}"),
    ("minItems", "at least {:,g}"),
    ("maxItems", "at most {:,g}"),
    ("maxLength", "at most {:,g} characters"),
    ("pattern", "`{}`"),
)


def rows(schema: Schema, above: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Of an object's fields, and of those inside: name, type, `needed` or nothing, and what it means."""
    for name, field in schema.get("properties", {}).items():
        named = above + name
        yield f"`{named}`", kind(field), "needed" if name in schema.get("required", ()) else "", meaning(field)
        yield from rows(field, f"{named}.")
        yield from rows(field.get("items", {}), f"{named}[].")


def meaning(schema: Schema) -> str:
    """Its description, with examples or all values where there are too many for its type."""
    more = ""
    if len(schema.get("enum", ())) > _FEW:
        more = f" One of {_either(schema['enum'], ', ')}."
    elif "examples" in schema:
        more = f" Such as {_either(schema['examples'], ', ')}."
    return cell(schema.get("description", "") + more)


def kind(schema: Schema) -> str:
    """Its type, with a link to what it is."""
    said = [_kind(schema)]
    if schema.get("minimum") == 0 and "maximum" in schema:
        said.append(f"0 to {schema['maximum']:,g}")
    else:
        said += [words.format(schema[bound]) for bound, words in _BOUNDS if bound in schema]
    return ", ".join(said)


def _kind(schema: Schema) -> str:
    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    if CONTRACT in schema and "properties" not in schema:
        return f"{'' if schema['type'] == 'object' else 'string: '}{contract_link(schema)}"
    if "const" in schema:
        return _either([schema["const"]], "")
    if "enum" in schema:
        return _either(schema["enum"], " or ") if len(schema["enum"]) <= _FEW else "string"
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    names = schema.get("type", "any")
    return " or ".join(_named(each, schema) for each in ([names] if isinstance(names, str) else names))


def _named(name: str, schema: Schema) -> str:
    if name == "array" and "items" in schema:
        return f"array of {kind(schema['items'])}"
    if name == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        return f"map of string to {kind(values)}"
    return str(name)


def _either(values: list[Any], between: str) -> str:
    return between.join(f"`{each if isinstance(each, str) else json.dumps(each)}`" for each in values)


def link(name: str) -> str:
    """To a schema, or another heading of the page."""
    return f"[{name}]({anchor(name)})"


def contract_link(schema: Schema) -> str:
    """To what the schema is in the contracts."""
    name = schema[CONTRACT].removeprefix("pointsman.v1.")
    return f"[{name}](reference-grpc.md{anchor(name)})"
