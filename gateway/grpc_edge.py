"""RouteService at the edge: every method's bytes pass through, with the request id, the deadline and what was decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc

from gateway.controller_client import ControllerCall, ControllerClient, ControllerFailed
from gateway.deadline import LONGEST_S, Deadline
from gateway.headers import Headers, request_id, trace_context
from gateway.limits import Limits
from gateway.observer import Observation, Observer
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.error_forms import DETAILS_KEY, error_info, to_status
from pointsman.runtime.errors import DeadlineExceeded, InternalError, Overloaded
from pointsman.runtime.grpc_server import ROUTE_SERVICE
from pointsman.v1 import error_pb2, route_service_pb2

Context = grpc.aio.ServicerContext[bytes, bytes]
_DECIDING: Final = frozenset({"Route", "RouteBatch", "CompareStrategies", "ListStrategies"})
"""They call no backend, so that asking twice costs nothing."""
_GRACE_S: Final = 1.0  # for the controller's own word on a deadline that has passed
_NAMED_IN_LOG: Final = ("strategy", "tier", "reason")


def add_route_service(server: grpc.aio.Server, controller: ControllerClient, observer: Observer, limits: Limits) -> None:
    """Serves every method of the contract, none by name; other services are UNIMPLEMENTED."""
    places = _Places(limits)
    service = route_service_pb2.DESCRIPTOR.services_by_name["RouteService"]
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        # No (de)serializers: bytes in, bytes out. A unary call is a stream of one message on the wire.
        method.name: grpc.unary_stream_rpc_method_handler(_Forward(method.name, controller, observer, places).answer)
        for method in service.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ROUTE_SERVICE, handlers),))


class _CallerGone(Exception):
    """The caller cancelled, or its deadline passed."""


class _CallerStands(Exception):
    """The caller takes no more of its answer, and its deadline has passed."""


class _Places:
    """At most `max_concurrent` calls at once whatever their methods. gRPC itself counts a call until its caller has taken the answer."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """For the length of a call. Raises `Overloaded`."""
        if self._taken >= self.limits.now.max_concurrent:
            raise Overloaded("The gateway has as many calls under way as it may; try again shortly.", retry_after_s=1)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


class _Forward:
    """One method of the contract."""

    def __init__(self, method: str, controller: ControllerClient, observer: Observer, places: _Places) -> None:
        self._method = method
        self._controller = controller
        self._observer = observer
        self._places = places

    async def answer(self, request: bytes, context: Context) -> None:
        said = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        seen = Observation(protocol="grpc", method="gRPC", request_id=request_id(said), status="CANCELLED", endpoint=self._method)
        seen.bytes_in = len(request)
        with self._observer.watching(seen):
            try:
                with self._places.one():
                    await self._forward(request, context, seen, trace_context(said))
                seen.status = "OK"
            except Overloaded as error:
                await _abort(context, seen, grpc.StatusCode.RESOURCE_EXHAUSTED, to_status(error, seen.request_id))
            except _CallerGone:
                seen.error = seen.status
            except _CallerStands:
                await _let_go(context, seen)
            except ControllerFailed as error:
                await _abort(context, seen, error.code, error.status)
            except Exception:  # noqa: BLE001 (the border: logged here, and told as one fixed sentence)
                self._observer.undeclared(seen)
                await _abort(context, seen, grpc.StatusCode.INTERNAL, to_status(InternalError(), seen.request_id))

    async def _forward(self, request: bytes, context: Context, seen: Observation, trace: Headers) -> None:
        remaining = context.time_remaining()
        timeout_s = self._places.limits.now.default_timeout_s if remaining is None else min(remaining, LONGEST_S)
        deadline = Deadline.after(timeout_s)

        def start() -> ControllerCall[bytes]:
            return self._controller.forward(self._method, request, request_id=seen.request_id, timeout_s=deadline.remaining(), trace=trace)

        if self._method in _DECIDING:
            try:
                decided, messages = await _whole(start)
            except ControllerFailed:
                await _send(context, seen, [], _each([]), deadline)
                raise
            await _send(context, seen, decided, messages, deadline)
            return
        call = start()
        try:
            await _send(context, seen, await call.decision(), _messages(call), deadline)
        finally:
            call.cancel()


async def _whole(start: Callable[[], ControllerCall[bytes]]) -> tuple[Headers, AsyncIterator[bytes]]:
    """The decision and all messages of a call that only decides. Raises `ControllerFailed`.

    A controller that dies after its first word is beyond gRPC's own retries; nothing has gone to the caller yet, so another is asked.
    """
    for tries_left in (2, 1, 0):
        call, decided = start(), Headers()
        try:
            decided = await call.decision()
            messages = [message async for message in _messages(call)]
        except ControllerFailed as error:
            if not (error.lost and decided and tries_left):
                raise
        else:
            return decided, _each(messages)
        finally:
            call.cancel()
    raise AssertionError("the last try returns or raises")


async def _messages(call: ControllerCall[bytes]) -> AsyncIterator[bytes]:
    while (message := await call.read()) is not None:
        yield message


async def _each(messages: list[bytes]) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


async def _send(context: Context, seen: Observation, decided: Headers, messages: AsyncIterator[bytes], deadline: Deadline) -> None:
    """Passes the answer on. Raises `_CallerGone` and `_CallerStands`."""
    _note(seen, decided)
    try:
        await context.send_initial_metadata((*((k, v) for k, v in decided if k != REQUEST_ID), (REQUEST_ID, seen.request_id)))
        async with asyncio.timeout(deadline.remaining() + _GRACE_S):
            async for message in messages:
                await context.write(message)
                seen.bytes_out += len(message)
    except TimeoutError:
        raise _CallerStands from None
    except grpc.aio.InternalError:
        # What grpc.aio raises for a write to a caller who has gone, besides cancelling this task.
        raise _CallerGone from None


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
