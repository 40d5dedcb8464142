"""Messages that can't be read are the caller's mistake; gRPC itself answers them UNKNOWN, with a traceback in the log for each."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from pointsman.runtime.error_forms import DETAILS_KEY, to_status
from pointsman.runtime.errors import InvalidRequest, wire_form

_UNREADABLE: Final = object()
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class ReadableOnly:
    """Stands for a server where services are added: their handlers never see a message that can't be read.

    It is refused as `InvalidRequest`: by us, or, within a stream of requests, by raising it where the handler reads the message.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """As they are: gRPC asks them only for methods that aren't registered, which generated code does right after."""
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """The handlers by their methods' names."""
        self._server.add_registered_method_handlers(service, {name: _guarded(handler) for name, handler in handlers.items()})


def _guarded(handler: Handler) -> Handler:
    options = {"request_deserializer": _reader(handler.request_deserializer), "response_serializer": handler.response_serializer}
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(_of_one(handler.unary_unary), **options)
    if handler.unary_stream and not inspect.isasyncgenfunction(handler.unary_stream):
        return grpc.unary_stream_rpc_method_handler(_of_one(handler.unary_stream), **options)
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(_of_many(handler.stream_unary), **options)
    return handler


def _reader(read: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    if read is None:
        return None

    def reader(raw: bytes) -> Any:
        try:
            return read(raw)
        except DecodeError:
            return _UNREADABLE

    return reader


def _of_one(behaviour: Callable[..., Any]) -> Callable[..., Any]:
    async def guarded(request: Any, context: Any) -> Any:
        if request is _UNREADABLE:
            error = _refusal()
            await context.abort(wire_form(error).grpc_code, error.message, ((DETAILS_KEY, to_status(error).SerializeToString()),))
        answering = behaviour(request, context)
        del request, context  # what is raised would keep this frame, and gRPC keeps what is raised
        return await answering

    return guarded


def _of_many(behaviour: Callable[..., Any]) -> Callable[..., Any]:
    async def guarded(requests: AsyncIterator[Any], context: Any) -> Any:
        return await behaviour(_readable(requests), context)

    return guarded


async def _readable(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        if request is _UNREADABLE:
            raise _refusal()
        yield request


def _refusal() -> InvalidRequest:
    return InvalidRequest("The message can't be read: its bytes are no message of the type that this call takes (protos/pointsman/v1).")
