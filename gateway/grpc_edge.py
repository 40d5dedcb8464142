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
from gateway.controller_client import ControllerCall, ControllerClient, ControllerFailed
from gateway.deadline import LONGEST_S, Deadline
from gateway.headers import Headers, Metadata, request_id, trace_context
from gateway.identity.guard import Guard, Refused
from gateway.identity.keyring import Caller, caller_metadata
from gateway.limiting.admission import Admission, tokens_when_cut
from gateway.limits import Limits
from gateway.observer import Observation, Observer
from gateway.places import Places
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.error_forms import DETAILS_KEY, error_info, to_status
from pointsman.runtime.errors import DeadlineExceeded, InternalError, InvalidRequest, PointsmanError, wire_form
from pointsman.runtime.peers import names_of_grpc_peer
from pointsman.runtime.settings import GatewaySettings
from pointsman.v1 import admin_service_pb2, error_pb2, route_service_pb2

Context = grpc.aio.ServicerContext[bytes, bytes]
_DECIDING: Final = frozenset({"Route", "RouteBatch", "CompareStrategies", "ListStrategies"})
"""They call no backend, so that asking twice costs nothing."""
_GRACE_S: Final = 1.0  # for the controller's own word on a deadline that has passed
_NAMED_IN_LOG: Final = ("strategy", "tier", "reason")


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


class _CallerStands(Exception):
    """The caller takes no more of its answer, and its deadline has passed."""


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
                with self._edge.places.one():
                    async with self._edge.admission.admitted(caller, seen, told.extend):
                        metadata = [*trace_context(said), *caller_metadata(caller)]
                        await self._forward(await self._request(requests, seen), context, seen, metadata, told)
                seen.status = "OK"
            except _CallerGone:
                seen.error = seen.status
            except _CallerStands:
                await _let_go(context, seen)
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

    async def _request(self, requests: AsyncIterator[bytes], seen: Observation) -> bytes | AsyncIterator[bytes]:
        passed = _counted(requests, seen)
        return passed if self._method.client_streaming else await _message(passed, self._edge.limits.now.default_timeout_s)

    async def _forward(
        self, request: bytes | AsyncIterator[bytes], context: Context, seen: Observation, metadata: Metadata, told: Headers
    ) -> None:
        remaining = context.time_remaining()
        deadline = Deadline.after(self._edge.limits.now.default_timeout_s if remaining is None else min(remaining, LONGEST_S))
        path = f"/{self._method.containing_service.full_name}/{self._method.name}"

        def start() -> ControllerCall[bytes]:
            named: Any = {"request_id": seen.request_id, "timeout_s": deadline.remaining(), "trace": metadata}
            return self._edge.controller.forward(path, request, **named)

        if self._method.name in _DECIDING:
            try:
                decided, messages = await _whole(start)
            except ControllerFailed:
                await context.send_initial_metadata((*told, (REQUEST_ID, seen.request_id)))
                raise
            await _send(context, seen, [*decided, *told], _each(messages), deadline)
            return
        call = start()
        try:
            await _send(context, seen, [*await call.decision(), *told], _messages(call), deadline)
            seen.tokens = await call.tokens()
        except BaseException:
            seen.tokens = tokens_when_cut(seen)
            raise
        finally:
            call.cancel()


async def _whole(start: Callable[[], ControllerCall[bytes]]) -> tuple[Headers, list[bytes]]:
    """The decision and all messages of a call that only decides. Raises `ControllerFailed`.

    A controller that dies after its first word is beyond gRPC's own retries; nothing has gone to the caller yet, so another is asked.
    """
    for tries_left in (2, 1, 0):
        call, decided = start(), Headers()
        try:
            decided = await call.decision()
            return decided, [message async for message in _messages(call)]
        except ControllerFailed as error:
            if not (error.lost and decided and tries_left):
                raise
        finally:
            call.cancel()
    raise AssertionError("the last try returns or raises")


async def _messages(call: ControllerCall[bytes]) -> AsyncIterator[bytes]:
    while (message := await call.read()) is not None:
        yield message


async def _each(messages: list[bytes]) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


async def _send(context: Context, seen: Observation, headers: Headers, messages: AsyncIterator[bytes], deadline: Deadline) -> None:
    """Passes the answer on. Raises `_CallerGone` and `_CallerStands`."""
    _note(seen, headers)
    try:
        await context.send_initial_metadata((*((k, v) for k, v in headers if k != REQUEST_ID), (REQUEST_ID, seen.request_id)))
        async with asyncio.timeout(deadline.remaining() + _GRACE_S):
            async for message in messages:
                await context.write(message)
                seen.bytes_out += len(message)
                seen.pieces += 1
    except TimeoutError:
        raise _CallerStands from None
    except grpc.aio.InternalError:
        # What grpc.aio raises for a write to a caller who has gone, besides cancelling this task.
        raise _CallerGone from None


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


async def _let_go(context: Context, seen: Observation) -> None:
    """Ends the call of a caller that doesn't read. The error waits behind the answer; a caller that leaves it there is cut off."""
    late = DeadlineExceeded("The deadline passed before the caller had taken the answer.")
    try:
        async with asyncio.timeout(_GRACE_S):
            await _abort(context, seen, grpc.StatusCode.DEADLINE_EXCEEDED, to_status(late, seen.request_id))
    except (TimeoutError, grpc.aio.InternalError):
        raise asyncio.CancelledError from None
