"""Server-sent events on their way to the caller: the backend's pass as they come, ours stand between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from gateway.headers import Headers

HEARTBEAT: Final = b": keep-alive\n\n"
_LINE_ENDS: Final = (b"\r\n", b"\n", b"\r")


def is_event_stream(headers: Headers) -> bool:
    """Whether an answer with these headers is one."""
    return any(name == "content-type" and value.lower().startswith("text/event-stream") for name, value in headers)


def is_packed(headers: Headers) -> bool:
    """Compressed, so that nothing of ours can stand among its bytes."""
    return any(name == "content-encoding" and value.lower() != "identity" for name, value in headers)


class EventWriter:
    """Writes one stream. Each piece goes out whole before the next one, whoever writes it."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._clock = asyncio.get_running_loop().time
        self._writing = asyncio.Lock()
        self._tail = b""
        self._written_at = self._clock()

    async def write(self, piece: bytes) -> None:
        """A piece of the backend's, cut anywhere."""
        async with self._writing:
            self._tail = (self._tail + piece)[-4:]
            await self._write(piece)
            self._written_at = self._clock()

    async def add(self, event: bytes) -> None:
        """An event of ours, apart from half an event that a backend was cut in."""
        await self.write(event if ends_an_event(self._tail) else b"\n\n" + event)

    @contextlib.contextmanager
    def kept_alive(self, every_s: float | None) -> Iterator[None]:
        """Inside it a comment goes out for every `every_s` seconds of silence between two events; for None none does."""
        if every_s is None:
            yield
            return
        beating = asyncio.get_running_loop().create_task(self._beat(every_s))
        try:
            yield
        finally:
            beating.cancel()

    async def _beat(self, every_s: float) -> None:
        wait_s = every_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = self._written_at + every_s - self._clock()
            if wait_s > 0:
                continue
            wait_s = every_s
            # A piece that waits to be written means a caller who doesn't read: to it silence is no news.
            if not self._writing.locked() and ends_an_event(self._tail):
                await self.write(HEARTBEAT)


def ends_an_event(tail: bytes) -> bool:
    """Whether a stream whose last bytes (four, or all where it is shorter) are these stands between two events: at its beginning, or
    after a blank line."""
    ending = next((each for each in _LINE_ENDS if tail.endswith(each)), b"")
    before = tail.removesuffix(ending)
    return not tail or (bool(ending) and (not before or before.endswith((b"\n", b"\r"))))
