"""The life of `pointsman up`: start, announce, watch, and on a signal stop. It knows nothing of what the children are."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from pointsman.cli.children import ChildSpec, Pace, StartFailed
from pointsman.cli.exits import FAILED, OK, USAGE, CommandFailed
from pointsman.cli.supervisor import SETTINGS_EXIT, Supervisor
from pointsman.cli.views import JsonView, LiveView, PlainView
from pointsman.runtime.output import discard_unwritable


async def run(
    specs: Sequence[ChildSpec],
    *,
    cwd: Path,
    logs: Path,
    view: LiveView | PlainView | JsonView,
    announcement: Callable[[float], str],
    pace: Pace | None = None,
) -> int:
    """Runs the children until SIGINT, SIGTERM or the end of its terminal, and returns the exit code with none of them left.

    SIGHUP otherwise has the children that can read their settings again.

    `announcement` is shown once all are ready and gets the seconds it took. Raises `CommandFailed` where the start fails.
    """
    supervisor = Supervisor(specs, cwd=cwd, logs=logs, on_change=view.changed, pace=pace)
    stopping = _on_signals(supervisor, view.said)
    begun = time.monotonic()
    try:
        with view.starting(supervisor.children) if isinstance(view, LiveView) else contextlib.nullcontext():
            await _unless(stopping, supervisor.start())
        if not stopping.is_set():
            took_s = time.monotonic() - begun
            view.all_ready(announcement(took_s), took_s)
            await _unless(stopping, supervisor.watch())
    except StartFailed as error:
        raise CommandFailed(f"{error}; its log: {error.child.log}", USAGE if error.exit_code == SETTINGS_EXIT else FAILED) from None
    finally:
        view.said("stopping; Ctrl-C again kills at once")
        await supervisor.stop()
        view.said("stopped; no process is left")
        discard_unwritable()  # the terminal may have gone
    return OK


async def _unless(stopping: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Runs the work until it is done or everything is to stop. Raises what the work raises."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        working.cancel()
        stopped.cancel()


def _on_signals(supervisor: Supervisor, said: Callable[[str], None]) -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM, or when the terminal is closed; a second SIGINT or SIGTERM makes the stop a kill."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            supervisor.hurry()
        stopping.set()

    had_terminal = _has_terminal()

    def hung_up() -> None:
        if had_terminal and not _has_terminal():
            stopping.set()
        elif not stopping.is_set():
            said(f"SIGHUP: settings are read again by {', '.join(supervisor.reload()) or 'nobody yet'}")

    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup leaves it
        loop.add_signal_handler(signal.SIGHUP, hung_up)
    return stopping


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal now; the kernel takes it away before it sends the SIGHUP of its end."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
