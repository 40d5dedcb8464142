"""RouteService at the edge: every method's bytes pass through, with the request id, the deadline and what was decided."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

import grpc

from gateway.controller_client import ControllerCall, ControllerClient, ControllerFailed
from gateway.deadline import LONGEST_S, taken_in_time
from gateway.headers import Headers, request_id, trace_context
from gateway.limits import Limits
from gateway.observer import Observation, Observer
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.error_forms import DETAILS_KEY, error_info, to_status
from pointsman.runtime.errors import DeadlineExceeded, InternalError, error_name
from pointsman.runtime.grpc_server import ROUTE_SERVICE
from pointsman.v1 import error_pb2, route_service_pb2

Context = grpc.aio.ServicerContext[bytes, bytes]
_NAMED_IN_LOG: Final = ("strategy", "tier", "reason")


def add_route_service(server: grpc.aio.Server, controller: ControllerClient, observer: Observer, limits: Limits) -> None:
    """Serves every method of the contract, none by name; other services are UNIMPLEMENTED."""
    service = route_service_pb2.DESCRIPTOR.services_by_name["RouteService"]
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        # No (de)serializers: bytes in, bytes out. A unary call is a stream of one message on the wire.
        method.name: grpc.unary_stream_rpc_method_handler(_Forward(method.name, controller, observer, limits).answer)
        for method in service.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ROUTE_SERVICE, handlers),))


class _CallerGone(Exception):
    """The caller cancelled, or its deadline passed."""


class _Forward:
    """One method of the contract."""

    def __init__(self, method: str, controller: ControllerClient, observer: Observer, limits: Limits) -> None:
        self._method = method
        self._controller = controller
        self._observer = observer
        self._limits = limits
        self._telling: set[asyncio.Task[None]] = set()

    async def answer(self, request: bytes, context: Context) -> None:
        said = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        seen = Observation(protocol="grpc", method="gRPC", request_id=request_id(said), status="CANCELLED", endpoint=self._method)
        seen.bytes_in = len(request)
        with self._observer.watching(seen):
            try:
                await self._forward(request, context, seen, trace_context(said))
                seen.status = "OK"
            except _CallerGone:
                seen.error = seen.status
            except ControllerFailed as error:
                await _abort(context, seen, error.code, error.status)
            except DeadlineExceeded as error:
                seen.status = seen.error = error_name(error)
                self._tell_later(context, to_status(error, seen.request_id))
                raise asyncio.CancelledError from None  # ends the call here, and sends nothing
            except Exception:  # noqa: BLE001 (the border: logged here, and told as one fixed sentence)
                self._observer.undeclared(seen)
                await _abort(context, seen, grpc.StatusCode.INTERNAL, to_status(InternalError(), seen.request_id))

    def _tell_later(self, context: Context, status: error_pb2.Error) -> None:
        """The status waits behind the message that the caller doesn't take; the call's place is free meanwhile."""

        async def tell() -> None:
            with suppress(grpc.aio.BaseError):
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, status.message, _details(status))

        task = asyncio.get_running_loop().create_task(tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _forward(self, request: bytes, context: Context, seen: Observation, trace: Headers) -> None:
        remaining = context.time_remaining()
        timeout_s = self._limits.now.default_timeout_s if remaining is None else min(remaining, LONGEST_S)
        call = self._controller.forward(self._method, request, request_id=seen.request_id, timeout_s=timeout_s, trace=trace)
        try:
            async with taken_in_time(timeout_s):
                await _pass_on(call, context, seen)
        except grpc.aio.InternalError:
            # What grpc.aio raises for a write to a caller who has gone, besides cancelling this task.
            raise _CallerGone from None
        finally:
            call.cancel()


async def _pass_on(call: ControllerCall[bytes], context: Context, seen: Observation) -> None:
    decided = await call.decision()
    _note(seen, decided)
    await context.send_initial_metadata((*((k, v) for k, v in decided if k != REQUEST_ID), (REQUEST_ID, seen.request_id)))
    while (message := await call.read()) is not None:
        await context.write(message)
        seen.bytes_out += len(message)


def _note(seen: Observation, decided: Headers) -> None:
    for key, value in decided:
        if (name := key.removeprefix(PREFIX)) in _NAMED_IN_LOG:
            setattr(seen, name, value)


async def _abort(context: Any, seen: Observation, code: grpc.StatusCode, status: error_pb2.Error) -> None:
    """Ends the call with the code, the message and the details; raises what gRPC wants raised."""
    seen.status = code.name
    seen.error = error_info(status).reason
    await context.abort(code, status.message, _details(status))


def _details(status: error_pb2.Error) -> tuple[tuple[str, bytes]]:
    return ((DETAILS_KEY, status.SerializeToString()),)
