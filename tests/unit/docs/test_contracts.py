"""protos/ as docs/reference-grpc.md has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor

from docs.generator.contracts import Contract, Declared, Type, contracts
from docs.generator.rpc import reference
from pointsman.scorer.v1 import scorer_service_pb2
from pointsman.v1 import admin_service_pb2, calibration_pb2, caller_pb2, chat_pb2, error_pb2, route_service_pb2, routing_pb2

_STUBS = (
    admin_service_pb2,
    calibration_pb2,
    caller_pb2,
    chat_pb2,
    error_pb2,
    route_service_pb2,
    routing_pb2,
    scorer_service_pb2,
)


@pytest.fixture(scope="module")
def found() -> list[Contract]:
    """Every contract."""
    return contracts()


def _inside(message: Descriptor) -> Iterator[Descriptor | EnumDescriptor]:
    yield message
    yield from message.enum_types
    for each in message.nested_types:
        if not each.GetOptions().map_entry:
            yield from _inside(each)


def _names(file: FileDescriptor) -> Iterator[str]:
    """Of all that a stub has: services, calls, messages, enums, fields and values."""
    for service in file.services_by_name.values():
        yield from (service.full_name, *(method.full_name for method in service.methods))
    for enum in file.enum_types_by_name.values():
        yield from (enum.full_name, *(f"{enum.full_name}.{value.name}" for value in enum.values))
    for message in file.message_types_by_name.values():
        for each in _inside(message):
            fields = each.fields if isinstance(each, Descriptor) else each.values
            yield from (each.full_name, *(f"{each.full_name}.{field.name}" for field in fields))


def _described(contract: Contract) -> Iterator[tuple[str, str]]:
    """The same of a contract, with their comments."""
    for service in contract.services:
        yield f"{contract.package}.{service.name}", service.comment
        yield from ((f"{contract.package}.{service.name}.{each.name}", each.comment) for each in service.methods)
    for declared in contract.declared:
        name = f"{contract.package}.{declared.name}"
        yield name, declared.comment
        yield from ((f"{name}.{each.name}", each.comment) for each in declared.fields)


def test_what_is_read_is_what_the_stubs_have(found: list[Contract]) -> None:
    """Every service, call, message, field, enum and value, and no other."""
    assert sorted(name for each in found for name, _ in _described(each)) == sorted(
        name for each in _STUBS for name in _names(each.DESCRIPTOR)
    )


def test_everything_is_described(found: list[Contract]) -> None:
    """By the comment above it."""
    assert [name for each in found for name, comment in _described(each) if not comment] == []
    assert [declared.name for each in found for declared in each.declared if not all(declared.one_ofs.values())] == []


def _declared(found: list[Contract], name: str) -> Declared:
    return next(declared for each in found for declared in each.declared if declared.name == name)


def test_a_fields_type_is_as_it_was_written(found: list[Contract]) -> None:
    """Maps, repeated and optional ones, messages, and those of which one at most is set."""
    row = {field.name: field.type for field in _declared(found, "StatsResponse.Row").fields}
    decision = {field.name: field for field in _declared(found, "Decision").fields}
    target = [field.name for field in _declared(found, "RoutingSpec").fields if field.one_of == "target"]
    assert row["errors_by_reason"] == Type("int64", key="string")
    assert row["tier"] == Type("pointsman.v1.Tier")
    assert (decision["threshold"].type, decision["threshold"].one_of) == (Type("double", "optional"), "")
    assert _declared(found, "Receipt").fields[6].type == Type("pointsman.v1.Attempt", "repeated")
    assert target == ["threshold", "strong_share", "max_quality_loss"]


def test_the_public_services_come_before_the_scorers() -> None:
    """RouteService first."""
    text = reference()
    headings = ("### RouteService", "### AdminService", "### Receipt", "### ScorerService")
    assert sorted(headings, key=text.index) == list(headings)
    assert "| `Relay` | [RelayRequest](#relayrequest) | stream of [RelayResponse](#relayresponse) |" in text
