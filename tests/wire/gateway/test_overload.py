"""A gateway that is behind refuses at once, in each protocol's own form, and goes on saying how it is."""

from __future__ import annotations

from collections import Counter

import grpc

from gateway.service import serving
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.wire.gateway.conftest import client_of, settings_for
from tests.wire.gateway.scripted_controller import ScriptedController

_ALWAYS_BEHIND = 1e-9  # seconds: every look finds it further behind than that


async def test_most_requests_are_refused_and_told_to_come_back(controller: ScriptedController) -> None:
    """429 with Retry-After over REST, RESOURCE_EXHAUSTED over gRPC; some come in; probes and metrics answer all the while."""
    async with (
        serving(settings_for(controller.port, max_lag_s=_ALWAYS_BEHIND, max_lag_above=0, refusal_pause_s=0)) as gateway,
        client_of(gateway) as client,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        while "pointsman_shed_share 0.95" not in (metrics := await client.get("/metrics")).text:
            await client.post("/v1/chat/completions", content=b"{}")
        answers = [await client.post("/v1/chat/completions", content=b"{}") for _ in range(100)]
        seen = Counter(answer.status_code for answer in answers)
        assert set(seen) <= {200, 429}
        assert seen[429] > 50
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["code"] == "overloaded"
        assert {(await client.get(path)).status_code for path in ("/livez", "/metrics")} == {200}
        assert metrics.status_code == 200
        stub: route_service_pb2_grpc.RouteServiceAsyncStub = route_service_pb2_grpc.RouteServiceStub(channel)
        assert "OVERLOADED" in [await _route(stub) for _ in range(50)]


async def _route(stub: route_service_pb2_grpc.RouteServiceAsyncStub) -> str:
    try:
        await stub.Route(route_service_pb2.RouteRequest())
    except grpc.aio.AioRpcError as error:
        return error_info(status_of(error)).reason
    return ""
