"""RouteService at the edge, and AdminService where it is let through: every method's bytes pass, with the request id, the deadline
and what was decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from gateway.admin import refuse_admin
from gateway.controller_client import ControllerClient, ControllerFailed
from gateway.deadline import LONGEST_S
from gateway.headers import Headers, Metadata, request_id, trace_context
from gateway.identity.guard import Guard, Refused
from gateway.identity.keyring import Caller, caller_metadata
from gateway.limiting.admission import Admission, tokens_when_cut
from gateway.limits import Limits
from gateway.observer import Observation, Observer
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.error_forms import DETAILS_KEY, error_info, to_status
from pointsman.runtime.errors import DeadlineExceeded, InternalError, InvalidRequest, PointsmanError, wire_form
from pointsman.runtime.peers import names_of_grpc_peer
from pointsman.runtime.settings import GatewaySettings
from pointsman.v1 import admin_service_pb2, error_pb2, route_service_pb2

Context = grpc.aio.ServicerContext[bytes, bytes]
_NAMED_IN_LOG: Final = ("strategy", "tier", "reason")


@dataclass(frozen=True, slots=True)
class Edge:
    """What every call passes on its way to a controller."""

    controller: ControllerClient
    observer: Observer
    limits: Limits
    guard: Guard
    admission: Admission


def add_route_service(server: grpc.aio.Server, edge: Edge) -> None:
    """Serves every method of the contract, none by name; other services are UNIMPLEMENTED."""
    service = route_service_pb2.DESCRIPTOR.services_by_name["RouteService"]
    _add(server, service, lambda method: _Forward(method, edge))


def add_admin_service(server: grpc.aio.Server, edge: Edge) -> None:
    """The same for AdminService, for those who may; the others are told why they may not."""
    service = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
    _add(server, service, lambda method: _Forward(method, edge, refuse_admin))


def _add(server: grpc.aio.Server, service: ServiceDescriptor, forward: Callable[[MethodDescriptor], _Forward]) -> None:
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        # No (de)serializers: bytes in, bytes out. A unary call is a stream of one message on the wire, and as a stream its message isn't
        # read before it is known who asks.
        method.name: grpc.stream_stream_rpc_method_handler(forward(method).answer)
        for method in service.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


class _CallerGone(Exception):
    """The caller cancelled, or its deadline passed."""


class _Forward:
    """One method of a contract. `refuse` raises where the caller may not call it."""

    def __init__(
        self, method: MethodDescriptor, edge: Edge, refuse: Callable[[GatewaySettings, Caller | None], None] = lambda *_: None
    ) -> None:
        self._method = method
        self._edge = edge
        self._refuse = refuse

    async def answer(self, requests: AsyncIterator[bytes], context: Context) -> None:
        said = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        seen = Observation(protocol="grpc", method="gRPC", request_id=request_id(said), status="CANCELLED", endpoint=self._method.name)
        told: Headers = []
        with self._edge.observer.watching(seen):
            try:
                caller = self._caller(said, context, seen)
                self._refuse(self._edge.limits.now, caller)
                async with self._edge.admission.admitted(caller, seen, told.extend):
                    request = _counted(requests, seen)
                    passed = request if self._method.client_streaming else await _message(request, self._edge.limits.now.default_timeout_s)
                    await self._forward(passed, context, seen, [*trace_context(said), *caller_metadata(caller)], told)
                seen.status = "OK"
            except _CallerGone:
                seen.error = seen.status
            except ControllerFailed as error:
                await _abort(context, seen, error.code, error.status)
            except PointsmanError as error:
                await context.send_initial_metadata((*told, (REQUEST_ID, seen.request_id)))
                await _abort(context, seen, wire_form(error).grpc_code, to_status(error, seen.request_id))
            except Exception:  # noqa: BLE001 (the border: logged here, and told as one fixed sentence)
                self._edge.observer.undeclared(seen)
                await _abort(context, seen, grpc.StatusCode.INTERNAL, to_status(InternalError(), seen.request_id))

    def _caller(self, said: Mapping[str, str], context: Context, seen: Observation) -> Caller | None:
        """Who asks, noted for the log. Raises `Unauthenticated`."""
        try:
            caller = self._edge.guard.identify(said, lambda: names_of_grpc_peer(context))
        except Refused as error:
            seen.caller = error.caller
            raise
        seen.caller = caller.name if caller else ""
        return caller

    async def _forward(
        self, request: bytes | AsyncIterator[bytes], context: Context, seen: Observation, trace: Metadata, told: Headers
    ) -> None:
        remaining = context.time_remaining()
        timeout_s = self._edge.limits.now.default_timeout_s if remaining is None else min(remaining, LONGEST_S)
        path = f"/{self._method.containing_service.full_name}/{self._method.name}"
        call = self._edge.controller.forward(path, request, request_id=seen.request_id, timeout_s=timeout_s, trace=trace)
        try:
            decided = await call.decision()
            _note(seen, decided)
            kept = ((key, value) for key, value in decided if key != REQUEST_ID)
            await context.send_initial_metadata((*kept, *told, (REQUEST_ID, seen.request_id)))
            while (message := await call.read()) is not None:
                await context.write(message)
                seen.bytes_out += len(message)
                seen.pieces += 1
            seen.tokens = await call.tokens()
        except grpc.aio.InternalError:
            # What grpc.aio raises for a write to a caller who has gone, besides cancelling this task.
            seen.tokens = tokens_when_cut(seen)
            raise _CallerGone from None
        except BaseException:
            seen.tokens = tokens_when_cut(seen)
            raise
        finally:
            call.cancel()


async def _counted(requests: AsyncIterator[bytes], seen: Observation) -> AsyncIterator[bytes]:
    """The messages, whose bytes are counted as they pass."""
    async for message in requests:
        seen.bytes_in += len(message)
        yield message


async def _message(requests: AsyncIterator[bytes], timeout_s: float) -> bytes:
    """The call's one message. Raises `InvalidRequest` where there is none, and `DeadlineExceeded` where it doesn't come."""
    try:
        async with asyncio.timeout(timeout_s):
            message = await anext(requests, None)
    except TimeoutError:
        raise DeadlineExceeded("The deadline passed before the call's message had arrived.") from None
    if message is None:
        raise InvalidRequest("The call has no message, or one that is too long.")
    return message


def _note(seen: Observation, decided: Headers) -> None:
    for key, value in decided:
        if (name := key.removeprefix(PREFIX)) in _NAMED_IN_LOG:
            setattr(seen, name, value)


async def _abort(context: Any, seen: Observation, code: grpc.StatusCode, status: error_pb2.Error) -> None:
    """Ends the call with the code, the message and the details; raises what gRPC wants raised."""
    seen.status = code.name
    seen.error = error_info(status).reason
    await context.abort(code, status.message, ((DETAILS_KEY, status.SerializeToString()),))
