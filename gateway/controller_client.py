"""Calls to the controllers: the only module of the gateway that makes gRPC calls and says how their failures are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import grpc
import structlog

from gateway.controller_call import Call, ControllerCall, ControllerFailed, WholeCall
from gateway.controller_channel import ControllerChannel
from gateway.headers import Headers, Metadata
from pointsman.runtime import waiting
from pointsman.runtime.client_tls import ControllerAccess
from pointsman.runtime.decision_headers import REQUEST_ID
from pointsman.runtime.each_controller import ControllerAt, each_controller
from pointsman.runtime.error_forms import detailed_status, status_of, to_status
from pointsman.runtime.errors import Unavailable
from pointsman.runtime.waiting import arriving
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc

log = structlog.get_logger()
_LOG_EVERY_S: Final = 30.0


class ControllerClient:
    """Calls to the controllers, which take turns. Lives as long as the process."""

    def __init__(
        self, controllers: Sequence[str], access: ControllerAccess | None = None, crowded: Callable[[], bool] = lambda: False
    ) -> None:
        """Without `access` in plain text and without a token; `crowded` says whether many calls are in progress, which the controllers are
        told. Raises `SettingsError` for addresses that don't go together."""
        self._controllers = controllers
        self._crowded = crowded
        self._tls = access.tls if access else None
        self._channel = ControllerChannel(controllers, self._tls)
        self._token = access.token if access else None
        self._stubbed, self._stub = self._with_stub()
        self._logged: dict[str, float] = {}

    async def close(self) -> None:
        """Ends the calls that still run."""
        await self._channel.close()

    def relay(
        self, request: route_service_pb2.RelayRequest, *, request_id: str, timeout_s: float, trace: Metadata
    ) -> ControllerCall[route_service_pb2.RelayResponse]:
        """Starts a relay: started, bytes …, error where it was cut, finished."""
        timeout_s, arrives = arriving(timeout_s)
        call = self._stub_now().Relay(request, timeout=timeout_s, metadata=self._metadata(request_id, trace, arrives))
        return ControllerCall(call, self._failed)

    def relay_whole(self, request: route_service_pb2.RelayRequest, *, request_id: str, timeout_s: float, trace: Headers) -> WholeCall:
        """Starts a relay that answers whole."""
        whole = route_service_pb2.RelayWholeRequest(relay=request)
        timeout_s, arrives = arriving(timeout_s)
        call = self._stub_now().RelayWhole(whole, timeout=timeout_s, metadata=self._metadata(request_id, trace, arrives))
        return WholeCall(call, self._failed)

    def forward(
        self, method: str, request: bytes | AsyncIterator[bytes], *, request_id: str, timeout_s: float, trace: Metadata
    ) -> ControllerCall[bytes]:
        """Starts any call, `/service/method`, with the message as it came, or the messages as they come.

        On the wire a unary call is a stream of one message.
        """
        timeout_s, arrives = arriving(timeout_s)
        channel, metadata = self._channel.now(), self._metadata(request_id, trace, arrives)
        call: Call[bytes]
        if isinstance(request, bytes):
            one: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method)
            call = one(request, timeout=timeout_s, metadata=metadata)
        else:
            many: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(method)
            call = many(request, timeout=timeout_s, metadata=metadata)
        return ControllerCall(call, self._failed)

    async def ask_each(self, method: str, request: bytes, *, request_id: str, timeout_s: float, trace: Metadata) -> list[bytes]:
        """The same unary call to every controller at once; their answers, of which there is one at least.

        Raises `ControllerFailed` where one of them failed, whatever the others answered.
        """
        try:
            places = await asyncio.to_thread(each_controller, self._controllers)
        except OSError:
            raise _unavailable(
                Unavailable("The controllers' addresses (gateway.controllers) can't be looked up; try again shortly."), lost=True
            ) from None
        metadata = self._metadata(request_id, trace)
        asked = [self._ask_one(at, method, request, timeout_s, metadata) for at in places]
        answers, failures = list[bytes](), list[tuple[ControllerAt, ControllerFailed]]()
        for at, said in zip(places, await asyncio.gather(*asked), strict=True):
            if isinstance(said, bytes):
                answers.append(said)
            else:
                failures.append((at, said))
        if not failures:
            return answers
        at, failed = failures[0]
        if answers:
            failed.status.message = (
                f"{len(answers)} of {len(places)} controllers did it; not the one at {at.address}: {failed.status.message}"
            )
        raise failed

    async def _ask_one(
        self, at: ControllerAt, method: str, request: bytes, timeout_s: float, metadata: tuple[tuple[str, str | bytes], ...]
    ) -> bytes | ControllerFailed:
        channel = ControllerChannel([at.address], self._tls, at.server_name)
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.now().unary_unary(method)
        try:
            return await call(request, timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return self._failed(error)
        finally:
            await channel.close()

    async def list_strategies(self, timeout_s: float, caller: Metadata = ()) -> route_service_pb2.ListStrategiesResponse:
        """What is there, for a caller where one is named. Raises `ControllerFailed`."""
        metadata = (*caller, *(self._token.metadata() if self._token else ()))
        try:
            return await self._stub_now().ListStrategies(route_service_pb2.ListStrategiesRequest(), timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None
            raise self._failed(error) from None

    def _stub_now(self) -> route_service_pb2_grpc.RouteServiceAsyncStub:
        if self._channel.now() is not self._stubbed:
            self._stubbed, self._stub = self._with_stub()
        return self._stub

    def _with_stub(self) -> tuple[grpc.aio.Channel, route_service_pb2_grpc.RouteServiceAsyncStub]:
        channel = self._channel.now()
        return channel, route_service_pb2_grpc.RouteServiceStub(channel)

    def _metadata(self, request_id: str, trace: Metadata, arrives: str | None = None) -> tuple[tuple[str, str | bytes], ...]:
        token = self._token.metadata() if self._token else ()
        timeout = () if arrives is None else ((waiting.KEY, arrives),)
        crowded = (waiting.CROWDED,) if self._crowded() else ()
        return ((REQUEST_ID, request_id), *timeout, *crowded, *trace, *token)

    def _failed(self, error: grpc.aio.AioRpcError) -> ControllerFailed:
        code = error.code()
        if code is grpc.StatusCode.CANCELLED:
            # Nobody here cancelled: it is how a controller that stops ends what outlasts its drain, and how gRPC's core ends some of what
            # waits before a controller where that is a thousand calls.
            ended = Unavailable("The controller ended the call: it stops, or far too many wait for it; try again shortly.", retry_after_s=1)
            return _unavailable(ended, lost=True)
        if code is grpc.StatusCode.UNAUTHENTICATED:
            # Not the caller's fault, who would take a 401 for a word about his own key.
            self._log_now_and_then("the controller refuses this gateway's credentials", error.details())
            return _unavailable(Unavailable(_REFUSED))
        lost = code is grpc.StatusCode.UNAVAILABLE and detailed_status(error) is None
        if lost:
            self._log_now_and_then("the controller can't be reached", error.details())
        return ControllerFailed(code, status_of(error), lost=lost)

    def _log_now_and_then(self, what: str, why: str | None) -> None:
        """Every request may meet it, and one line says it all. What gRPC says names addresses and certificates, never a request."""
        now = time.monotonic()
        if now - self._logged.get(what, -_LOG_EVERY_S) >= _LOG_EVERY_S:
            self._logged[what] = now
            log.error(what, why=why)


_REFUSED: Final = (
    "The controller refuses the gateway's own credentials; whoever runs them has to give both one token "
    "(gateway.controller_token_file, controller.token_file)."
)


def _unavailable(error: Unavailable, *, lost: bool = False) -> ControllerFailed:
    return ControllerFailed(grpc.StatusCode.UNAVAILABLE, to_status(error), lost=lost)
