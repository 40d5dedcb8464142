"""The REST side: routes, and the border at which every error takes OpenAI's shape."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.connection import SCOPE_KEY
from gateway.controller_call import ControllerFailed
from gateway.exchange import CallerGone, Exchange
from gateway.headers import request_id
from gateway.identity.door import Door
from gateway.identity.guard import CHALLENGE
from gateway.observer import Observation, Observer
from gateway.refusal_pace import RefusalPace, is_for_load
from pointsman.runtime import tracing
from pointsman.runtime.errors import (
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    NotFound,
    Overloaded,
    PointsmanError,
    Unauthenticated,
    Unavailable,
)

Handler = Callable[[Exchange], Awaitable[None]]
_EXCHANGE = "pointsman.exchange"  # the key in the ASGI scope


def endpoint(path: str, handler: Handler, *methods: str, is_probe: bool = False) -> Route:
    """A route whose wrong method is an error in OpenAI's shape."""
    return Route(path, _Endpoint(path, handler, methods, is_probe))


class _Endpoint:
    """An ASGI application for one path."""

    def __init__(self, path: str, handler: Handler, methods: Sequence[str], is_probe: bool) -> None:
        self.methods = methods
        self._path = path
        self._handler = handler
        self._is_probe = is_probe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _taken(scope)
        exchange.seen.endpoint = self._path
        exchange.seen.is_probe = self._is_probe
        if scope["method"] in self.methods:
            await (self._traced(exchange) if tracing.is_on() and not self._is_probe else self._handler(exchange))
            return
        allowed = ", ".join(self.methods)
        error = InvalidRequest(f"{self._path} takes {allowed}, not {scope['method']}.", http_status=405)
        await exchange.fail_with(error, [("allow", allowed)])

    async def _traced(self, exchange: Exchange) -> None:
        seen = exchange.seen
        said = {"http__request__method": seen.method, "http__route": self._path, "pointsman__request_id": seen.request_id}
        with tracing.current_span(f"{seen.method} {self._path}", "SERVER", tracing.context_in(exchange.headers), **said) as span:
            await self._handler(exchange)
            span.note(http__response__status_code=int(seen.status))


def _taken(scope: Scope) -> Exchange:
    """The exchange, which holds the scope: left in it, the two would outlive the request until the collector comes to them."""
    exchange: Exchange = scope.pop(_EXCHANGE)
    return exchange


async def _no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    _taken(scope)
    raise NotFound("There is no such endpoint; GET /openapi.json lists those that there are.")


def rest_app(routes: Sequence[Route], observer: Observer, door: Door, pace: RefusalPace) -> ASGIApp:
    """The ASGI application: observes, identifies, routes, and turns what is raised into an answer."""
    router = Router(routes, redirect_slashes=False, default=_no_such_path)
    exact: dict[str, ASGIApp] = {route.path: route.app for route in routes if not route.param_convertors}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        seen = Observation(protocol="rest", method=scope["method"], request_id=request_id(headers), status="499")
        exchange = Exchange(scope, receive, send, headers, seen)
        with observer.watching(seen):
            try:
                # Before anything of the body is read, and before it is said what there is.
                door.enter(exchange)
                scope[_EXCHANGE] = exchange
                try:
                    await exact.get(scope["path"], router)(scope, receive, send)
                except (Overloaded, ControllerFailed) as error:
                    # Here all that the request held is free again.
                    if is_for_load(error) and not exchange.started:
                        await pace.keep(scope[SCOPE_KEY])
                    raise
            except CallerGone:
                seen.error = "CANCELLED"
            except asyncio.CancelledError:
                # uvicorn cancels its requests' tasks in one case: the time to drain is over.
                stopping = Unavailable("The gateway is stopping; try again shortly.", retry_after_s=1)
                await exchange.fail_with(stopping)
            except ControllerFailed as error:
                await exchange.fail(error.status)
            except BodyTooLarge as error:
                await exchange.refuse_body(error)
            except Unauthenticated as error:
                await exchange.fail_with(error, [CHALLENGE])
            except PointsmanError as error:
                await exchange.fail_with(error)
            except Exception:  # noqa: BLE001 (the border: logged here, and told as one fixed sentence)
                observer.undeclared(seen)
                await exchange.fail_with(InternalError())

    return app
