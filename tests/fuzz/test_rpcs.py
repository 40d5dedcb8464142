"""Whatever bytes come in by gRPC, what goes out is a message of the contract or an error of ours, and nothing hangs or breaks."""

from __future__ import annotations

from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import strategies as st

from pointsman.runtime.error_forms import detailed_status, error_info
from pointsman.runtime.errors import WIRE_FORMS
from pointsman.scorer.v1 import scorer_service_pb2
from pointsman.v1 import admin_service_pb2, route_service_pb2, routing_pb2
from tests.fuzz import messages
from tests.fuzz.campaign import Campaign
from tests.fuzz.services import Services

ROUTE = route_service_pb2.DESCRIPTOR.services_by_name["RouteService"]
ADMIN = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
SCORER = scorer_service_pb2.DESCRIPTOR.services_by_name["ScorerService"]
_HANGS_S: Final = 30
"""Longer than anything may take, since backends and scorers answer at once."""
_NOT_OURS: Final = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
_REASONS: Final = {form.reason for form in WIRE_FORMS.values()}


def _ask(channel: grpc.Channel, method: MethodDescriptor, sent: list[bytes]) -> None:
    """Sends the bytes as they are, and checks what comes back."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    answer = GetMessageClass(method.output_type)
    try:
        # A unary call is a stream of one message on the wire, either way.
        call: Any = channel.stream_stream(path)
        for message in call(iter(sent), timeout=_HANGS_S):
            assert answer.FromString(message).IsInitialized()
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        if method.containing_service is SCORER:
            assert code not in _NOT_OURS or "that the caller gave" in (error.details() or ""), (code, error.details())
        else:
            assert code not in _NOT_OURS, (code, error.details())
            status = detailed_status(error)
            assert status
            assert error_info(status).reason in _REASONS


def _fuzz(campaign: Campaign, where: str, address: str, method: MethodDescriptor, *, long: int) -> None:
    one = messages.requests(method.input_type)
    cases = st.lists(one, max_size=4) if method.client_streaming else one.map(lambda sent: [sent])
    with grpc.insecure_channel(address) as channel:
        campaign.run(f"{where} {method.name}", cases, lambda sent: _ask(channel, method, sent), long=long, short=30)
        health: Any = health_pb2_grpc.HealthStub(channel)
        if where != "scorer":
            assert health.Check(health_pb2.HealthCheckRequest(), timeout=_HANGS_S).status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("method", list(ROUTE.methods), ids=lambda method: str(method.name))
@pytest.mark.parametrize("where", ["controller", "gateway"])
def test_route_service_answers_any_bytes_by_its_contract(
    campaign: Campaign, services: Services, where: str, method: MethodDescriptor
) -> None:
    """At the edge, and behind it."""
    _fuzz(campaign, where, services.gateway_grpc if where == "gateway" else services.controller_grpc, method, long=1_000)
    services.check()


@pytest.mark.parametrize("method", list(ADMIN.methods), ids=lambda method: str(method.name))
def test_admin_service_answers_any_bytes_by_its_contract(campaign: Campaign, services: Services, method: MethodDescriptor) -> None:
    """What a case has pinned is released behind it."""
    try:
        _fuzz(campaign, "controller", services.controller_grpc, method, long=500 if method.client_streaming else 1_000)
    finally:
        with grpc.insecure_channel(services.controller_grpc) as channel:
            release = admin_service_pb2.PinRequest(pair="default", tier=routing_pb2.TIER_UNSPECIFIED).SerializeToString()
            pin: Any = channel.unary_unary("/pointsman.v1.AdminService/Pin")
            pin(release, timeout=_HANGS_S)
    services.check()


@pytest.mark.parametrize("method", list(SCORER.methods), ids=lambda method: str(method.name))
def test_scorer_service_answers_any_bytes_by_its_contract(campaign: Campaign, services: Services, method: MethodDescriptor) -> None:
    """Of a scorer without Ray."""
    _fuzz(campaign, "scorer", services.scorer_grpc, method, long=500)
