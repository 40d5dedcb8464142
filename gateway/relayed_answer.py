"""Writes the stream of a relay as an HTTP answer. The backend's bytes pass untouched."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from google.protobuf import json_format

from gateway.controller_call import ControllerCall, ControllerFailed
from gateway.event_stream import EventWriter, is_event_stream, is_packed
from gateway.exchange import Exchange
from gateway.headers import RECEIPT, Headers, to_caller
from pointsman.runtime.decision_headers import decision_headers
from pointsman.runtime.error_forms import error_info, openai_error_of, to_status
from pointsman.runtime.errors import InternalError
from pointsman.v1 import error_pb2, route_service_pb2, routing_pb2

RelayCall = ControllerCall[route_service_pb2.RelayResponse]


@dataclass(slots=True)
class _Ending:
    """How the answer ended: whole, or with an error after its first byte."""

    receipt: routing_pb2.Receipt | None = None
    error: error_pb2.Error | None = None


async def send_answer(exchange: Exchange, call: RelayCall, *, with_receipt: bool, heartbeat_s: float | None) -> None:
    """Reads the relay to its end. Raises `ControllerFailed` before the answer has begun, `CallCancelled` at any time."""
    first = await call.read()
    if first is None or not first.HasField("started") or not 200 <= first.started.status <= 599:
        raise InternalError
    started = first.started
    exchange.decided(started.decision)
    headers = [*to_caller(started.headers), *decision_headers(started.decision)]
    if is_event_stream(headers):
        kept = without(headers, "content-length", "cache-control", "x-accel-buffering")
        await exchange.start(started.status, [*kept, ("cache-control", "no-cache"), ("x-accel-buffering", "no")])
        if is_packed(headers):
            await _end(exchange, await _read_to_end(call, exchange.write))
        else:
            await _send_events(exchange, call, with_receipt=with_receipt, heartbeat_s=heartbeat_s)
    elif with_receipt:
        await _send_whole(exchange, call, started.status, headers)
    else:
        await _send_pieces(exchange, call, started.status, headers)


async def _send_events(exchange: Exchange, call: RelayCall, *, with_receipt: bool, heartbeat_s: float | None) -> None:
    events = EventWriter(exchange.write)
    with events.kept_alive(heartbeat_s):
        ending = await _read_to_end(call, events.write)
    with exchange.together():
        if ending.error is not None:
            exchange.seen.error = error_info(ending.error).reason
            await events.add(b"data: " + openai_error_of(ending.error)[1] + b"\n\n")
        if with_receipt and ending.receipt is not None:
            await events.add(f": pointsman-receipt {receipt_json(ending.receipt)}\n\n".encode())
        await exchange.end()


async def _send_whole(exchange: Exchange, call: RelayCall, status: int, headers: Headers) -> None:
    """Holds the answer back until the receipt is there, which then goes in a header."""
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(piece)

    ending = await _read_to_end(call, keep)
    if ending.error is not None:
        await exchange.fail(ending.error, without(headers, "content-type", "content-length", "content-encoding"))
        return
    if ending.receipt is not None:
        headers = [*headers, (RECEIPT, receipt_json(ending.receipt))]
    await exchange.answer(status, without(headers, "content-length"), b"".join(pieces))


async def _send_pieces(exchange: Exchange, call: RelayCall, status: int, headers: Headers) -> None:
    """The head goes out with the first piece, so that a deadline which passes between the two is told as one."""

    async def write(piece: bytes) -> None:
        if exchange.started:
            await exchange.write(piece)
            return
        with exchange.together():
            await exchange.start(status, headers)
            await exchange.write(piece)

    ending = await _read_to_end(call, write)
    if not exchange.started and ending.error is not None:
        await exchange.fail(ending.error, without(headers, "content-type", "content-length", "content-encoding"))
        return
    if not exchange.started:
        await exchange.start(status, headers)
    await _end(exchange, ending)


async def _end(exchange: Exchange, ending: _Ending) -> None:
    """Ends a whole answer cleanly; half of one stays open, so that the server cuts it and the caller sees it."""
    if ending.error is not None:
        await exchange.fail(ending.error)
    else:
        await exchange.end()


async def _read_to_end(call: RelayCall, write: Callable[[bytes], Awaitable[None]]) -> _Ending:
    """Passes the backend's bytes on until the relay ends, however it ends."""
    ending = _Ending()
    try:
        while (event := await call.read()) is not None:
            kind = event.WhichOneof("event")
            if kind == "bytes":
                await write(event.bytes)
            elif kind == "error":
                ending.error = event.error
            elif kind == "finished":
                ending.receipt = event.finished.receipt
    except ControllerFailed as error:
        ending.error = ending.error or error.status
    if ending.receipt is None and ending.error is None:
        # `finished` is always the last: without it the answer may be half of one.
        ending.error = to_status(InternalError())
    return ending


def without(headers: Headers, *names: str) -> Headers:
    return [(name, value) for name, value in headers if name not in names]


def receipt_json(receipt: routing_pb2.Receipt) -> str:
    """On one line and in ASCII, as a header and a comment need it."""
    return json.dumps(json_format.MessageToDict(receipt, preserving_proto_field_name=True), separators=(",", ":"))
