"""RouteService at the edge, and AdminService where it is let through: every method's bytes pass, with the request id, the deadline
and what was decided."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from gateway.admin import refuse_admin
from gateway.controller_client import ControllerClient, ControllerFailed
from gateway.deadline import LONGEST_S
from gateway.headers import Headers, request_id, trace_context
from gateway.limits import Limits
from gateway.observer import Observation, Observer
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.error_forms import DETAILS_KEY, error_info, to_status
from pointsman.runtime.errors import InternalError, PointsmanError, wire_form
from pointsman.runtime.settings import GatewaySettings
from pointsman.v1 import admin_service_pb2, error_pb2, route_service_pb2

Context = grpc.aio.ServicerContext[bytes, bytes]
_NAMED_IN_LOG: Final = ("strategy", "tier", "reason")


def add_route_service(server: grpc.aio.Server, controller: ControllerClient, observer: Observer, limits: Limits) -> None:
    """Serves every method of the contract, none by name; other services are UNIMPLEMENTED."""
    service = route_service_pb2.DESCRIPTOR.services_by_name["RouteService"]
    _add(server, service, lambda method: _Forward(method, controller, observer, limits))


def add_admin_service(server: grpc.aio.Server, controller: ControllerClient, observer: Observer, limits: Limits) -> None:
    """The same for AdminService, for those who may; the others are told why they may not."""
    service = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
    _add(server, service, lambda method: _Forward(method, controller, observer, limits, refuse_admin))


def _add(server: grpc.aio.Server, service: ServiceDescriptor, forward: Callable[[str], _Forward]) -> None:
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
    for method in service.methods:
        forwarding = forward(f"/{service.full_name}/{method.name}")
        # No (de)serializers: bytes in, bytes out. A unary call is a stream of one message on the wire.
        if method.client_streaming:
            handlers[method.name] = grpc.stream_stream_rpc_method_handler(forwarding.answer)
        else:
            handlers[method.name] = grpc.unary_stream_rpc_method_handler(forwarding.answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


class _CallerGone(Exception):
    """The caller cancelled, or its deadline passed."""


class _Forward:
    """One method of a contract, `/service/method`. `refuse` raises where the caller may not call it."""

    def __init__(
        self,
        method: str,
        controller: ControllerClient,
        observer: Observer,
        limits: Limits,
        refuse: Callable[[GatewaySettings], None] = lambda _: None,
    ) -> None:
        self._method = method
        self._controller = controller
        self._observer = observer
        self._limits = limits
        self._refuse = refuse

    async def answer(self, request: bytes | AsyncIterator[bytes], context: Context) -> None:
        said = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        seen = Observation(protocol="grpc", method="gRPC", request_id=request_id(said), status="CANCELLED")
        seen.endpoint = self._method.rpartition("/")[2]
        with self._observer.watching(seen):
            try:
                self._refuse(self._limits.now)
                await self._forward(request, context, seen, trace_context(said))
                seen.status = "OK"
            except _CallerGone:
                seen.error = seen.status
            except ControllerFailed as error:
                await _abort(context, seen, error.code, error.status)
            except PointsmanError as error:
                await _abort(context, seen, wire_form(error).grpc_code, to_status(error, seen.request_id))
            except Exception:  # noqa: BLE001 (the border: logged here, and told as one fixed sentence)
                self._observer.undeclared(seen)
                await _abort(context, seen, grpc.StatusCode.INTERNAL, to_status(InternalError(), seen.request_id))

    async def _forward(self, request: bytes | AsyncIterator[bytes], context: Context, seen: Observation, trace: Headers) -> None:
        remaining = context.time_remaining()
        timeout_s = self._limits.now.default_timeout_s if remaining is None else min(remaining, LONGEST_S)
        passed = _counted(request, seen)
        call = self._controller.forward(self._method, passed, request_id=seen.request_id, timeout_s=timeout_s, trace=trace)
        try:
            decided = await call.decision()
            _note(seen, decided)
            await context.send_initial_metadata((*((k, v) for k, v in decided if k != REQUEST_ID), (REQUEST_ID, seen.request_id)))
            while (message := await call.read()) is not None:
                await context.write(message)
                seen.bytes_out += len(message)
        except grpc.aio.InternalError:
            # What grpc.aio raises for a write to a caller who has gone, besides cancelling this task.
            raise _CallerGone from None
        finally:
            call.cancel()


def _counted(request: bytes | AsyncIterator[bytes], seen: Observation) -> bytes | AsyncIterator[bytes]:
    """The message, or the messages, whose bytes are counted as they pass."""
    if isinstance(request, bytes):
        seen.bytes_in = len(request)
        return request

    async def messages() -> AsyncIterator[bytes]:
        async for message in request:
            seen.bytes_in += len(message)
            yield message

    return messages()


def _note(seen: Observation, decided: Headers) -> None:
    for key, value in decided:
        if (name := key.removeprefix(PREFIX)) in _NAMED_IN_LOG:
            setattr(seen, name, value)


async def _abort(context: Any, seen: Observation, code: grpc.StatusCode, status: error_pb2.Error) -> None:
    """Ends the call with the code, the message and the details; raises what gRPC wants raised."""
    seen.status = code.name
    seen.error = error_info(status).reason
    await context.abort(code, status.message, ((DETAILS_KEY, status.SerializeToString()),))
