"""The controller's composition root: everything that lives as long as the process is built, started and stopped here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import grpc
import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from controller.admin import AdminService
from controller.backend_headers import check_keys
from controller.coalescing import CoalescingMetrics
from controller.decision_cache import DecisionCache
from controller.decision_log import DecisionLog
from controller.ensemble import Ranks
from controller.generations import Generations, Kept
from controller.guard import Guard, warn_if_open
from controller.ledger import Ledger
from controller.metrics_server import serving_metrics
from controller.pins import PinCollector, Pins
from controller.record_book import RecordBook
from controller.scorer_client import ScorerClient
from controller.service import RouteService
from controller.shadow import Shadow
from controller.unscored import UnscoredSpending
from controller.watch import Watch
from controller.watch_metrics import WatchCollector
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.event_loop import EventLoopWatch
from pointsman.runtime.grpc_server import ADMIN_SERVICE, ROUTE_SERVICE, Health, bind, build_server
from pointsman.runtime.lifecycle import settle, until_stopped
from pointsman.runtime.reloading import Change, SettingsSource, follow
from pointsman.runtime.settings import Settings
from pointsman.runtime.shedding import Shedding
from pointsman.runtime.tls import ServerTls, server_tls
from pointsman.runtime.unreadable import ReadableOnly
from pointsman.v1 import admin_service_pb2_grpc, route_service_pb2_grpc

SHIPPED_RECORDS: Final = Path(__file__).parent / "records"
"""Of the checkpoints that ship; one of the same checkpoint in `records_dir` counts instead where it's newer."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Running:
    """A started controller: where it listens, and how it takes over other settings."""

    address: str
    reload: Callable[[Settings], Awaitable[Change]]


async def run(settings: Settings, source: SettingsSource) -> None:
    """Runs until SIGTERM or SIGINT, then drains. SIGHUP and a changed file have the settings taken over."""
    registry = CollectorRegistry()
    tls = server_tls(settings.controller.tls, "controller.tls")
    with _metrics(settings, registry, tls):
        async with running(settings, registry, tls) as controller:
            log.info("controller ready", grpc=controller.address, metrics=f"{settings.controller.host}:{settings.controller.metrics_port}")
            settle()
            following = asyncio.create_task(follow(source, controller.reload), name="settings")
            signal = await until_stopped()
            following.cancel()
            log.info("stopping", signal=signal, drain_s=settings.controller.drain_s)


@asynccontextmanager
async def running(settings: Settings, registry: CollectorRegistry, tls: ServerTls | None = None) -> AsyncIterator[Running]:
    """A controller that serves, with the TLS of its settings, which its metrics may share; leaving drains it.

    Raises `SettingsError` for a missing key or token or a file that isn't a record, and `Unavailable` for a taken port.
    """
    own = settings.controller
    tls = tls or server_tls(own.tls, "controller.tls")
    warn_if_open(own)
    check_keys(settings.backends)
    book = RecordBook([SHIPPED_RECORDS, settings.records_dir], settings.records_dir)
    watch = Watch(own, book.records)
    book.on_change(watch.use)
    registry.register(WatchCollector(watch, book))
    pins = Pins()
    registry.register(PinCollector(pins))
    async with AsyncExitStack() as stack:
        decision_log = DecisionLog(own.decision_log, registry)
        decision_log.start()
        stack.push_async_callback(decision_log.close)
        ledger = Ledger(registry, decision_log.add)
        shedding = Shedding(lambda: own.max_lag_s, registry, counts=lambda: ledger.in_progress >= own.max_lag_above)
        guard = Guard(own, shedding)
        coalescing = CoalescingMetrics(registry)
        scorers = ScorerClient(list(settings.strategies), own, coalescing)
        stack.push_async_callback(scorers.close)
        opinions = DecisionCache(scorers, own.decision_cache, registry) if own.decision_cache else scorers
        ranks = Ranks(scorers, book)
        shadow = Shadow(own.shadow, own, opinions, ranks, registry) if own.shadow else None
        if shadow:
            stack.push_async_callback(shadow.close)
        kept = Kept(ledger, scorers, opinions, ranks, shadow, book, watch, pins, UnscoredSpending(registry))
        generations = await stack.enter_async_context(Generations(settings, kept))

        server = _server(own, guard)
        services = cast(grpc.aio.Server, ReadableOnly(server))
        route_service_pb2_grpc.add_RouteServiceServicer_to_server(RouteService(generations, scorers, book, watch, pins, shedding), services)
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(AdminService(generations, pins, ledger, coalescing), services)
        health = Health(server, [ROUTE_SERVICE, ADMIN_SERVICE])
        port = bind(server, own.host, own.grpc_port, tls)

        scorers.start()
        await server.start()
        await health.set("", True)
        tasks = [
            asyncio.create_task(_watch_readiness(scorers, health, ledger, own.probe_interval_s), name="readiness"),
            asyncio.create_task(book.follow(own.records_interval_s), name="records"),
            asyncio.create_task(EventLoopWatch(registry, shedding.observe).keep(), name="event loop"),
        ]
        try:
            yield Running(f"{own.host}:{port}", generations.reload)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await health.stop()
            await server.stop(own.drain_s)


def _server(own: ControllerSettings, guard: Guard) -> grpc.aio.Server:
    return build_server(
        max_concurrent=own.max_concurrent,
        max_body_bytes=own.max_body_bytes,
        max_connection_age_s=own.max_connection_age_s,
        interceptors=[guard],
    )


async def _watch_readiness(scorers: ScorerClient, health: Health, ledger: Ledger, interval_s: float) -> None:
    """RouteService is SERVING while one configured strategy at least is ready."""
    while True:
        for name, state in scorers.states.items():
            ledger.strategy_ready(name, state.ready)
        await health.set(ROUTE_SERVICE, any(state.ready for state in scorers.states.values()))
        await asyncio.sleep(interval_s)


def _metrics(settings: Settings, registry: CollectorRegistry, tls: ServerTls | None) -> AbstractContextManager[int]:
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return serving_metrics(settings.controller.host, settings.controller.metrics_port, registry, tls)
