"""What the client raises, as the command says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pointsman.cli.exits import FAILED, UNREACHABLE, CommandFailed
from pointsman.client import RouteError, Unreachable


@contextmanager
def reported() -> Iterator[None]:
    """Turns the client's errors into `CommandFailed` with message, reason and request id."""
    try:
        yield
    except RouteError as error:
        lines = [error.message, f"reason: {error.reason}"]
        if error.request_id:
            lines.append(f"request id: {error.request_id}")
        raise CommandFailed("\n".join(lines), UNREACHABLE if isinstance(error, Unreachable) else FAILED) from None
