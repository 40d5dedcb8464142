"""The gRPC contracts, for docs/reference-grpc.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from docs.generator.contracts import Contract, Declared, Field, Method, Service, Type, contracts
from docs.generator.markdown import anchor, cell, paragraphs, table

# What callers use first; the packages, and the files that aren't named, come in the order of their names.
_PACKAGES: Final = ("pointsman.v1", "pointsman.scorer.v1")
_FILES: Final = ("route_service.proto", "routing.proto", "chat.proto", "admin_service.proto", "calibration.proto")
Links = Mapping[str, str]
"""From a type's full name to what names it."""


def reference() -> str:
    """Every service, message and enum with its comments, as Markdown."""
    found = sorted(contracts(), key=lambda each: (_place(each.package, _PACKAGES), _place(_file(each), _FILES), each.path))
    links = {f"{each.package}.{declared.name}": _link(declared.name) for each in found for declared in each.declared}
    lines = ["## Contents", "", *table(("file", "services, messages and enums"), map(_contents, found)), ""]
    for package in dict.fromkeys(each.package for each in found):
        own = [each for each in found if each.package == package]
        lines += [f"## {package}", ""]
        lines += [line for each in own for service in each.services for line in _service(service, links)]
        lines += [line for each in own for declared in each.declared for line in _declared(declared, links)]
    return "\n".join(lines).rstrip() + "\n"


def _place(name: str, first: Sequence[str]) -> int:
    return first.index(name) if name in first else len(first)


def _file(contract: Contract) -> str:
    return contract.path.rpartition("/")[2]


def _link(name: str) -> str:
    return f"[{name}]({anchor(name)})"


def _contents(contract: Contract) -> tuple[str, str]:
    """What stands inside a message stands below it too."""
    services = [f"**{_link(each.name)}**" for each in contract.services]
    return f"[`{_file(contract)}`](../protos/{contract.path})", ", ".join(
        [*services, *(_link(each.name) for each in contract.declared if "." not in each.name)]
    )


def _service(service: Service, links: Links) -> list[str]:
    rows = [(f"`{each.name}`", *_messages(each, links), cell(each.comment)) for each in service.methods]
    return [f"### {service.name}", "", *paragraphs(service.comment), *table(("call", "request", "answer", "meaning"), rows), ""]


def _messages(method: Method, links: Links) -> tuple[str, str]:
    sides = ((method.request, method.streams_request), (method.answer, method.streams_answer))
    request, answer = (f"{'stream of ' if streams else ''}{links[name]}" for name, streams in sides)
    return request, answer


def _declared(declared: Declared, links: Links) -> list[str]:
    is_enum = any(each.type is None for each in declared.fields)
    rows = _values(declared.fields) if is_enum else _fields(declared, links)
    lines = table(("#", "value", "meaning") if is_enum else ("#", "field", "type", "meaning"), rows)
    return [f"### {declared.name}", "", *paragraphs(declared.comment), *lines, *([""] if lines else [])]


def _values(fields: Sequence[Field]) -> Iterator[tuple[str, str, str]]:
    return ((str(each.number), f"`{each.name}`", cell(each.comment)) for each in fields)


def _fields(declared: Declared, links: Links) -> Iterator[tuple[str, str, str, str]]:
    """A row each; those of which one at most is set stand indented below a row of their own."""
    last = ""
    for each in declared.fields:
        if each.one_of and each.one_of != last:
            yield "", f"`{each.one_of}`", "one of", cell(declared.one_ofs[each.one_of])
        last = each.one_of
        name = f"`{each.name}`"
        yield str(each.number), f"↳ {name}" if each.one_of else name, _type(each.type, links) if each.type else "", cell(each.comment)


def _type(kind: Type, links: Links) -> str:
    name = links.get(kind.name, kind.name)
    if kind.key:
        return f"map of {kind.key} to {name}"
    return f"{kind.label} {name}".strip()
