"""Server-sent events, cut where one ends and the next begins; their bytes stay as they came."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

from pointsman.runtime.errors import BackendFailed

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class EventSplitter:
    """Gives whole events of a stream whose pieces are cut anywhere."""

    def __init__(self) -> None:
        self._unfinished = bytearray()

    def __len__(self) -> int:
        """Bytes held of the event that hasn't ended."""
        return len(self._unfinished)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that this piece completes, each with its closing blank line; read them all before the next piece."""
        # The blank line may begin in what was seen before, by three bytes at most.
        known, start = max(0, len(self._unfinished) - 3), 0
        self._unfinished += piece
        for end in [match.end() for match in _BLANK_LINE.finditer(self._unfinished, known)]:
            yield bytes(self._unfinished[start:end])
            start = end
        del self._unfinished[:start]

    def rest(self) -> bytes:
        """What came after the last blank line."""
        return bytes(self._unfinished)


async def events_of(pieces: AsyncIterator[bytes], backend: str, max_bytes: int) -> AsyncIterator[bytes]:
    """The events of a backend's stream; what follows the last blank line is one too, so that no byte is lost.

    Raises `BackendFailed` for an event that is longer than `max_bytes`, and whatever `pieces` raises.
    """
    splitter = EventSplitter()
    async for piece in pieces:
        for event in splitter.feed(piece):
            yield event
        if len(splitter) > max_bytes:
            said = f"The backend {backend} sent an event of more than {max_bytes:,} bytes (controller.max_response_bytes)."
            raise BackendFailed(said, backend=backend)
    if rest := splitter.rest():
        yield rest
