"""Calls to the controllers: the only module of the gateway that makes gRPC calls and reads their errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, Generic, TypeVar, cast

import grpc
import structlog

from gateway.controller_channel import ControllerChannel
from gateway.headers import Headers, Metadata
from pointsman.runtime.callers import USAGE_KEY
from pointsman.runtime.client_tls import ControllerAccess
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.error_forms import detailed_status, status_of, to_status
from pointsman.runtime.errors import Unavailable
from pointsman.v1 import error_pb2, route_service_pb2, route_service_pb2_grpc

log = structlog.get_logger()
Message = TypeVar("Message")
_LOG_EVERY_S: Final = 30.0

_Call = grpc.aio.UnaryStreamCall[Any, Message] | grpc.aio.StreamStreamCall[Any, Message]


class ControllerFailed(Exception):
    """A call to the controller ended in an error: its gRPC code and its status, in the controller's words where it spoke.

    `lost`: it didn't speak, so the connection or the controller itself is gone.
    """

    def __init__(self, code: grpc.StatusCode, status: error_pb2.Error, *, lost: bool = False) -> None:
        super().__init__(f"{code.name}: {status.message}")
        self.code = code
        self.status = status
        self.lost = lost


class CallCancelled(Exception):
    """Somebody else called `cancel()` on the call that is being read."""


class _InProgress:
    """What two kinds of calls in progress share."""

    def __init__(self, call: grpc.aio.Call, failed: Callable[[grpc.aio.AioRpcError], ControllerFailed]) -> None:
        self._any = call
        self._failed = failed

    def cancel(self) -> None:
        """Ends the call; nothing happens to one that has ended."""
        self._any.cancel()

    def _translated(self, error: grpc.aio.AioRpcError | asyncio.CancelledError) -> BaseException:
        """What to raise: grpc.aio raises either of the two both for a cancelled task and for a cancelled call."""
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            return asyncio.CancelledError()
        if isinstance(error, grpc.aio.AioRpcError):
            return self._failed(error)
        return CallCancelled() if self._any.cancelled() else error


class ControllerCall(_InProgress, Generic[Message]):
    """One whose answers are read one by one. It ends by reading to the end or by `cancel()`."""

    def __init__(self, call: _Call[Message], failed: Callable[[grpc.aio.AioRpcError], ControllerFailed]) -> None:
        super().__init__(call, failed)
        self._call = call

    async def decision(self) -> Headers:
        """The `x-pointsman-*` initial metadata, once the controller has sent it; empty for a call that failed."""
        try:
            metadata = await self._call.initial_metadata()
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            raise self._translated(error) from None
        return [(key, value) for key, value in metadata if key.startswith(PREFIX) and isinstance(value, str)]

    async def read(self) -> Message | None:
        """The next message, None at the end. Raises `ControllerFailed` and `CallCancelled`."""
        try:
            message = await self._call.read()
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            raise self._translated(error) from None
        return None if message is grpc.aio.EOF else cast(Message, message)

    async def tokens(self) -> int:
        """That the answer took, by the controller's word at the end of a call that was read to its end; 0 where it says none."""
        try:
            metadata = await self._call.trailing_metadata()
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            raise self._translated(error) from None
        said = next((value for key, value in metadata or () if key == USAGE_KEY and isinstance(value, str)), "")
        return int(said) if said.isdecimal() and len(said) <= 18 else 0


class WholeCall(_InProgress):
    """A relay whose answer comes in one message. It ends by `answer()` or by `cancel()`."""

    def __init__(
        self,
        call: grpc.aio.UnaryUnaryCall[Any, route_service_pb2.RelayWholeResponse],
        failed: Callable[[grpc.aio.AioRpcError], ControllerFailed],
    ) -> None:
        super().__init__(call, failed)
        self._call = call

    async def answer(self) -> route_service_pb2.RelayWholeResponse:
        """The answer. Raises `ControllerFailed` and `CallCancelled`."""
        try:
            return await self._call
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            raise self._translated(error) from None


class ControllerClient:
    """Calls to the controllers, which take turns. Lives as long as the process."""

    def __init__(self, controllers: Sequence[str], access: ControllerAccess | None = None) -> None:
        """Without `access` in plain text and without a token. Raises `SettingsError` for addresses that don't go together."""
        self._channel = ControllerChannel(controllers, access.tls if access else None)
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
        call = self._stub_now().Relay(request, timeout=timeout_s, metadata=self._metadata(request_id, trace))
        return ControllerCall(call, self._failed)

    def relay_whole(self, request: route_service_pb2.RelayRequest, *, request_id: str, timeout_s: float, trace: Headers) -> WholeCall:
        """Starts a relay that answers whole."""
        whole = route_service_pb2.RelayWholeRequest(relay=request)
        call = self._stub_now().RelayWhole(whole, timeout=timeout_s, metadata=self._metadata(request_id, trace))
        return WholeCall(call, self._failed)

    def forward(
        self, method: str, request: bytes | AsyncIterator[bytes], *, request_id: str, timeout_s: float, trace: Metadata
    ) -> ControllerCall[bytes]:
        """Starts any call, `/service/method`, with the message as it came, or the messages as they come.

        On the wire a unary call is a stream of one message.
        """
        channel, metadata = self._channel.now(), self._metadata(request_id, trace)
        call: _Call[bytes]
        if isinstance(request, bytes):
            one: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method)
            call = one(request, timeout=timeout_s, metadata=metadata)
        else:
            many: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(method)
            call = many(request, timeout=timeout_s, metadata=metadata)
        return ControllerCall(call, self._failed)

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

    def _metadata(self, request_id: str, trace: Metadata) -> tuple[tuple[str, str | bytes], ...]:
        token = self._token.metadata() if self._token else ()
        return ((REQUEST_ID, request_id), *trace, *token)

    def _failed(self, error: grpc.aio.AioRpcError) -> ControllerFailed:
        code = error.code()
        if code is grpc.StatusCode.CANCELLED:
            # Nobody here cancelled: it is how a controller that stops ends what outlasts its drain.
            stopped = Unavailable("The controller stopped during the call; try again shortly.", retry_after_s=1)
            return _unavailable(stopped, lost=True)
        if code is grpc.StatusCode.UNAUTHENTICATED:
            # Not the caller's fault, who would take a 401 for a word about his own key.
            self._log_now_and_then("the controller refuses this gateway's credentials", error.details())
            return _unavailable(Unavailable("The controller refuses the gateway's own credentials; its operator has to mend them."))
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


def _unavailable(error: Unavailable, *, lost: bool = False) -> ControllerFailed:
    return ControllerFailed(grpc.StatusCode.UNAVAILABLE, to_status(error), lost=lost)
