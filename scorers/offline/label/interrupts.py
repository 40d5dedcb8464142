"""Ctrl-C in two steps: the first stops a run in good order, the second at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts(first: Callable[[], None]) -> Iterator[None]:
    """Inside the block the first SIGINT or SIGTERM calls `first`, and the next cancels the current task. In a thread it does nothing."""
    task = asyncio.current_task()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    steps = iter([first])

    def heard() -> None:
        next(steps, task.cancel)()

    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        loop.add_signal_handler(each, heard)
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
