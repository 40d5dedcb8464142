"""What `pointsman up` shows while children come and go: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pointsman.cli.children import Child, State

_STYLES = {State.READY: "green", State.DIED: "red", State.STARTING: "yellow"}


def write_line(text: str = "") -> None:
    """A line on standard output, as it is: no markup, no wrapping."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError:
        return  # the pipe's reader or the terminal has gone; the services go on, or stop in good order


class PlainView:
    """A line per change, and the last lines of a child that died."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def said(self, text: str) -> None:
        """Something that isn't of one child."""
        write_line(text)

    def all_ready(self, announcement: str, took_s: float) -> None:
        """What to say once all are."""
        write_line(announcement)

    def changed(self, child: Child) -> None:
        at = f"{time.monotonic() - self._begun:7.1f} s  {child.name:<17}"
        match child.state:
            case State.READY:
                write_line(f"{at} ready after {child.took_s:.1f} s")
            case State.STARTING if child.detail:
                write_line(f"{at} waits: {child.detail}")
            case State.DIED:
                write_line(f"{at} died: {child.detail}; its last lines:")
                write_line("\n".join(f"    {line}" for line in child.log_tail().splitlines()) or "    (none)")
            case _:
                write_line(f"{at} {child.state}")


class LiveView:
    """A table that is kept up to date while all start; afterwards, plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._plain = PlainView()
        self._live: Live | None = None

    def said(self, text: str) -> None:
        self._plain.said(text)

    def all_ready(self, announcement: str, took_s: float) -> None:
        self._plain.all_ready(announcement, took_s)

    def changed(self, child: Child) -> None:
        if self._live is None or child.state is State.DIED:
            self._plain.changed(child)

    @contextmanager
    def starting(self, children: Sequence[Child]) -> Iterator[None]:
        """Shows the table inside the `with` block, and leaves it standing."""
        try:
            with Live(console=self._console, get_renderable=lambda: _table(children), refresh_per_second=8) as self._live:
                yield
        finally:
            self._live = None


class JsonView:
    """An object of JSON a line, each with `event`: service, ready, or message."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses
        """In the event ready."""

    def said(self, text: str) -> None:
        self._write("message", message=text)

    def all_ready(self, announcement: str, took_s: float) -> None:
        self._write("ready", seconds=round(took_s, 3), **self._addresses)

    def changed(self, child: Child) -> None:
        seconds = {"seconds": round(child.took_s, 3)} if child.state is State.READY else {}
        last = {"log": child.log_tail()} if child.state is State.DIED else {}
        self._write("service", service=child.name, state=str(child.state), detail=child.detail, **seconds, **last)

    @staticmethod
    def _write(event: str, **values: object) -> None:
        write_line(json.dumps({"event": event, **values}, ensure_ascii=False))


def _table(children: Sequence[Child]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "seconds", ""):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for child in children:
        running = time.monotonic() - child.began if child.began else 0
        seconds = child.took_s if child.state is State.READY else running
        table.add_row(child.name, Text(child.state, _STYLES.get(child.state, "")), f"{seconds:.1f}", Text(child.detail, "dim"))
    return table
