"""What every RPC of the controller shares: its request id, its deadline, and errors turned into gRPC's own form."""

from __future__ import annotations

import asyncio
import sys
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, Final, Never, TypeVar

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from controller.deadline import Deadline
from controller.permissions import NOBODY
from pointsman.runtime import tracing, waiting
from pointsman.runtime.callers import CALLER_KEY, USAGE_KEY
from pointsman.runtime.decision_headers import REQUEST_ID, decision_headers
from pointsman.runtime.error_forms import DETAILS_KEY, NO_RETRY, to_status
from pointsman.runtime.errors import Cancelled, InternalError, PermissionDenied, PointsmanError, wire_form
from pointsman.v1 import caller_pb2, routing_pb2

log = structlog.get_logger()
_TRIED_BEFORE: Final = "grpc-previous-rpc-attempts"
_NOTHING: Final = nullcontext()
Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]
_read: ContextVar[tuple[Context, Mapping[str, str | bytes]] | None] = ContextVar("_read", default=None)


def metadata_of(context: Context) -> Mapping[str, str | bytes]:
    """What came beside the call; of a name that came twice the first. Read once: gRPC builds all of it anew whenever it is asked."""
    read = _read.get()
    if read is None or read[0] is not context:
        read = context, dict(reversed(tuple(context.invocation_metadata() or ())))
        _read.set(read)
    return read[1]


def request_id_of(context: Context) -> str:
    """The gateway's request id, else one of our own."""
    said = metadata_of(context).get(REQUEST_ID)
    return said if isinstance(said, str) and 0 < len(said) <= 128 else uuid.uuid4().hex


def caller_of(context: Context) -> caller_pb2.Caller:
    """Who asks, by the gateway's word; without it everything is allowed. Raises `PermissionDenied` for a word that can't be read."""
    said = metadata_of(context).get(CALLER_KEY)
    if not isinstance(said, bytes):
        return NOBODY
    try:
        return caller_pb2.Caller.FromString(said)
    except DecodeError:
        raise PermissionDenied(f"{CALLER_KEY} can't be read; only gateways send it.") from None


def waited_of(context: Context) -> float:
    """Seconds that the call waited before its handler began; 0 for one that doesn't come by a gateway, and for one that is tried again:
    that one waited there, for a controller to come back."""
    metadata = metadata_of(context)
    if _TRIED_BEFORE in metadata or waiting.KEY not in metadata:
        return 0.0
    return waiting.waited_s(metadata[waiting.KEY], context.time_remaining())


def is_crowded(context: Context) -> bool:
    """Whether the call comes from a gateway that has many in progress."""
    key, value = waiting.CROWDED
    return metadata_of(context).get(key) == value


def tell_usage(context: Context, receipt: routing_pb2.Receipt) -> None:
    """Tells the gateway, by trailing metadata, how many tokens the answer took: its callers' limits count them."""
    if receipt.HasField("usage"):
        tokens = receipt.usage.prompt_tokens + receipt.usage.completion_tokens
        context.set_trailing_metadata(((USAGE_KEY, str(tokens)),))


def deadline_of(context: Context, default_s: float) -> Deadline:
    """The caller's deadline, else the settings'."""
    remaining = context.time_remaining()
    return Deadline.after(default_s if remaining is None else min(remaining, 86_400.0))


async def write(context: Context, message: Message) -> None:
    """Sends a message of a stream. Raises `Cancelled` where the caller has gone."""
    try:
        await context.write(message)
    except grpc.aio.InternalError:
        # What grpc.aio raises, besides cancelling the task, for a write that waited while the caller went.
        raise Cancelled("The caller went away.") from None


async def send_decision(context: Context, decision: routing_pb2.Decision, request_id: str) -> None:
    """The decision as initial metadata; before the first message."""
    await context.send_initial_metadata([*decision_headers(decision), (REQUEST_ID, request_id)])


def answers_errors(
    handler: Callable[[Any, Request, Context, str], Awaitable[Response]],
) -> Callable[[Any, Request, Any], Awaitable[Response]]:
    """A handler that takes its request id too, and whose errors the caller can read.

    Before the handler `take_up` of its class is asked, which may refuse. A declared error ends the RPC in its own words, any other in one
    fixed sentence; both with details and the request id.
    """

    async def wrapped(self: Any, request: Request, context: Any) -> Response:
        request_id = request_id_of(context)
        try:
            self.take_up(context)
            with _span(type(self).__name__, handler.__name__, context, request_id) if tracing.is_on() else _NOTHING:
                return await handler(self, request, context, request_id)
        except Cancelled:
            raise asyncio.CancelledError from None
        except PointsmanError as error:
            ending = _ending(context, error, request_id)
        except Exception:  # noqa: BLE001 (the last line of defence: whatever it is, the caller gets a typed error)
            # The type and the stack say what failed; the message may quote the request, so it isn't logged.
            log.error("undeclared error", request_id=request_id, where=_where())
            ending = _ending(context, InternalError(), request_id)
        # gRPC keeps what this raises in its state of the call, whose traceback keeps this frame: neither would go before the collector
        # comes if the frame kept the call.
        del request, context
        await ending
        raise AssertionError("abort always raises")

    return wrapped


def _span(service: str, method: str, context: Context, request_id: str) -> AbstractContextManager[object]:
    """A gateway's probe, which is no part of a trace, makes none."""
    service, parent = f"pointsman.v1.{service}", tracing.context_in(metadata_of(context))
    if method == "ListStrategies" and not parent:
        return _NOTHING
    named = {"rpc__system": "grpc", "rpc__service": service, "rpc__method": method, "pointsman__request_id": request_id}
    return tracing.current_span(f"{service}/{method}", "SERVER", parent, **named)


def _ending(context: Context, error: PointsmanError, request_id: str) -> Awaitable[Never]:
    """What ends the call in the error, when it's awaited."""
    # The channel's retries are for a controller that isn't there, and this one is.
    trailing = ((DETAILS_KEY, to_status(error, request_id).SerializeToString()), (REQUEST_ID, request_id), NO_RETRY)
    return context.abort(wire_form(error).grpc_code, error.message, trailing)


def _where() -> list[str]:
    kind, _, stack = sys.exc_info()
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(stack)]
    return [kind.__name__ if kind else "", *frames]
