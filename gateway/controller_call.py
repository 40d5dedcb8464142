"""Calls to a controller in progress, and how they fail: gRPC's own exceptions go no further than this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

import grpc

from gateway.headers import Headers
from pointsman.runtime.callers import USAGE_KEY
from pointsman.runtime.decision_headers import PREFIX
from pointsman.runtime.error_forms import is_by_process
from pointsman.runtime.unary_calls import give_up
from pointsman.v1 import error_pb2, route_service_pb2

Message = TypeVar("Message")
Call = grpc.aio.UnaryStreamCall[Any, Message] | grpc.aio.StreamStreamCall[Any, Message]


class ControllerFailed(Exception):
    """A call to the controller ended in an error: its gRPC code and its status, in the controller's words where it spoke.

    `lost`: it didn't speak, so the connection or the controller itself is gone.
    """

    def __init__(self, code: grpc.StatusCode, status: error_pb2.Error, *, lost: bool = False) -> None:
        super().__init__(f"{code.name}: {status.message}")
        self.code = code
        self.status = status
        self.lost = lost

    @cached_property
    def is_for_load(self) -> bool:
        """Whether the controller refused it because it is behind itself, whatever was asked."""
        return self.code is grpc.StatusCode.RESOURCE_EXHAUSTED and is_by_process(self.status)


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

    def __init__(self, call: Call[Message], failed: Callable[[grpc.aio.AioRpcError], ControllerFailed]) -> None:
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

    def cancel(self) -> None:
        """Ends the call; nothing happens to one that has ended."""
        give_up(self._call)

    async def answer(self) -> route_service_pb2.RelayWholeResponse:
        """The answer. Raises `ControllerFailed` and `CallCancelled`."""
        try:
            return await self._call
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            raise self._translated(error) from None
