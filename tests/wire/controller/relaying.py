"""Relays requests through a controller, and reads what came of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from pointsman.runtime.decision_headers import reason_name, tier_name
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.canary import PROMPT
from tests.support.controllers import RunningController

TO_WEAK, TO_STRONG = "router-mf-1", "router-mf-0"


@dataclass(frozen=True)
class Relayed:
    """An answer's bytes, its events' kinds and its receipt."""

    content: bytes
    kinds: list[str]
    receipt: routing_pb2.Receipt

    @property
    def decided(self) -> tuple[str, str, str]:
        """Tier, backend and reason."""
        decision = self.receipt.decision
        return tier_name(decision.tier), decision.backend, reason_name(decision.reason)

    @property
    def attempts(self) -> list[tuple[str, int, str]]:
        """Backend, status and error of each."""
        return [(attempt.backend, attempt.http_status, attempt.error) for attempt in self.receipt.attempts]


def body(model: Any = TO_WEAK, **fields: Any) -> bytes:
    """A chat request's; the scripted mf says 0.4 to it."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": PROMPT}], **fields}).encode()


async def relay(
    controller: RunningController, content: bytes, routing: routing_pb2.RoutingSpec | None = None, **call: Any
) -> list[route_service_pb2.RelayResponse]:
    """Every event of the answer to a body."""
    request = route_service_pb2.RelayRequest(endpoint="chat/completions", body=content, routing=routing)
    return [event async for event in controller.stub.Relay(request, **call)]


def bytes_of(events: list[route_service_pb2.RelayResponse]) -> bytes:
    """The answer's bytes in one."""
    return b"".join(event.bytes for event in events)


async def relayed(controller: RunningController, content: bytes, routing: routing_pb2.RoutingSpec | None = None, **call: Any) -> Relayed:
    """The answer to a body."""
    events = await relay(controller, content, routing, **call)
    kinds = [str(event.WhichOneof("event")) for event in events]
    return Relayed(bytes_of(events), kinds, events[-1].finished.receipt)


async def refused(
    controller: RunningController, content: bytes, routing: routing_pb2.RoutingSpec | None = None, **call: Any
) -> tuple[str, dict[str, str]]:
    """Reason and facts of the error that must come."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await relayed(controller, content, routing, **call)
    info = error_info(status_of(caught.value))
    return info.reason, {"code": caught.value.code().name, "details": str(caught.value.details()), **info.metadata}
