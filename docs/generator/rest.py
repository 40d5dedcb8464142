"""The gateway's OpenAPI document, for docs/reference-rest.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from docs.generator.markdown import anchor, cell, line, table
from docs.generator.schemas import CONTRACT, contract_link, kind, rows
from gateway.openapi import document

Node = Mapping[str, Any]
_REQUEST: Final = ("field", "type", "", "meaning")
_ANSWER: Final = ("field", "type", "meaning")


def reference() -> str:
    """Every operation, header and schema, as Markdown."""
    described = document()
    components = described["components"]
    operations = list(_operations(described))
    lines = ["## Operations", "", *table(("operation", ""), (_listed(*each) for each in operations)), ""]
    lines += ["## Request headers", "", *table(("header", "value", "meaning"), _headers(components["parameters"])), ""]
    lines += ["## Answer headers", "", *table(("header", "on", "value", "meaning"), _answer_headers(described)), ""]
    lines += ["## Keys", "", *table(("header", "meaning"), map(_key, components["securitySchemes"].values())), ""]
    lines += ["## Requests and answers", ""]
    for name, operation in operations:
        lines += [f"### {name}", "", *_operation(operation, components)]
    lines += ["## Schemas", ""]
    for name, schema in components["schemas"].items():
        lines += [f"### {name}", "", *_schema(schema)]
    return "\n".join(lines).rstrip() + "\n"


def _operations(described: Node) -> Iterator[tuple[str, Node]]:
    """Each with its name; a path's own parameters are among the operation's."""
    for path, item in described["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield (
                    f"{method.upper()} {path}",
                    {**operation, "parameters": [*item.get("parameters", []), *operation.get("parameters", [])]},
                )


def _listed(name: str, operation: Node) -> tuple[str, str]:
    return f"[`{name}`]({anchor(name)})", cell(operation["summary"])


def _headers(named: Node) -> Iterator[tuple[str, str, str]]:
    return ((f"`{name}`", kind(each["schema"]), cell(each["description"])) for name, each in named.items())


def _answer_headers(described: Node) -> Iterator[tuple[str, str, str, str]]:
    """The second cell says where it may be: on answers, on errors, or on both."""
    seen: dict[str, set[str]] = {}
    for _, operation in _operations(described):
        for status, answer in operation["responses"].items():
            for name in answer.get("headers", {}):
                seen.setdefault(name, set()).add("answers" if status.startswith("2") else "errors")
    for name, value, meant in _headers(described["components"]["headers"]):
        yield name, "both" if len(where := seen[name.strip("`")]) > 1 else where.pop(), value, meant


def _key(scheme: Node) -> tuple[str, str]:
    header = f"`{scheme['name']}: <key>`" if scheme["type"] == "apiKey" else "`authorization: Bearer <key>`"
    return header, cell(scheme["description"])


def _operation(operation: Node, components: Node) -> list[str]:
    told = [*_asked_headers(operation, components["parameters"]), *(["No key is asked for."] if operation.get("security") == [] else [])]
    lines = [" ".join([f"{line(operation['summary'])}.", *told]), ""]
    own = [each for each in operation["parameters"] if "$ref" not in each]
    inside = [(f"`{each['name']}`", kind(each["schema"]), "in the path", cell(each["description"])) for each in own]
    body: Node = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fields = table(_REQUEST, [*inside, *rows(body)])
    lines += [*fields, ""] if fields else []
    lines += [line(body["description"]), ""] if body else []
    lines += [*table(("status", "body", "meaning"), _answers(operation)), ""]
    for schema in _inline(operation["responses"]):
        lines += [*_fields(schema), ""]
    return lines


def _asked_headers(operation: Node, parameters: Node) -> list[str]:
    """A sentence, where it takes any."""
    taken = [each["$ref"].rpartition("/")[2] for each in operation["parameters"] if "$ref" in each]
    others = [name for name in parameters if name not in taken]
    if not taken:
        return []
    if len(others) < len(taken):
        but = f" but {', '.join(f'`{name}`' for name in others)}" if others else ""
        return [f"Takes all [request headers](#request-headers){but}."]
    return [f"Of the [request headers](#request-headers) it takes {', '.join(f'`{name}`' for name in taken)}."]


def _answers(operation: Node) -> Iterator[tuple[str, str, str]]:
    """A row for each; statuses whose answers are the same share one."""
    responses = operation["responses"]
    same: dict[str, list[str]] = {}
    for status, answer in responses.items():
        same.setdefault(repr(answer), []).append(status)
    for statuses in same.values():
        answer = responses[statuses[0]]
        bodies = [kind(each["schema"]) if "$ref" in each["schema"] else f"`{media}`" for media, each in answer["content"].items()]
        meant = answer["description"]
        yield ", ".join(statuses), " or ".join(bodies), cell(meant) if meant != operation["summary"] else ""


def _inline(responses: Node) -> Iterator[Node]:
    for answer in responses.values():
        for each in answer["content"].values():
            if "properties" in each["schema"]:
                yield each["schema"]


def _schema(schema: Node) -> list[str]:
    of = f" The contract's {contract_link(schema)}, in JSON." if CONTRACT in schema else ""
    return [line(schema["description"]) + of, "", *_fields(schema), ""]


def _fields(schema: Node) -> list[str]:
    return table(_ANSWER, ((name, said, meant) for name, said, _, meant in rows(schema)))
