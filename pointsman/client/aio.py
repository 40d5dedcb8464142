"""The client for asyncio. One instance belongs to one event loop and serves any number of its tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc
from google.protobuf.message import Message as ProtoMessage

from pointsman.client.access import Access, opening, with_callers
from pointsman.client.channel import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_S
from pointsman.client.failures import RouteError, from_rpc_error
from pointsman.client.messages import Message, text_of
from pointsman.client.requests import (
    ChatOptions,
    Routing,
    chat_request,
    compare_request,
    route_batch_request,
    route_request,
    stream_request,
)
from pointsman.client.streamed import Streamed
from pointsman.v1 import route_service_pb2 as pb
from pointsman.v1.route_service_pb2_grpc import RouteServiceStub

Answer = TypeVar("Answer", bound=ProtoMessage)


class AsyncChatStream(Streamed):
    """A streamed answer: iterate over its events, or over `text()`.

    `receipt` is there once the stream has ended. Leaving the `async with` block, or `cancel`, stops the backend too.
    """

    def __init__(self, events: AsyncIterator[pb.StreamChatCompletionResponse], cancel: Callable[[], object], address: str) -> None:
        super().__init__(address)
        self._events = events
        self._cancel = cancel
        self._is_cancelled = False

    def __aiter__(self) -> AsyncIterator[pb.StreamChatCompletionResponse]:
        return self

    async def __anext__(self) -> pb.StreamChatCompletionResponse:
        """The next event, an `error` event included. Raises `RouteError` where the call itself failed, `AnswerCut` once it had begun."""
        try:
            return self._noted(await anext(self._events))
        except asyncio.CancelledError:
            # grpc.aio raises it for `cancel` too, and then it isn't this task that is cancelled.
            if not self._is_cancelled or _is_being_cancelled():
                raise
            raise self._failed(RouteError(grpc.StatusCode.CANCELLED, "CANCELLED", "The call was cancelled by its caller.")) from None
        except grpc.RpcError as error:
            failed = _translated(error, self._address)
            raise (self._failed(failed) if isinstance(failed, RouteError) else failed) from None

    async def text(self) -> AsyncIterator[str]:
        """The pieces of the first answer. Raises `AnswerCut` after the last piece where the answer broke off."""
        cut = None
        async for event in self:
            cut = self._cut(event) or cut
            if piece := text_of(event.chunk.deltas):
                yield piece
        if cut:
            raise cut

    def cancel(self) -> None:
        """Ends the call here, at the service and at the backend."""
        self._is_cancelled = True
        self._cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.cancel()


class AsyncClient:
    """RouteService at `address`, `host:port`; arguments and errors as in `Client`. Build it inside the event loop."""

    def __init__(self, address: str = DEFAULT_ADDRESS, *, timeout: float = DEFAULT_TIMEOUT_S, **access: Unpack[Access]) -> None:
        opened = opening(address, access)
        self._address = address
        self._timeout = timeout
        self._metadata = opened.metadata
        if opened.credentials:
            self._channel = grpc.aio.secure_channel(address, opened.credentials, options=opened.options)
        else:
            self._channel = grpc.aio.insecure_channel(address, options=opened.options)
        self._stub = RouteServiceStub(self._channel)

    async def route(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Message] | None = None,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        **routing: Unpack[Routing],
    ) -> pb.RouteResponse:
        """Decides and doesn't call: the decision for a prompt or a conversation."""
        return await self._call(self._stub.Route, route_request(prompt, messages, routing), timeout, metadata)

    async def route_batch(
        self, prompts: Sequence[str], *, timeout: float | None = None, metadata: Mapping[str, str] | None = None, **routing: Unpack[Routing]
    ) -> pb.RouteBatchResponse:
        """Decides for many prompts; the results are in their order, and one bad prompt fails alone."""
        return await self._call(self._stub.RouteBatch, route_batch_request(prompts, routing), timeout, metadata)

    async def compare_strategies(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Message] | None = None,
        strategies: Sequence[str] = (),
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> pb.CompareStrategiesResponse:
        """Each strategy's opinion of one prompt; no strategies asks all of them."""
        return await self._call(self._stub.CompareStrategies, compare_request(prompt, messages, strategies), timeout, metadata)

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        **options: Unpack[ChatOptions],
    ) -> pb.ChatCompletionResponse:
        """Decides, calls the backend, and answers whole."""
        return await self._call(self._stub.ChatCompletion, chat_request(messages, options), timeout, metadata)

    def stream_chat(
        self,
        messages: Sequence[Message],
        *,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
        **options: Unpack[ChatOptions],
    ) -> AsyncChatStream:
        """Decides, calls the backend, and streams: chunks, an error if it was cut, the receipt. Failures are raised on iteration."""
        call = self._stub.StreamChatCompletion(
            stream_request(messages, options), timeout=self._seconds(timeout), metadata=with_callers(self._metadata, metadata)
        )
        return AsyncChatStream(aiter(call), call.cancel, self._address)

    async def list_strategies(
        self, *, timeout: float | None = None, metadata: Mapping[str, str] | None = None
    ) -> pb.ListStrategiesResponse:
        """Strategies with their state, pairs, policies."""
        return await self._call(self._stub.ListStrategies, pb.ListStrategiesRequest(), timeout, metadata)

    async def close(self) -> None:
        """Ends the connection and every call on it."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _call(
        self, method: Callable[..., Awaitable[Answer]], request: ProtoMessage, timeout: float | None, metadata: Mapping[str, str] | None
    ) -> Answer:
        try:
            return await method(request, timeout=self._seconds(timeout), metadata=with_callers(self._metadata, metadata))
        except grpc.RpcError as error:
            raise _translated(error, self._address) from None

    def _seconds(self, timeout: float | None) -> float:
        return self._timeout if timeout is None else timeout


def _translated(error: grpc.RpcError, address: str) -> RouteError | asyncio.CancelledError:
    # Under a task's cancellation grpc.aio often raises its own CANCELLED; task groups need asyncio's.
    if error.code() is grpc.StatusCode.CANCELLED and _is_being_cancelled():
        return asyncio.CancelledError()
    return from_rpc_error(error, address)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
