"""A backend that does as it is told, over a real socket: answers, hangs, cuts, lies."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pointsman.runtime.backend_settings import BackendSettings
from tests.support.canary import came


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


Script = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ScriptedBackend:
    """Remembers what came; `gone` is set once a client hung up before its answer was complete."""

    name: str
    script: Script
    root: str = field(default_factory=lambda: f"/{secrets.token_hex(4)}")
    url: str = ""
    received: list[Received] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def settings(self) -> BackendSettings:
        """How the controller is told of it."""
        return BackendSettings(base_url=self.url, model=f"{self.name}-model")

    async def serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request per connection, and none of those who know the port from its last owner."""
        try:
            request = await _read(reader, self.root)
            if request is None:
                return
            self.received.append(request)
            came(request.body, *request.headers.values())
            answering = asyncio.ensure_future(self.script(request, writer))
            hung_up = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({answering, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.gone.set()
            hung_up.cancel()
            answering.cancel()
            await asyncio.gather(answering, hung_up, return_exceptions=True)
        except ConnectionError:
            self.gone.set()
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader, root: str) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    path = first.split(" ")[1]
    return Received(path.removeprefix(root), headers, body) if path.startswith(f"{root}/") else None


@asynccontextmanager
async def scripted_backend(name: str, script: Script) -> AsyncIterator[ScriptedBackend]:
    """A backend on a free port."""
    backend = ScriptedBackend(name, script)
    server = await asyncio.start_server(backend.serve_connection, "127.0.0.1", 0, limit=1 << 26)
    backend.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{backend.root}/v1"
    try:
        yield backend
    finally:
        server.close()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\n{lines}connection: close\r\n\r\n".encode()


def answering(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> Script:
    """Always the same answer."""

    async def script(_: Received, writer: asyncio.StreamWriter) -> None:
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        writer.write(_head(status, {"content-type": content_type, "content-length": str(len(body)), **extra}) + body)
        await writer.drain()

    return script


async def echoing(received: Received, writer: asyncio.StreamWriter) -> None:
    """An OpenAI answer, whole or as a stream, whose text is the last message's."""
    asked = received.json
    content = asked["messages"][-1].get("content")
    text = content if isinstance(content, str) else json.dumps(content)
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": asked["model"],
            "choices": [choice],
            "usage": usage,
        }
        await answering(200, json.dumps(answer).encode())(received, writer)
        return
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"]}
    deltas = [{"role": "assistant", "content": ""}, *({"content": word + " "} for word in text.split(" ")), {}]
    events = [
        json.dumps({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]}) for delta in deltas
    ]
    events += [json.dumps({**base, "choices": [], "usage": usage}), "[DONE]"]
    await streaming([f"data: {event}\n\n".encode() for event in events])(received, writer)


def streaming(pieces: Sequence[bytes], *, pause_s: float = 0.0, then: Script | None = None, complete: bool = True) -> Script:
    """Server-sent events in these pieces, then `then`; incomplete leaves out the last chunk's mark."""

    async def script(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", "x-from-backend": "yes"}))
        for piece in pieces:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(pause_s)
        if then:
            await then(received, writer)
        if complete:
            writer.write(b"0\r\n\r\n")
        await writer.drain()

    return script


async def hanging(_: Received, writer: asyncio.StreamWriter) -> None:
    """Never says a word."""
    await asyncio.Event().wait()


async def cutting(_: Received, writer: asyncio.StreamWriter) -> None:
    """Half of the body that it promised."""
    writer.write(_head(200, {"content-type": "application/json", "content-length": "1000"}) + b'{"id": "half')
    await writer.drain()


async def hanging_up(_: Received, writer: asyncio.StreamWriter) -> None:
    """Closes without a word."""
    writer.close()


async def babbling(_: Received, writer: asyncio.StreamWriter) -> None:
    """Something that isn't HTTP."""
    writer.write(b"\x16\x03\x01 what?\r\n\r\n")
    await writer.drain()


async def resetting(_: Received, writer: asyncio.StreamWriter) -> None:
    """Resets the connection without a word."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def by_turns(scripts: Sequence[Script], then: Script) -> Script:
    """One script after the other, a request each, then `then`."""
    turns = iter(scripts)

    async def script(received: Received, writer: asyncio.StreamWriter) -> None:
        await next(turns, then)(received, writer)

    return script
