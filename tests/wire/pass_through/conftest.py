"""Scripted backends behind a real controller behind a real gateway, with a client of each protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest

from gateway.service import serving
from pointsman.v1 import route_service_pb2_grpc
from tests.support.backend import ScriptedBackend, echoing, scripted_backend
from tests.support.controllers import running_controller
from tests.support.gateways import gateway_before
from tests.support.scorers import ScriptedScorers, scripted_scorers


@dataclass(frozen=True)
class Edge:
    """A gateway that serves: mf says 0.4 to everything, and `router-mf-1` is weak, `router-mf-0` strong."""

    url: str
    rest: httpx.AsyncClient
    stub: route_service_pb2_grpc.RouteServiceAsyncStub
    strong: ScriptedBackend
    weak: ScriptedBackend
    scorers: ScriptedScorers
    grpc: str
    """Its gRPC, host:port."""

    @property
    def scored(self) -> list[str]:
        """The texts that were scored."""
        return [text for batch in self.scorers.batches for text in batch]

    async def post(self, endpoint: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """Posts a body whose model is weak unless it says another."""
        content = json.dumps({"model": "router-mf-1", **body}).encode()
        return await self.rest.post(f"/v1/{endpoint}", content=content, headers=headers)


async def receipt_of(answer: httpx.Response) -> dict[str, Any]:
    """The receipt of an answer that was asked for one, in its header or in the last comment of its stream."""
    text = answer.headers.get("x-pointsman-receipt") or answer.text.rpartition(": pointsman-receipt ")[2]
    receipt: dict[str, Any] = json.loads(text)
    return receipt


@pytest.fixture
def allow_backend_names() -> bool:
    """Whether a model may name a backend; a test's parameter may say no."""
    return True


@pytest.fixture
async def edge(allow_backend_names: bool) -> AsyncIterator[Edge]:
    """All of it together."""
    async with (
        scripted_backend("strong", echoing) as strong,
        scripted_backend("weak", echoing) as weak,
        scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers,
        running_controller(
            {"strong": strong.settings, "weak": weak.settings},
            scorers.address,
            own={"allow_backend_names": allow_backend_names, "decision_cache": 0},
            pairs={"default": {"strong": "strong", "weak": "weak", "fallback": "none"}},
        ) as controller,
        serving(gateway_before(controller.address, drain_s=0.2)) as gateway,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=20, trust_env=False) as rest,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        yield Edge(str(rest.base_url), rest, stub, strong, weak, scorers, f"127.0.0.1:{gateway.grpc_port}")
