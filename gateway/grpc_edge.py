"""RouteService at the edge: every method's bytes pass through, with the request id, the deadline and what was decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import grpc

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
from pointsman.runtime.grpc_server import ROUTE_SERVICE
from pointsman.runtime.peers import names_of_grpc_peer
from pointsman.v1 import error_pb2, route_service_pb2

Context = grpc.aio.ServicerContext[bytes, bytes]
_NAMED_IN_LOG: Final = ("strategy", "tier", "reason")


def add_route_service(
    server: grpc.aio.Server, controller: ControllerClient, observer: Observer, limits: Limits, guard: Guard, admission: Admission
) -> None:
    """Serves every method of the contract, none by name; other services are UNIMPLEMENTED."""
    service = route_service_pb2.DESCRIPTOR.services_by_name["RouteService"]
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        # No (de)serializers: bytes in, bytes out. A unary call is a stream of one message on the wire, and as a stream its message isn't
        # read before it is known who asks.
        method.name: grpc.stream_stream_rpc_method_handler(_Forward(method.name, controller, observer, limits, guard, admission).answer)
        for method in service.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ROUTE_SERVICE, handlers),))


class _CallerGone(Exception):
    """The caller cancelled, or its deadline passed."""


class _Forward:
    """One method of the contract."""

    def __init__(
        self, method: str, controller: ControllerClient, observer: Observer, limits: Limits, guard: Guard, admission: Admission
    ) -> None:
        self._method = method
        self._controller = controller
        self._observer = observer
        self._limits = limits
        self._guard = guard
        self._admission = admission

    async def answer(self, requests: AsyncIterator[bytes], context: Context) -> None:
        said = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        seen = Observation(protocol="grpc", method="gRPC", request_id=request_id(said), status="CANCELLED", endpoint=self._method)
        told: Headers = []
        with self._observer.watching(seen):
            try:
                caller = self._caller(said, context, seen)
                async with self._admission.admitted(caller, seen, told.extend):
                    request = await _message(requests, self._limits.now.default_timeout_s)
                    seen.bytes_in = len(request)
                    await self._forward(request, context, seen, [*trace_context(said), *caller_metadata(caller)], told)
                seen.status = "OK"
            except _CallerGone:
                seen.error = seen.status
            except ControllerFailed as error:
                await _abort(context, seen, error.code, error.status)
            except PointsmanError as error:
                await context.send_initial_metadata((*told, (REQUEST_ID, seen.request_id)))
                await _abort(context, seen, wire_form(error).grpc_code, to_status(error, seen.request_id))
            except Exception:  # noqa: BLE001 (the border: logged here, and told as one fixed sentence)
                self._observer.undeclared(seen)
                await _abort(context, seen, grpc.StatusCode.INTERNAL, to_status(InternalError(), seen.request_id))

    def _caller(self, said: Mapping[str, str], context: Context, seen: Observation) -> Caller | None:
        """Who asks, noted for the log. Raises `Unauthenticated`."""
        try:
            caller = self._guard.identify(said, lambda: names_of_grpc_peer(context))
        except Refused as error:
            seen.caller = error.caller
            raise
        seen.caller = caller.name if caller else ""
        return caller

    async def _forward(self, request: bytes, context: Context, seen: Observation, trace: Metadata, told: Headers) -> None:
        remaining = context.time_remaining()
        timeout_s = self._limits.now.default_timeout_s if remaining is None else min(remaining, LONGEST_S)
        call = self._controller.forward(self._method, request, request_id=seen.request_id, timeout_s=timeout_s, trace=trace)
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
