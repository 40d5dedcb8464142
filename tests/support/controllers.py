"""A real controller on free ports, ready to be asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, generate_latest

from controller.app import running
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.reloading import Change
from pointsman.runtime.settings import Settings
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.canary import keep
from tests.support.unrefused import UNREFUSED


@dataclass(frozen=True)
class RunningController:
    """A controller, its metrics and a stub to it."""

    address: str
    registry: CollectorRegistry
    stub: route_service_pb2_grpc.RouteServiceAsyncStub
    settings: Settings
    reload: Callable[[Settings], Awaitable[Change]]


@asynccontextmanager
async def running_controller(
    backends: Mapping[str, BackendSettings], scorers: str, *, ready: bool = True, own: Mapping[str, Any] | None = None, **settings: Any
) -> AsyncIterator[RunningController]:
    """`own` goes into the controller's part of the settings; `ready` waits for every strategy, which are mf and random unless told."""
    base: dict[str, Any] = {"grpc_port": 0, "metrics_port": 0, "scorers": scorers, "drain_s": 1, "probe_interval_s": 0.1}
    part = ControllerSettings(**{**base, **UNREFUSED, **(own or {})})
    whole = Settings(controller=part, backends=backends, **{"strategies": {"mf": {}, "random": {}}, **settings})
    registry = CollectorRegistry()
    async with (
        running(whole, registry) as controller,
        grpc.aio.insecure_channel(controller.address) as channel,
    ):
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        while ready and not await _all_ready(stub):
            await asyncio.sleep(0.02)
        try:
            yield RunningController(controller.address, registry, stub, whole, controller.reload)
        finally:
            keep("metrics", generate_latest(registry).decode())


async def _all_ready(stub: Any) -> bool:
    listed = await stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
    return all(strategy.ready for strategy in listed.strategies)
