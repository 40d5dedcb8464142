"""Whether requests can be answered: one truth for /readyz and for gRPC health."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from gateway.controller_call import ControllerFailed
from pointsman.v1 import route_service_pb2

_EVERY_S: Final = 1.0
_TIMEOUT_S: Final = 2.0


class ListsStrategies(Protocol):
    """What is asked: the controller."""

    async def list_strategies(self, timeout_s: float) -> route_service_pb2.ListStrategiesResponse:
        """What is there. Raises `ControllerFailed`."""


class TellsHealth(Protocol):
    """Who is told: grpc.health.v1."""

    async def set(self, service: str, serving: bool) -> None:
        """Tells watchers of `service`."""


@dataclass(frozen=True, slots=True)
class ReadyState:
    """What is ready and what is missing. A strategy's value is `ready` or why it isn't."""

    controller: str
    strategies: Mapping[str, str] = field(default_factory=dict)
    gateway: str = "ok"

    @property
    def ready(self) -> bool:
        """The controller answers and one strategy at least is ready: one that is stopped or redeployed doesn't take out the others."""
        return self.gateway == "ok" and self.controller == "ok" and "ready" in self.strategies.values()

    def as_json(self) -> dict[str, object]:
        """The body of /readyz."""
        return {"ready": self.ready, "gateway": self.gateway, "controller": self.controller, "strategies": dict(self.strategies)}


async def ask(controller: ListsStrategies) -> ReadyState:
    """The state as the controller tells it now. Which strategies are configured is the controller's to say."""
    try:
        listed = await controller.list_strategies(_TIMEOUT_S)
    except ControllerFailed as error:
        return ReadyState(controller=f"unreachable: {error.status.message}")
    strategies = {each.name: "ready" if each.ready else each.detail or "not ready" for each in listed.strategies}
    return ReadyState(controller="ok", strategies=strategies)


class Readiness:
    """The latest state, asked again every second."""

    def __init__(self, controller: ListsStrategies, health: TellsHealth, service: str) -> None:
        self._controller = controller
        self._health = health
        self._service = service
        self._log = structlog.get_logger()
        self.state = ReadyState(controller="unreachable: not asked yet")

    async def keep_asking(self) -> None:
        """Runs until it is cancelled."""
        while True:
            state = await ask(self._controller)
            if state != self.state:
                self._log.info("readiness", **state.as_json())
            self.state = state
            await self._health.set(self._service, state.ready)
            await asyncio.sleep(_EVERY_S)

    def stopping(self) -> None:
        """Not ready from now on; whoever calls this has ended `keep_asking`."""
        self.state = ReadyState(controller=self.state.controller, strategies=self.state.strategies, gateway="stopping")
