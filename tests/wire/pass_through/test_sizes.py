"""Bodies and messages at their limits, on both protocols."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import grpc
import httpx
import pytest

from gateway.service import serving
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.backend import echoing, scripted_backend
from tests.support.controllers import running_controller
from tests.support.gateways import gateway_before
from tests.support.scorers import scripted_scorers

LIMIT: Final = 4096
BODY: Final = b'{"model":"router-mf-1","messages":[{"role":"user","content":"hi"}]}'


@dataclass(frozen=True)
class Small:
    """Clients of a gateway and a controller that take small bodies only."""

    rest: httpx.AsyncClient
    stub: Any


@pytest.fixture
async def small(gateways_limit: int) -> AsyncIterator[Small]:
    """The controller takes `LIMIT` bytes, the gateway as many as the test says."""
    async with (
        scripted_backend("weak", echoing) as weak,
        scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers,
        running_controller({"strong": weak.settings, "weak": weak.settings}, scorers.address, own={"max_body_bytes": LIMIT}) as controller,
        serving(gateway_before(controller.address, max_body_bytes=gateways_limit)) as gateway,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=20, trust_env=False) as rest,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        yield Small(rest, route_service_pb2_grpc.RouteServiceStub(channel))


def _of_length(length: int) -> bytes:
    return BODY + b" " * (length - len(BODY))


@pytest.mark.parametrize("gateways_limit", [LIMIT])
@pytest.mark.parametrize(("over", "reason"), [(0, ""), (1, "BODY_TOO_LARGE"), (2 << 20, "BODY_TOO_LARGE")], ids=["at", "over", "far over"])
async def test_a_body_is_refused_from_one_byte_over_the_limit(small: Small, over: int, reason: str) -> None:
    """On both protocols; of a message so long that gRPC itself refuses it, the code is all that the caller gets."""
    body = _of_length(LIMIT + over)
    answer = await small.rest.post("/v1/chat/completions", content=body)
    call = small.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(body=body))
    if not over:
        assert answer.status_code == 200
        assert (await call).choices[0].message.content == "hi"
        return
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error_info(status_of(caught.value)).reason == reason


@pytest.mark.parametrize("gateways_limit", [8 << 20])
@pytest.mark.parametrize("length", [LIMIT + 1, 2 << 20])
async def test_a_controller_may_take_less_than_the_gateway(small: Small, length: int) -> None:
    """Then it is the controller's limit that counts, with the same 413."""
    answer = await small.rest.post("/v1/chat/completions", content=_of_length(length))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
