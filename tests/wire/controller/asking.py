"""Asks a controller for decisions."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.canary import PROMPT
from tests.support.controllers import RunningController

Request = route_service_pb2.RouteRequest
Spec = routing_pb2.RoutingSpec


async def route(controller: RunningController, spec: Spec, prompt: str = PROMPT, **call: Any) -> route_service_pb2.RouteResponse:
    """The decision for a prompt."""
    response: route_service_pb2.RouteResponse = await controller.stub.Route(Request(prompt=prompt, routing=spec), **call)
    return response


async def refusal(controller: RunningController, request: Request) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Code, reason and metadata of a request that must be refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await controller.stub.Route(request)
    info = error_info(status_of(caught.value))
    return caught.value.code(), info.reason, dict(info.metadata)
