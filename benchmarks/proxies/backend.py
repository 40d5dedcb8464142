"""A backend that costs next to nothing, so that what stands before it can be measured.

    python -m benchmarks.proxies.backend PORT [--chunks 32]

Any POST is answered like a chat: 1.4 kB of JSON, or a stream of so many chunks where the body asks for one. Chunks without a gap between
them are written one by one, and arrive together or not as the network has it. A body whose `user` is `fails` is answered 500. POST /behave
with {"delay_ms": 50, "gap_ms": 10} makes all answers from then on begin so late and pause so long between two chunks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import dataclass
from typing import Final, cast

import httptools
import uvloop

FAILS: Final = "fails"
_TEXT: Final = "The points are set for the weak track, since the prompt asks for little. " * 15
_USAGE: Final = {"prompt_tokens": 48, "completion_tokens": 32, "total_tokens": 80}
_BASE: Final = {"id": "chatcmpl-bench", "created": 1, "model": "bench"}


def _json_answer() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": _TEXT}, "finish_reason": "stop"}
    body = json.dumps({**_BASE, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _stream_answer(chunks: int) -> list[bytes]:
    deltas: list[dict[str, str]] = [{"content": "points "}] * (chunks - 1) + [{}]
    events = [
        json.dumps(
            {
                **_BASE,
                "object": "chat.completion.chunk",
                "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}],
            }
        )
        for delta in deltas
    ]
    pieces = [f"data: {event}\n\n".encode() for event in [*events, "[DONE]"]]
    return [b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in pieces]


@dataclass(slots=True)
class _Behaviour:
    """Of all connections."""

    whole: bytes
    pieces: list[bytes]
    delay_s: float = 0
    gap_s: float = 0


class _Connection(asyncio.Protocol):
    """One connection, request after request."""

    def __init__(self, behaviour: _Behaviour) -> None:
        self._behaviour = behaviour
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._answering: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """httptools'."""
        self._path = url

    def on_body(self, body: bytes) -> None:
        """httptools'."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """httptools'."""
        asked = json.loads(b"".join(self._body))
        self._body.clear()
        if self._path == b"/behave":
            self._behaviour.delay_s, self._behaviour.gap_s = asked.get("delay_ms", 0) / 1000, asked.get("gap_ms", 0) / 1000
            self._at_once(streams=False)
            return
        if asked.get("user") == FAILS:
            assert self._transport
            self._transport.write(_FAILURE)
            return
        streams = asked.get("stream", False)
        if not self._behaviour.delay_s and not (streams and self._behaviour.gap_s):
            self._at_once(streams)
            return
        answering = asyncio.ensure_future(self._slowly(streams))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    def _at_once(self, streams: bool) -> None:
        assert self._transport
        if not streams:
            self._transport.write(self._behaviour.whole)
            return
        self._transport.write(_STREAM_HEAD)
        for piece in self._behaviour.pieces:
            self._transport.write(piece)
        self._transport.write(_STREAM_END)

    async def _slowly(self, streams: bool) -> None:
        await asyncio.sleep(self._behaviour.delay_s)
        if not (streams and self._behaviour.gap_s):
            self._at_once(streams)
            return
        assert self._transport
        self._transport.write(_STREAM_HEAD)
        for piece in self._behaviour.pieces:
            self._transport.write(piece)
            await asyncio.sleep(self._behaviour.gap_s)
        self._transport.write(_STREAM_END)


_FAILURE: Final = b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_STREAM_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_STREAM_END: Final = b"0\r\n\r\n"


async def _serve(port: int, chunks: int) -> None:
    behaviour = _Behaviour(_json_answer(), _stream_answer(chunks))
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(behaviour), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--chunks", type=int, default=32)
    options = parser.parse_args()
    uvloop.run(_serve(options.port, options.chunks))


if __name__ == "__main__":
    main()
