"""A caller's connection, as far as requests on it care: whether it is still there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SCOPE_KEY: Final = "pointsman.connection"
"""Of the ASGI scope, where the server's protocol puts it."""


class Connection:
    """Tells those that ask once it is lost. (ASGI's own way is a task of each request that waits for `http.disconnect`.)"""

    def __init__(self) -> None:
        self._to_tell: set[Callable[[], object]] = set()
        self.is_lost = False

    def watch(self, lost: Callable[[], object]) -> None:
        """`lost` is called when the connection is lost, or now where it is."""
        if self.is_lost:
            lost()
        else:
            self._to_tell.add(lost)

    def forget(self, lost: Callable[[], object]) -> None:
        """It isn't called any more."""
        self._to_tell.discard(lost)

    def lost(self) -> None:
        """Nobody is at the other end any more."""
        self.is_lost = True
        while self._to_tell:
            self._to_tell.pop()()
