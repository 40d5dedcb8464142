"""Server-sent events, cut where one ends and the next begins; their bytes stay as they came."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class EventSplitter:
    """Gives whole events of a stream whose pieces are cut anywhere."""

    def __init__(self) -> None:
        self._unfinished = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that this piece completes, each with its closing blank line."""
        seen, start = self._unfinished + piece, 0
        # The blank line may begin in what was seen before, by three bytes at most.
        for end in _BLANK_LINE.finditer(seen, max(0, len(self._unfinished) - 3)):
            yield seen[start : end.end()]
            start = end.end()
        self._unfinished = seen[start:]

    def rest(self) -> bytes:
        """What came after the last blank line."""
        return self._unfinished


async def events_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events of a stream; what follows the last blank line is one too, so that no byte is lost."""
    splitter = EventSplitter()
    async for piece in pieces:
        for event in splitter.feed(piece):
            yield event
    if rest := splitter.rest():
        yield rest
