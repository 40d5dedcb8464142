"""One RPC at the edge, apart from who may make it: its messages in, the controller's out, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc

from gateway.controller_call import ControllerCall, ControllerFailed
from gateway.deadline import Deadline, not_taken
from gateway.headers import Headers
from gateway.observer import Observation
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.error_forms import DETAILS_KEY, error_info, to_status
from pointsman.runtime.errors import DeadlineExceeded, InvalidRequest
from pointsman.v1 import error_pb2

Context = grpc.aio.ServicerContext[bytes, bytes]
_GRACE_S: Final = 1.0  # for the controller's own word on a deadline that has passed
_NAMED_IN_LOG: Final = ("strategy", "tier", "reason")


class CallerGone(Exception):
    """The caller cancelled, or its deadline passed."""


class CallerStands(Exception):
    """The caller takes no more of its answer, and its deadline has passed."""


async def whole(start: Callable[[], ControllerCall[bytes]]) -> tuple[Headers, list[bytes]]:
    """The decision and all messages of a call that only decides. Raises `ControllerFailed`.

    A controller that dies after its first word is beyond gRPC's own retries; nothing has gone to the caller yet, so another is asked.
    """
    for tries_left in (2, 1, 0):
        call, decided = start(), Headers()
        try:
            decided = await call.decision()
            return decided, [message async for message in messages_of(call)]
        except ControllerFailed as error:
            if not (error.lost and decided and tries_left):
                raise
        finally:
            call.cancel()
    raise AssertionError("the last try returns or raises")


async def messages_of(call: ControllerCall[bytes]) -> AsyncIterator[bytes]:
    while (message := await call.read()) is not None:
        yield message


async def begun(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The messages, once the first is there or the end. Raises `ControllerFailed` where there is none of either: nothing has gone to
    the caller yet."""
    first = await anext(messages, None)

    async def all_of() -> AsyncIterator[bytes]:
        if first is not None:
            yield first
            async for message in messages:
                yield message

    return all_of()


async def each_of(messages: list[bytes]) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


async def send(context: Context, seen: Observation, headers: Headers, messages: AsyncIterator[bytes], deadline: Deadline) -> None:
    """Passes the answer on. Raises `CallerGone` and `CallerStands`."""
    _note(seen, headers)
    try:
        await context.send_initial_metadata((*((k, v) for k, v in headers if k != REQUEST_ID), (REQUEST_ID, seen.request_id)))
        async with asyncio.timeout(deadline.remaining() + _GRACE_S):
            async for message in messages:
                await context.write(message)
                seen.bytes_out += len(message)
                seen.pieces += 1
    except TimeoutError:
        raise CallerStands from None
    except grpc.aio.InternalError:
        # What grpc.aio raises for a write to a caller who has gone, besides cancelling this task.
        raise CallerGone from None


async def counted(requests: AsyncIterator[bytes], seen: Observation) -> AsyncIterator[bytes]:
    """The messages, whose bytes are counted as they pass."""
    async for message in requests:
        seen.bytes_in += len(message)
        yield message


async def message_of(requests: AsyncIterator[bytes], timeout_s: float) -> bytes:
    """The call's one message. Raises `InvalidRequest` where there is none, and `DeadlineExceeded` where it doesn't come."""
    try:
        async with asyncio.timeout(timeout_s):
            message = await anext(requests, None)
    except TimeoutError:
        raise DeadlineExceeded("The deadline passed before the call's message had arrived; give the call longer.") from None
    if message is None:
        raise InvalidRequest("The call has no message, or one that is longer than gateway.max_body_bytes allows.")
    return message


async def abort(context: Any, seen: Observation, code: grpc.StatusCode, status: error_pb2.Error, told: Headers | None = None) -> None:
    """Ends the call with the code, the message and the details; raises what gRPC wants raised.

    The request id and `told` go behind it and not before: a call that has had initial metadata isn't tried again by its caller's channel,
    whatever its retry policy says.
    """
    seen.status = code.name
    seen.error = error_info(status).reason
    trailing = ((DETAILS_KEY, status.SerializeToString()), *(told or ()), (REQUEST_ID, seen.request_id))
    await context.abort(code, status.message, trailing)


async def let_go(context: Context, seen: Observation) -> None:
    """Ends the call of a caller that doesn't read. The error waits behind the answer; a caller that leaves it there is cut off."""
    try:
        async with asyncio.timeout(_GRACE_S):
            await abort(context, seen, grpc.StatusCode.DEADLINE_EXCEEDED, to_status(not_taken(), seen.request_id))
    except (TimeoutError, grpc.aio.InternalError):
        raise asyncio.CancelledError from None


def _note(seen: Observation, decided: Headers) -> None:
    for key, value in decided:
        if (name := key.removeprefix(PREFIX)) in _NAMED_IN_LOG:
            setattr(seen, name, value)
