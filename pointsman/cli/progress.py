"""What is shown, on standard error, of work that takes over a second; only where that is a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_QUIET_S: Final = 1.0


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Says what is waited for, while the block runs, once it has run for a second."""
    console = Console(stderr=True)
    status = console.status(what)
    with _late(status.start, status.stop, console):
        yield


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar, once the block has run for a second; what it gives is called for each that is done."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    task = bar.add_task(what, total=total)
    with _late(bar.start, bar.stop, console):
        yield lambda: bar.advance(task)


@contextmanager
def _late(start: Callable[[], None], stop: Callable[[], None], console: Console) -> Iterator[None]:
    turn, started, ended = threading.Lock(), threading.Event(), threading.Event()

    def begin() -> None:
        with turn:
            if not ended.is_set():
                start()
                started.set()

    timer = threading.Timer(_QUIET_S, begin)
    timer.daemon = True
    if console.is_terminal:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with turn:
            ended.set()
            if started.is_set():
                stop()


def after_waiting(what: str, pieces: Iterator[str]) -> Iterator[str]:
    """The pieces; says what is waited for, while the first takes its time."""
    with waiting(what):
        first = next(pieces, None)
    if first is not None:
        yield first
        yield from pieces
