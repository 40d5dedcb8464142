"""One face for both protocols, so that each rule is asked of both."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
import httpx

from gateway.service import Gateway
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc, routing_pb2

BODY: dict[str, Any] = {"model": "router-mf-1", "messages": [{"role": "user", "content": "hello"}]}
_TIERS = {"strong": routing_pb2.TIER_STRONG, "weak": routing_pb2.TIER_WEAK}


@dataclass(frozen=True)
class Answered:
    """How a request ended, and the headers or metadata of its answer: initial where there is one, trailing of an error."""

    reason: str = ""
    """ErrorInfo's, in lower case; empty for success."""
    status: str = ""
    message: str = ""
    told: dict[str, str] = field(default_factory=dict)


class Asks(Protocol):
    """A chat request by one protocol."""

    async def ask(self, key: str = "", *, model: str = "router-mf-1", **said: str) -> Answered:
        """`said` is pair and tier, and further headers or metadata with `_` for `-`."""


def _headers(key: str, said: dict[str, str]) -> dict[str, str]:
    bearer = {"authorization": f"Bearer {key}"} if key else {}
    return {**bearer, **{name.replace("_", "-"): value for name, value in said.items()}}


class Rest:
    """POST /v1/chat/completions."""

    def __init__(self, gateway: Gateway) -> None:
        self.base_url = f"http://127.0.0.1:{gateway.rest_port}"

    async def ask(self, key: str = "", *, model: str = "router-mf-1", pair: str = "", tier: str = "", **said: str) -> Answered:
        routing = {f"x_pointsman_{name}": value for name, value in (("pair", pair), ("tier", tier)) if value}
        async with httpx.AsyncClient(base_url=self.base_url, timeout=20, trust_env=False) as client:
            answer = await client.post("/v1/chat/completions", json={**BODY, "model": model}, headers=_headers(key, {**routing, **said}))
        error = answer.json().get("error", {})
        return Answered(error.get("code", ""), str(answer.status_code), error.get("message", ""), dict(answer.headers))


class Grpc:
    """ChatCompletion."""

    def __init__(self, gateway: Gateway) -> None:
        self.address = f"127.0.0.1:{gateway.grpc_port}"

    async def ask(self, key: str = "", *, model: str = "router-mf-1", pair: str = "", tier: str = "", **said: str) -> Answered:
        routing = routing_pb2.RoutingSpec(pair=pair, tier=_TIERS.get(tier, routing_pb2.TIER_UNSPECIFIED))
        request = route_service_pb2.ChatCompletionRequest(routing=routing, body=json.dumps({**BODY, "model": model}).encode())
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
            call = stub.ChatCompletion(request, metadata=tuple(_headers(key, said).items()), timeout=20)
            try:
                await call
            except grpc.aio.AioRpcError as error:
                info = error_info(status_of(error))
                told = {str(name): str(value) for name, value in error.trailing_metadata()}
                return Answered(info.reason.lower(), error.code().name, str(error.details()), told)
            return Answered(status="OK", told={str(name): str(value) for name, value in await call.initial_metadata()})
