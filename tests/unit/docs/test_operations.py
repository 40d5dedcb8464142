"""/openapi.json as docs/reference-rest.md has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docs.generator.schemas import CONTRACT, kind, meaning, rows
from gateway.openapi import document
from pointsman.v1 import admin_service_pb2, route_service_pb2


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in it, and in what stands inside."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _schemas(child)


def test_every_operation_parameter_header_and_answer_is_described() -> None:
    """In words of its own."""
    described = document()
    operations = {
        f"{method} {path}": each for path, item in described["paths"].items() for method, each in item.items() if method != "parameters"
    }
    answers = {f"{name} {status}": each for name, operation in operations.items() for status, each in operation["responses"].items()}
    bodies = [each["requestBody"]["content"]["application/json"]["schema"] for each in operations.values() if "requestBody" in each]
    components = described["components"]
    named = {**components["headers"], **components["parameters"], **components["schemas"], **components["securitySchemes"]}
    own = [parameter for item in described["paths"].values() for parameter in item.get("parameters", ())]
    assert [name for name, each in operations.items() if not each.get("summary")] == []
    assert [name for name, each in {**answers, **named}.items() if not each.get("description")] == []
    assert all(each.get("description") for each in (*own, *bodies))


def test_every_field_of_a_body_is_described() -> None:
    """Of requests and of answers."""
    bare = [
        name
        for schema in _schemas(document())
        if isinstance(schema.get("properties"), dict)
        for name, field in schema["properties"].items()
        if not field.get("description")
    ]
    assert bare == []


def test_an_answer_that_is_a_message_has_its_fields() -> None:
    """Those of the contract, and no other."""
    messages = {**route_service_pb2.DESCRIPTOR.message_types_by_name, **admin_service_pb2.DESCRIPTOR.message_types_by_name}
    answers = {name: set(schema["properties"]) for name, schema in document()["components"]["schemas"].items() if CONTRACT in schema}
    assert len(answers) == 5
    assert answers == {name: set(messages[name].fields_by_name) for name in answers}


def test_a_type_is_said_in_a_few_words() -> None:
    """With its bounds, and with a link to what it is."""
    said: dict[str, dict[str, Any]] = {
        "number, 0 to 1": {"type": "number", "minimum": 0, "maximum": 1},
        "number, above 0, at most 86,400": {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400.0},
        "array of string, at most 1,024": {"type": "array", "items": {"type": "string"}, "maxItems": 1024},
        "string or array of object or null": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}, {"type": "null"}]
        },
        "boolean or null": {"type": ["boolean", "null"]},
        "map of string to string": {"type": "object", "additionalProperties": {"type": "string"}},
        "`strong` or `weak`": {"enum": ["strong", "weak"]},
        "`true`": {"const": True},
        "array of [Model](#model)": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
        "[Receipt](reference-grpc.md#receipt)": {"type": "object", CONTRACT: "pointsman.v1.Receipt"},
        "string: [Reason](reference-grpc.md#reason)": {"type": "string", CONTRACT: "pointsman.v1.Reason"},
        "any": {},
    }
    assert {text: kind(schema) for text, schema in said.items()} == {text: text for text in said}


def test_fields_inside_fields_are_named_by_their_path() -> None:
    """Of objects, and of the objects in an array."""
    inner = {"type": "object", "required": ["b"], "properties": {"b": {"type": "string", "description": "text"}}}
    schema = {"properties": {"a": inner, "c": {"type": "array", "items": inner}}}
    assert [(name, needed) for name, _, needed, _ in rows(schema)] == [("`a`", ""), ("`a.b`", "needed"), ("`c`", ""), ("`c[].b`", "needed")]


def test_many_values_are_listed_with_the_meaning() -> None:
    """A few are the type."""
    assert meaning({"enum": list("abcde"), "description": "A letter."}) == "A letter. One of `a`, `b`, `c`, `d`, `e`."
    assert meaning({"enum": ["a"], "description": "A letter."}) == "A letter."
