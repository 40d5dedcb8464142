"""Callers whose channels try again by a retry policy of their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc

from gateway.service import Gateway
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.canary import PROMPT
from tests.wire.gateway.scripted_controller import DECISION

if TYPE_CHECKING:
    from pointsman.v1.route_service_pb2_grpc import RouteServiceAsyncStub as Stub

Call = Callable[["Stub"], Coroutine[Any, Any, None]]
ROUTE = route_service_pb2.RouteRequest(prompt=PROMPT)


async def route(stub: Stub) -> None:
    """A decision, whole."""
    assert (await stub.Route(ROUTE, timeout=60)).decision == DECISION


async def whole(stub: Stub) -> None:
    """An answer, whole."""
    assert (await stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(body=b"{}"), timeout=60)).id == "1"


async def streamed(stub: Stub) -> None:
    """An answer as a stream."""
    call = stub.StreamChatCompletion(route_service_pb2.StreamChatCompletionRequest(body=b"{}"), timeout=60)
    assert [event.WhichOneof("event") async for event in call] == ["chunk", "chunk", "receipt"]


async def relayed(stub: Stub) -> None:
    """A body that passes as it is, as a stream."""
    call = stub.Relay(route_service_pb2.RelayRequest(body=b"{}"), timeout=60)
    assert [event.WhichOneof("event") async for event in call] == ["started", "bytes", "finished"]


@asynccontextmanager
async def retrying(gateway: Gateway, code: str, backoff: str = "0.3s", longest: str = "2s") -> AsyncIterator[Stub]:
    """A stub whose channel tries again on this code, five times at most, and first after `backoff` where nobody tells it when."""
    policy = {"maxAttempts": 5, "initialBackoff": backoff, "maxBackoff": longest, "backoffMultiplier": 2, "retryableStatusCodes": [code]}
    config = {"methodConfig": [{"name": [{"service": "pointsman.v1.RouteService"}], "retryPolicy": policy}]}
    options = [("grpc.service_config", json.dumps(config))]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}", options=options) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        yield stub
