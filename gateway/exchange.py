"""One HTTP request and its answer, over plain ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from gateway import joined_writes
from gateway.connection import SCOPE_KEY, WHOLE_KEY, EndedWhenLost
from gateway.deadline import Deadline
from gateway.headers import Headers, sendable
from gateway.identity.keyring import Caller
from gateway.joined_writes import JoinedWrites
from gateway.observer import Observation
from pointsman.runtime.decision_headers import REQUEST_ID, reason_name, tier_name
from pointsman.runtime.error_forms import OpenAiError, error_info, openai_error, openai_error_of
from pointsman.runtime.errors import BodyTooLarge, DeadlineExceeded, PointsmanError, wire_form
from pointsman.v1 import error_pb2, routing_pb2

_LINGER_S: Final = 5.0


class CallerGone(Exception):
    """The connection was closed by the caller."""


class Exchange:
    """A request to read and an answer to write; `seen` is told what goes by."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str], seen: Observation) -> None:
        self.headers = headers  # lower case; of a repeated name the last
        self.seen = seen
        self.started = False
        self.caller: Caller | None = None
        self.always: Headers = []
        """Headers that every answer has, whatever a backend's own of these names say."""
        self._scope = scope
        self._receive = receive
        self._send = send

    @property
    def scope(self) -> Scope:
        """What the server says of the request."""
        return self._scope

    @property
    def path_params(self) -> dict[str, str]:
        """What the route's template took from the path."""
        params: dict[str, str] = self._scope.get("path_params", {})
        return params

    async def body(self, limit: int, deadline: Deadline) -> bytes:
        """The request's body. Raises `BodyTooLarge` before it has read it all, `DeadlineExceeded` and `CallerGone`."""
        if int(self.headers.get("content-length", "0")) > limit:
            raise _too_large(limit)
        if self._scope.get(WHOLE_KEY):  # so that nothing is waited for
            return await self._read(limit)
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await self._read(limit)
        except TimeoutError:
            raise DeadlineExceeded("The deadline passed before the body had arrived; send it faster, or give the request longer.") from None

    async def _read(self, limit: int) -> bytes:
        pieces, more = list[bytes](), True
        while more:
            message = await self._next()
            pieces.append(message.get("body", b""))
            self.seen.bytes_in += len(pieces[-1])
            if self.seen.bytes_in > limit:
                raise _too_large(limit)
            more = message.get("more_body", False)
        return b"".join(pieces)

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        return message

    def ended_when_caller_goes(self, end: Callable[[], object]) -> EndedWhenLost:
        """Calls `end` the moment the caller closes the connection, and however the block is left."""
        return EndedWhenLost(self._scope[SCOPE_KEY], end)

    def together(self) -> JoinedWrites:
        """Inside `with` what is sent is held, and goes out as one at the end: for what nothing is waited for in between."""
        writes: JoinedWrites = self._scope[joined_writes.SCOPE_KEY]
        return writes

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the status line and the headers, the request's id among them."""
        if REQUEST_ID not in (name for name, _ in headers):
            headers = [*headers, (REQUEST_ID, self.seen.request_id)]
        if self.always:
            ours = {name for name, _ in self.always}
            headers = [*(each for each in headers if each[0] not in ours), *self.always]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sendable(headers)]
        self.started = True
        self.seen.status = str(status)
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, piece: bytes) -> None:
        """Sends a piece of the body."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self.seen.bytes_out += len(piece)
        self.seen.pieces += 1

    async def end(self) -> None:
        """Ends the body cleanly. A body that isn't ended reaches the caller as cut."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Sends a whole answer."""
        with self.together():
            await self.start(status, [*headers, ("content-length", str(len(body)))])
            await self._send({"type": "http.response.body", "body": body, "more_body": False})
        self.seen.bytes_out += len(body)
        self.seen.pieces += 1

    async def answer_json(self, status: int, value: object, headers: Headers | None = None) -> None:
        """Sends a JSON document."""
        await self.answer(status, [("content-type", "application/json"), *(headers or [])], json.dumps(value).encode())

    async def fail(self, status: error_pb2.Error, headers: Headers | None = None) -> None:
        """Sends the error in OpenAI's shape; where the answer has begun it can only be cut, and is."""
        info = error_info(status)
        self.seen.error = info.reason
        if not self.started:
            await self._tell(openai_error_of(status, info), headers)

    async def fail_with(self, error: PointsmanError, headers: Headers | None = None) -> None:
        """The same for an error of our own."""
        self.seen.error = wire_form(error).reason
        if not self.started:
            await self._tell(openai_error(error), headers)

    async def _tell(self, error: OpenAiError, headers: Headers | None) -> None:
        status, body, extra = error
        merged = {**dict(headers or []), **extra}
        await self.answer(status, [("content-type", "application/json"), *merged.items()], body)

    async def refuse_body(self, error: BodyTooLarge) -> None:
        """Sends the error and closes, but goes on taking (and dropping) the body for a while.

        A connection closed while the caller still sends is reset, and the reset may overtake the answer.
        """
        self.seen.error = wire_form(error).reason
        status, body, _ = openai_error(error)
        headers = [("content-type", "application/json"), ("connection", "close"), ("content-length", str(len(body)))]
        with self.together():
            await self.start(status, headers)
            await self.write(body)
        try:
            async with asyncio.timeout(_LINGER_S):
                while (await self._next()).get("more_body", False):
                    pass
        except (TimeoutError, CallerGone):
            pass
        await self.end()

    def decided(self, decision: routing_pb2.Decision) -> None:
        """Notes the decision for the log."""
        self.seen.strategy = decision.strategy
        self.seen.tier = tier_name(decision.tier)
        self.seen.reason = reason_name(decision.reason)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is longer than the {limit:,} bytes of gateway.max_body_bytes; send less.")
