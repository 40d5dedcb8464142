"""What is written in one go goes out in one: each write by itself costs a system call, and wakes the caller."""

from __future__ import annotations

import asyncio
from typing import Any, Final

SCOPE_KEY: Final = "pointsman.writes"
"""Of the ASGI scope, where the server's protocol puts it."""
_COPIED: Final = 1 << 16
"""Bytes up to which writes are joined by copying them; longer ones go to the kernel side by side."""


class JoinedWrites:
    """A connection's transport. Inside `with` it holds what is written, and sends it as one at the end, however the block is left.

    Flow control doesn't see what is held, so a block writes little, or one answer, and waits for nothing else.
    """

    __slots__ = ("_held", "_holds", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] = []
        self._holds = False

    def __getattr__(self, name: str) -> Any:
        """Whatever else a transport can."""
        return getattr(self._transport, name)

    def __enter__(self) -> None:
        self._holds = True

    def __exit__(self, *_: object) -> None:
        self._holds = False
        self._send()

    def write(self, data: bytes) -> None:
        """Sends it, or holds it."""
        if self._holds:
            self._held.append(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Closes the connection after what is held."""
        self._send()
        self._transport.close()

    def lost(self) -> None:
        """Nobody is at the other end any more."""
        self._held.clear()

    def _send(self) -> None:
        if not self._held:
            return
        held, self._held = self._held, []
        if sum(map(len, held)) <= _COPIED:
            self._transport.write(b"".join(held))
        else:
            self._transport.writelines(held)
