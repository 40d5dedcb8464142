"""A terminal on which a command runs, as a person would type and read."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Terminal:
    """What is typed into and read from the command."""

    screen: int
    process: asyncio.subprocess.Process
    _unread: str = ""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def type(self, text: str) -> None:
        """As keys: `\\x03` is Ctrl-C, `\\x04` Ctrl-D."""
        os.write(self.screen, text.encode())

    async def until(self, text: str) -> str:
        """What is shown from the last time up to the text, without escapes."""
        assert await self.shows(text, 60), f"no {text!r} in {self._unread!r}"
        shown, _, self._unread = self._unread.partition(text)
        return shown

    async def shows(self, text: str, within_s: float) -> bool:
        """Whether the text comes; it stays unread."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while text not in self._unread:
                    self._arrived.clear()
                    await self._arrived.wait()
        return text in self._unread

    def _read(self) -> None:
        try:
            came = os.read(self.screen, 65536)
        except OSError:  # the other side is closed
            asyncio.get_running_loop().remove_reader(self.screen)
            return
        self._unread = _ESCAPES.sub("", self._unread + came.decode(errors="replace"))
        self._arrived.set()


@asynccontextmanager
async def on_a_terminal(*arguments: str) -> AsyncIterator[Terminal]:
    """`pointsman …` on a terminal of its own, for the length of the block."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pointsman.cli", *arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=takes_standard_input_as_its_terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(theirs)
    terminal = Terminal(ours, process)
    asyncio.get_running_loop().add_reader(ours, terminal._read)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)


def takes_standard_input_as_its_terminal() -> None:
    """For the child, before it becomes the command."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
