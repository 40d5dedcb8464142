"""An exchange as Relay's messages: the backend's bytes, untouched, between what was decided and the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controller.exchange import Exchange
from controller.rpc import Context, send_decision, tell_usage, write
from pointsman.runtime.error_forms import to_status
from pointsman.runtime.errors import BackendError, BackendFailed, DeadlineExceeded, PointsmanError
from pointsman.v1 import error_pb2, route_service_pb2

_PIECE_BYTES: Final = 1 << 20
_Event = route_service_pb2.RelayResponse


async def relay(exchange: Exchange, context: Context, request_id: str) -> None:
    """Writes the answer as it comes: started, bytes …, error if it was cut, finished."""
    if exchange.answer.is_stream:
        await send_decision(context, exchange.decision, request_id)
        await write(context, _Event(started=_started(exchange, exchange.answer.headers)))
        try:
            async for piece in exchange.pieces():
                await write(context, _Event(bytes=piece))
        except (BackendError, DeadlineExceeded) as error:
            await write(context, _Event(error=cut(exchange, error, request_id)))
    else:
        body = await exchange.whole()
        await send_decision(context, exchange.decision, request_id)
        await write(context, _Event(started=_started(exchange, [*exchange.answer.headers, ("content-length", str(len(body)))])))
        for start in range(0, len(body), _PIECE_BYTES):
            await write(context, _Event(bytes=body[start : start + _PIECE_BYTES]))
    tell_usage(context, exchange.receipt)
    await write(context, _Event(finished=_Event.Finished(receipt=exchange.receipt)))


async def relay_whole(exchange: Exchange, max_bytes: int) -> route_service_pb2.RelayWholeResponse:
    """The answer in one message. Nothing has been sent before it, so whatever goes wrong is raised; a stream of more than `max_bytes`
    that nobody asked for is `BackendFailed`."""
    body = await (_collected(exchange, max_bytes) if exchange.answer.is_stream else exchange.whole())
    return route_service_pb2.RelayWholeResponse(started=_started(exchange, exchange.answer.headers), body=body, receipt=exchange.receipt)


def cut(exchange: Exchange, error: PointsmanError, request_id: str) -> error_pb2.Error:
    """The error event of a stream that began and can't go on; the receipt says so too."""
    exchange.fail(error)
    return to_status(error, request_id)


async def _collected(exchange: Exchange, max_bytes: int) -> bytes:
    pieces, length = list[bytes](), 0
    async for piece in exchange.pieces():
        pieces.append(piece)
        length += len(piece)
        if length > max_bytes:
            name = exchange.answer.backend
            said = f"The backend {name} streamed, unasked, more than {max_bytes:,} bytes (controller.max_response_bytes)."
            raise BackendFailed(said, backend=name)
    return b"".join(pieces)


def _started(exchange: Exchange, headers: Sequence[tuple[str, str]]) -> route_service_pb2.RelayResponse.Started:
    header = route_service_pb2.Header
    listed = [header(name=name, value=value) for name, value in headers]
    return _Event.Started(status=exchange.answer.status, decision=exchange.decision, headers=listed)
