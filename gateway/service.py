"""The composition root: builds the gateway from its settings, and takes it down in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc
from starlette.routing import Route

from gateway.controller_client import ControllerClient
from gateway.crowd import Crowd
from gateway.deciding import Deciding
from gateway.entrance import entrance_of
from gateway.grpc_edge import Edge, add_admin_service, add_route_service
from gateway.identity.interceptor import KeyInterceptor
from gateway.limits import Limits
from gateway.models import Models
from gateway.observer import Observer
from gateway.openapi import OpenApi
from gateway.places import Places
from gateway.probes import Probes
from gateway.readiness import Readiness
from gateway.refusal_pace import RefusalPace
from gateway.relay import RELAYED, Relay
from gateway.rest_app import Handler, endpoint, rest_app
from gateway.rest_server import RestServer, bind_socket
from gateway.static_page import StaticPage
from gateway.throttle import Throttle
from pointsman.runtime.client_tls import ControllerAccess
from pointsman.runtime.event_loop import EventLoopWatch
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.grpc_server import ADMIN_SERVICE, ROUTE_SERVICE, Health, bind, build_server
from pointsman.runtime.reloading import Change
from pointsman.runtime.settings import Settings
from pointsman.runtime.shedding import Shedding
from pointsman.runtime.tls import server_tls

_NOTICE_S: Final = 1.0  # between saying "not ready" and refusing connections, so that load balancers hear of it


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that serves."""

    rest_port: int
    grpc_port: int
    own_port: int | None
    """REST too, of this process alone."""
    tasks: tuple[asyncio.Task[None], ...]
    """They run until the gateway stops; one that ends earlier has failed."""
    reload: Callable[[Settings], Awaitable[Change]]
    """Takes over other limits."""


@asynccontextmanager
async def serving(settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """Serves both protocols inside the context; leaving it lets running requests finish within `drain_s`.

    Raises `Unavailable` naming a port that is taken, and `SettingsError` for wrong addresses of controllers, a missing token, and
    a keys file or files of TLS that can't be used.
    """
    async with contextlib.AsyncExitStack() as stack:
        tls = server_tls(settings.tls, "gateway.tls")
        observer, limits = Observer(), Limits(settings)
        crowd = Crowd(limits)
        controller = ControllerClient(settings.controllers, ControllerAccess(settings), crowd.is_there)
        stack.push_async_callback(controller.close)
        bound = [stack.enter_context(bind_socket(settings.host, settings.rest_port, shared=settings.shared_ports))]
        if settings.own_port is not None:
            bound.append(stack.enter_context(bind_socket(settings.host, settings.own_port)))
        page = StaticPage() if settings.page else None
        entrance = await stack.enter_async_context(entrance_of(settings, observer, page.paths if page else frozenset()))
        interceptors = [KeyInterceptor(entrance.guard)] if entrance.guard.asks_for_keys else []
        # Places keep the limit; this one is for callers that were let go and still haven't taken their answers.
        server = build_server(
            max_concurrent=2 * settings.max_concurrent,
            max_body_bytes=settings.max_body_bytes,
            max_connection_age_s=settings.max_connection_age_s,
            interceptors=interceptors,
            shares_port=settings.shared_ports,
        )
        grpc_port = bind(server, settings.host, settings.grpc_port, tls)

        health = Health(server, [ROUTE_SERVICE, *([ADMIN_SERVICE] if settings.admin else [])])
        readiness = Readiness(controller, health, ROUTE_SERVICE)
        shedding = Shedding(lambda: limits.now.max_lag_s, observer.registry, counts=crowd.is_there)
        throttle = Throttle(observer.registry)
        edge = Edge(controller, observer, limits, entrance.guard, entrance.admission, Places(limits, shedding, throttle, crowd))
        add_route_service(server, edge)
        if settings.admin:
            add_admin_service(server, edge)
        await health.set("", True)
        await health.set(ROUTE_SERVICE, False)
        await server.start()
        table = routes(limits, controller, readiness, observer, entrance.admission.over, Places(limits, shedding, throttle, crowd))
        table += page.routes() if page else []
        pace = RefusalPace(lambda: limits.now.refusal_pause_s, observer.registry)
        rest = RestServer(rest_app(table, observer, entrance.door, pace), bound, settings.drain_s, tls)
        asking = asyncio.get_running_loop().create_task(readiness.keep_asking())
        watching = asyncio.get_running_loop().create_task(EventLoopWatch(observer.registry, shedding.observe).keep())
        rest_port, *others = (int(each.getsockname()[1]) for each in bound)
        try:
            tasks = (rest.task, asking, watching, *entrance.tasks)
            yield Gateway(rest_port, grpc_port, others[0] if others else None, tasks, entrance.reloading(limits.reload))
        finally:
            asking.cancel()
            readiness.stopping()
            await health.stop()
            await _drain(rest, server, settings.drain_s)
            watching.cancel()
            await asyncio.wait([asking, watching])


def routes(
    limits: Limits,
    controller: ControllerClient,
    readiness: Readiness,
    observer: Observer,
    limited: Callable[[Handler], Handler],
    places: Places,
) -> list[Route]:
    """Everything that REST answers; /openapi.json says so too. What a controller has a part in is `limited`."""
    relay = Relay(controller, limits, places)
    models = Models(controller)
    deciding = Deciding(controller, limits, places)
    probes = Probes(readiness, observer)
    return [
        *(endpoint(f"/v1/{path}", limited(relay.to(path)), "POST") for path in RELAYED),
        endpoint("/v1/models", limited(models.list), "GET", "HEAD"),
        endpoint("/v1/models/{model_id:path}", limited(models.retrieve), "GET", "HEAD"),
        endpoint("/v1/route", limited(deciding.route), "POST"),
        endpoint("/v1/route/batch", limited(deciding.batch), "POST"),
        endpoint("/v1/strategies", limited(deciding.strategies), "GET", "HEAD"),
        endpoint("/v1/strategies/compare", limited(deciding.compare), "POST"),
        endpoint("/v1/stats", limited(deciding.stats), "GET", "HEAD"),
        endpoint("/openapi.json", OpenApi(), "GET", "HEAD"),
        endpoint("/health", probes.health, "GET", "HEAD", is_probe=True),
        endpoint("/livez", probes.livez, "GET", "HEAD", is_probe=True),
        endpoint("/readyz", probes.readyz, "GET", "HEAD", is_probe=True),
        endpoint("/metrics", probes.metrics, "GET", "HEAD", is_probe=True),
    ]


async def _drain(rest: RestServer, server: grpc.aio.Server, drain_s: float) -> None:
    await asyncio.sleep(min(_NOTICE_S, drain_s / 20))
    await asyncio.gather(rest.stop(), server.stop(drain_s))
