"""The contracts of protos/ with their comments, which the generated stubs don't hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc_tools
from google.protobuf import descriptor_pb2 as pb
from grpc_tools import protoc

_PROTOS: Final = Path(__file__).parents[2] / "protos"
Place = tuple[int, ...]
"""Where a declaration stands, as descriptor.proto has it in SourceCodeInfo."""
Comments = Mapping[Place, str]


@dataclass(frozen=True, slots=True)
class Type:
    """Of a field: `name` is a scalar's (`string`), or in full a message's or an enum's (`pointsman.v1.Tier`)."""

    name: str
    label: str = ""
    """`repeated`, `optional`, or nothing."""
    key: str = ""
    """A map's type of key."""


@dataclass(frozen=True, slots=True)
class Field:
    """Of a message, or an enum's value, which has no type."""

    number: int
    name: str
    comment: str
    type: Type | None = None
    one_of: str = ""
    """The name of the oneof that it is of."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A message or an enum. `name` is without its package, and with the message that it stands in: `StatsResponse.Row`."""

    name: str
    comment: str
    fields: tuple[Field, ...]
    one_ofs: Mapping[str, str]
    """Their comments."""


@dataclass(frozen=True, slots=True)
class Method:
    """Of a service; request and answer are messages' full names."""

    name: str
    comment: str
    request: str
    answer: str
    streams_request: bool
    streams_answer: bool


@dataclass(frozen=True, slots=True)
class Service:
    """Of a contract."""

    name: str
    comment: str
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """A file."""

    path: str
    package: str
    services: tuple[Service, ...]
    declared: tuple[Declared, ...]


def contracts() -> list[Contract]:
    """Every file of protos/, by name. Raises `ValueError` for one that protoc refuses, which says why on standard error."""
    files = sorted(str(path.relative_to(_PROTOS)) for path in _PROTOS.rglob("*.proto"))
    own = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.NamedTemporaryFile() as compiled:
        arguments = ["protoc", f"-I{_PROTOS}", f"-I{own}", "--include_source_info", f"--descriptor_set_out={compiled.name}"]
        if protoc.main([*arguments, *files]):
            raise ValueError("protoc refuses the contracts.")
        described = pb.FileDescriptorSet.FromString(compiled.read())
    return sorted(map(_contract, described.file), key=lambda each: each.path)


def _contract(file: pb.FileDescriptorProto) -> Contract:
    comments = {tuple(each.path): _unindented(each.leading_comments) for each in file.source_code_info.location}
    enums = (_enum(each, (5, index), "", comments) for index, each in enumerate(file.enum_type))
    messages = (found for index, each in enumerate(file.message_type) for found in _messages(each, (4, index), "", comments))
    services = tuple(_service(each, (6, index), comments) for index, each in enumerate(file.service))
    return Contract(file.name, file.package, services, (*enums, *messages))


def _unindented(comment: str) -> str:
    return "\n".join(line.strip() for line in comment.strip().splitlines())


def _messages(message: pb.DescriptorProto, path: Place, above: str, comments: Comments) -> Iterator[Declared]:
    """The message, then those that stand in it."""
    name = above + message.name
    maps = {each.name: each for each in message.nested_type if each.options.map_entry}
    one_ofs = {each.name: comments.get((*path, 8, index), "") for index, each in enumerate(message.oneof_decl)}
    fields = tuple(_field(each, comments.get((*path, 2, index), ""), tuple(one_ofs), maps) for index, each in enumerate(message.field))
    used = {field.one_of for field in fields}
    yield Declared(name, comments.get(path, ""), fields, {each: said for each, said in one_ofs.items() if each in used})
    yield from (_enum(each, (*path, 4, index), f"{name}.", comments) for index, each in enumerate(message.enum_type))
    for index, each in enumerate(message.nested_type):
        if each.name not in maps:
            yield from _messages(each, (*path, 3, index), f"{name}.", comments)


def _field(field: pb.FieldDescriptorProto, comment: str, one_ofs: tuple[str, ...], maps: Mapping[str, pb.DescriptorProto]) -> Field:
    entry = maps.get(field.type_name.rpartition(".")[2])
    if entry:
        kind = Type(_type(entry.field[1]), key=_type(entry.field[0]))
    elif field.label == pb.FieldDescriptorProto.LABEL_REPEATED:
        kind = Type(_type(field), "repeated")
    else:
        kind = Type(_type(field), "optional" if field.proto3_optional else "")
    # What protoc makes of `optional` is a oneof of its own too, and nobody's idea of one.
    one_of = one_ofs[field.oneof_index] if field.HasField("oneof_index") and not field.proto3_optional else ""
    return Field(field.number, field.name, comment, kind, one_of)


def _type(field: pb.FieldDescriptorProto) -> str:
    return field.type_name.removeprefix(".") or pb.FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _enum(enum: pb.EnumDescriptorProto, path: Place, above: str, comments: Comments) -> Declared:
    values = tuple(Field(each.number, each.name, comments.get((*path, 2, index), "")) for index, each in enumerate(enum.value))
    return Declared(above + enum.name, comments.get(path, ""), values, {})


def _service(service: pb.ServiceDescriptorProto, path: Place, comments: Comments) -> Service:
    return Service(service.name, comments.get(path, ""), tuple(_methods(service.method, path, comments)))


def _methods(methods: Iterable[pb.MethodDescriptorProto], path: Place, comments: Comments) -> Iterator[Method]:
    for index, each in enumerate(methods):
        request, answer = each.input_type.removeprefix("."), each.output_type.removeprefix(".")
        yield Method(each.name, comments.get((*path, 2, index), ""), request, answer, each.client_streaming, each.server_streaming)
