"""RouteService at the edge, and AdminService where it is let through: every method's bytes pass, with the request id, the deadline
and what was decided."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from gateway.admin import TO_EACH, Joined, refuse_admin
from gateway.connection import Connection, ended_when_cancelled
from gateway.controller_call import CallCancelled, ControllerCall, ControllerFailed
from gateway.controller_client import ControllerClient
from gateway.deadline import LONGEST_S, Deadline
from gateway.grpc_passing import (
    CallerGone,
    CallerStands,
    Context,
    abort,
    begun,
    counted,
    each_of,
    let_go,
    message_of,
    messages_of,
    send,
    whole,
)
from gateway.headers import Headers, Metadata, request_id, trace_context
from gateway.identity.guard import Guard, Refused
from gateway.identity.keyring import Caller, caller_metadata
from gateway.limiting.admission import Admission, tokens_when_cut
from gateway.limits import Limits
from gateway.observer import Observation, Observer
from gateway.places import Places
from pointsman.runtime import tracing
from pointsman.runtime.error_forms import pushback, to_status
from pointsman.runtime.errors import InternalError, PointsmanError, wire_form
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.peers import names_of_grpc_peer
from pointsman.v1 import admin_service_pb2, error_pb2, route_service_pb2

_DECIDING: Final = frozenset({"Route", "RouteBatch", "CompareStrategies", "ListStrategies"})
"""They call no backend, so that asking twice costs nothing."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What every call passes on its way to a controller."""

    controller: ControllerClient
    observer: Observer
    limits: Limits
    guard: Guard
    admission: Admission
    places: Places


def add_route_service(server: grpc.aio.Server, edge: Edge) -> None:
    """Serves every method of the contract, none by name; other services are UNIMPLEMENTED."""
    service = route_service_pb2.DESCRIPTOR.services_by_name["RouteService"]
    _add(server, service, lambda method: _Forward(method, edge))


def add_admin_service(server: grpc.aio.Server, edge: Edge) -> None:
    """The same for AdminService, for those who may; the others are told why they may not."""
    service = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
    _add(server, service, lambda method: _Forward(method, edge, refuse_admin, TO_EACH.get(method.name)))


def _add(server: grpc.aio.Server, service: ServiceDescriptor, forward: Callable[[MethodDescriptor], _Forward]) -> None:
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        # No (de)serializers: bytes in, bytes out. A unary call is a stream of one message on the wire, and as a stream its message isn't
        # read before it is known who asks.
        method.name: grpc.stream_stream_rpc_method_handler(forward(method).answer)
        for method in service.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


class _Forward:
    """One method of a contract. `refuse` raises where the caller may not call it; with `joined` it goes to each controller."""

    def __init__(
        self,
        method: MethodDescriptor,
        edge: Edge,
        refuse: Callable[[GatewaySettings, Caller | None], None] = lambda *_: None,
        joined: Joined | None = None,
    ) -> None:
        self._method = method
        self._edge = edge
        self._refuse = refuse
        self._joined = joined

    async def answer(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """For grpc.aio, which cancels the task of a call whose caller has gone."""
        connection = Connection()
        await ended_when_cancelled(self._answer(requests, context, connection), connection)

    async def _answer(self, requests: AsyncIterator[bytes], context: Context, connection: Connection) -> None:
        said = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        seen = Observation(protocol="grpc", method="gRPC", request_id=request_id(said), status="CANCELLED", endpoint=self._method.name)
        told: Headers = []
        with self._edge.observer.watching(seen):
            try:
                caller = self._caller(said, context, seen)
                self._refuse(self._edge.limits.now, caller)
                with self._span(said, seen), self._edge.places.one():
                    async with self._edge.admission.admitted(caller, seen, told.extend):
                        metadata = [*trace_context(said), *caller_metadata(caller)]
                        await self._forward(await self._request(requests, seen), context, seen, metadata, told, connection)
                seen.status = "OK"
            except (CallerGone, CallCancelled):
                seen.error = seen.status
            except CallerStands:
                await let_go(context, seen)
            except ControllerFailed as error:
                await self._fail(context, seen, error.code, error.status, told)
            except PointsmanError as error:
                await self._fail(context, seen, wire_form(error).grpc_code, to_status(error, seen.request_id), told)
            except Exception:  # noqa: BLE001 (the border: logged here, and told as one fixed sentence)
                self._edge.observer.undeclared(seen)
                await self._fail(context, seen, grpc.StatusCode.INTERNAL, to_status(InternalError(), seen.request_id), told)

    async def _fail(self, context: Context, seen: Observation, code: grpc.StatusCode, status: error_pb2.Error, told: Headers) -> None:
        await abort(context, seen, code, status, [*told, *pushback(status, self._left_s(context))])

    def _left_s(self, context: Context) -> float:
        """Of the call; one without a deadline has the settings'."""
        remaining = context.time_remaining()
        return self._edge.limits.now.default_timeout_s if remaining is None else min(remaining, LONGEST_S)

    def _span(self, said: Mapping[str, str], seen: Observation) -> tracing.current_span:
        service, method = self._method.containing_service.full_name, self._method.name
        named = {"rpc__system": "grpc", "rpc__service": service, "rpc__method": method, "pointsman__request_id": seen.request_id}
        return tracing.current_span(f"{service}/{method}", "SERVER", tracing.context_in(said), **named)

    def _caller(self, said: Mapping[str, str], context: Context, seen: Observation) -> Caller | None:
        """Who asks, noted for the log. Raises `Unauthenticated`."""
        try:
            caller = self._edge.guard.identify(said, lambda: names_of_grpc_peer(context))
        except Refused as error:
            seen.caller = error.caller
            raise
        seen.caller = caller.name if caller else ""
        return caller

    async def _request(self, requests: AsyncIterator[bytes], seen: Observation) -> bytes | AsyncIterator[bytes]:
        passed = counted(requests, seen)
        return passed if self._method.client_streaming else await message_of(passed, self._edge.limits.now.default_timeout_s)

    async def _forward(
        self,
        request: bytes | AsyncIterator[bytes],
        context: Context,
        seen: Observation,
        metadata: Metadata,
        told: Headers,
        connection: Connection,
    ) -> None:
        deadline = Deadline.after(self._left_s(context))
        path = f"/{self._method.containing_service.full_name}/{self._method.name}"

        def named() -> Any:
            return {"request_id": seen.request_id, "timeout_s": deadline.remaining(), "trace": metadata}

        def start() -> ControllerCall[bytes]:
            call = self._edge.controller.forward(path, request, **named())
            connection.watch(call.cancel, instead=True)
            return call

        if self._joined or self._method.name in _DECIDING:
            if self._joined and isinstance(request, bytes):
                decided, messages = Headers(), [self._joined(await self._edge.controller.ask_each(path, request, **named()))]
            else:
                decided, messages = await whole(start)
            await send(context, seen, [*decided, *told], each_of(messages), deadline)
            return
        call = start()
        try:
            decided, passed = await call.decision(), messages_of(call)
            # Without a decision there is nothing to tell before the first message, and a call that has failed has none.
            await send(context, seen, [*decided, *told], passed if decided else await begun(passed), deadline)
            seen.tokens = await call.tokens()
        except BaseException:
            seen.tokens = tokens_when_cut(seen)
            raise
        finally:
            call.cancel()
