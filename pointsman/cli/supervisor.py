"""Starts children, waits until each is ready, restarts the dead, and stops all of them without leaving a process behind.

Each child runs inside a keeper (`keeper.py`), a process that ends whatever the child leaves behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pointsman.cli import keeper
from pointsman.cli.children import Backoff, Child, ChildSpec, Pace, StartFailed, State
from pointsman.runtime.settings_file import environment_over

SETTINGS_EXIT: Final = 2
_POLL_S: Final = 0.1


class Supervisor:
    """Owns every child process of this process, which must have no others: `stop` ends them all."""

    def __init__(
        self, specs: Sequence[ChildSpec], *, cwd: Path, logs: Path, on_change: Callable[[Child], None], pace: Pace | None = None
    ) -> None:
        self.children = [Child(spec, logs / f"{spec.name}.log") for spec in specs]
        self._cwd = cwd
        self._on_change = on_change
        self._pace = pace or Pace()
        self._tasks: list[asyncio.Task[None]] = []
        self._hurried = asyncio.Event()

    async def start(self) -> None:
        """Starts all and returns when all are ready. Raises `StartFailed`."""
        keeper.become_subreaper()
        self._tasks = [asyncio.create_task(self._keep(child), name=child.name) for child in self.children]
        ready = asyncio.create_task(self._all_ready())
        try:
            await asyncio.wait({ready, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            self._raise_failures()
        finally:
            ready.cancel()

    async def watch(self) -> None:
        """Restarts the dead until cancelled."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._raise_failures()

    async def stop(self) -> None:
        """Stops the children, the last one first, and ends whatever is left of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            for child in reversed(self.children):
                await self._stop(child)
        finally:
            self._end_all()

    def reload(self) -> list[str]:
        """Has every child that can read its settings again do so. Their names; one that isn't ready reads them when it starts."""
        told = []
        for child in self.children:
            if child.spec.reloads and child.state is State.READY and child.process:
                child.process.send_signal(signal.SIGHUP)
                told.append(child.name)
        return told

    def hurry(self) -> None:
        """Has `stop` kill at once."""
        self._hurried.set()

    async def _all_ready(self) -> None:
        for child in self.children:
            await child.was_ready.wait()

    def _raise_failures(self) -> None:
        for task in self._tasks:
            if task.done() and (error := task.exception()):
                raise error

    async def _keep(self, child: Child) -> None:
        for other in self.children:
            if other.name in child.spec.after:
                await other.was_ready.wait()
        backoff = Backoff(self._pace)
        while True:
            process = self._spawn(child)
            probing = asyncio.create_task(self._until_ready(child))
            try:
                code = await self._exit_code(process, probing)
            finally:
                probing.cancel()
            lived_s = time.monotonic() - child.began
            self._end_orphans(child)
            self._died(child, code)
            await asyncio.sleep(backoff.after(lived_s))

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        child.log_from = child.log.stat().st_size if child.log.exists() else 0
        command = [sys.executable, "-I", "-S", keeper.__file__, str(os.getpid()), str(child.spec.stop_grace_s), *child.spec.argv]
        with child.log.open("ab") as log:
            # In a session of its own, so that the terminal's Ctrl-C reaches the supervisor alone.
            process = subprocess.Popen(  # noqa: S603  # nosec B603  # the command is a spec's, never a request's
                command,
                cwd=self._cwd,
                env=environment_over(child.spec.changes),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        child.process, child.began = process, time.monotonic()
        self._change(child, State.STARTING)
        return process

    async def _exit_code(self, process: subprocess.Popen[bytes], probing: asyncio.Task[None]) -> int:
        while (code := process.poll()) is None:
            if probing.done() and (error := probing.exception()):
                raise error
            await asyncio.sleep(_POLL_S)
        return code

    async def _until_ready(self, child: Child) -> None:
        while missing := await child.spec.ready():
            if not child.was_ready.is_set() and time.monotonic() - child.began > self._pace.start_deadline_s:
                raise StartFailed(child, None, f"{child.name} isn't ready after {self._pace.start_deadline_s:g} s: {missing}")
            if missing != child.detail:
                self._change(child, State.STARTING, missing)
            await asyncio.sleep(self._pace.probe_s)
        child.took_s = time.monotonic() - child.began
        child.was_ready.set()
        self._change(child, State.READY)

    def _died(self, child: Child, code: int) -> None:
        child.deaths += 1
        self._change(child, State.DIED, _how(code))
        if not child.was_ready.is_set() and (code == SETTINGS_EXIT or child.deaths >= self._pace.tries):
            raise StartFailed(child, code, f"{child.name} can't start: {_how(code)}")

    async def _stop(self, child: Child) -> None:
        process = child.process
        if process is not None and process.poll() is None:
            self._change(child, State.STOPPING)
            process.terminate()
            # The keeper keeps to the grace; this deadline is for a keeper that hangs.
            deadline = time.monotonic() + child.spec.stop_grace_s + 2 * keeper.ORPHANS_GRACE_S
            while process.poll() is None and time.monotonic() < deadline and not self._hurried.is_set():  # noqa: ASYNC110 - no event
                await asyncio.sleep(_POLL_S / 2)
            _end_keeper(process)
        self._end_orphans(child)
        self._change(child, State.STOPPED)

    def _end_orphans(self, child: Child) -> None:
        # Only a keeper that was killed leaves any; they are this process's children now.
        child.process = None
        keeper.end_children(grace_s=0, spare=[c.process.pid for c in self.children if c.process])

    def _end_all(self) -> None:
        for child in self.children:
            if child.process:
                _end_keeper(child.process)
        keeper.end_children(grace_s=0)

    def _change(self, child: Child, state: State, detail: str = "") -> None:
        child.state, child.detail = state, detail
        self._on_change(child)


def _end_keeper(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def _how(code: int) -> str:
    number = -code if code < 0 else code - keeper.KILLED
    return f"killed by signal {number}" if number > 0 else f"exit code {code}"
