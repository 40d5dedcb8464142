"""The one deadline of a request; it lives as long as the request does."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final, Self

from pointsman.runtime.errors import DeadlineExceeded, InvalidRequest

TIMEOUT_HEADER: Final = "x-request-timeout"
LONGEST_S: Final = 86_400.0
LAST_WORDS_S: Final = 1.0
"""After the deadline, for the error that says so to be taken: it bounds the writing of an answer and not only its making, so that a caller
who doesn't take it holds no place."""
_SECONDS = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """That many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, 0 when it has passed."""
        return max(0.0, self.at - time.monotonic())


def not_taken() -> DeadlineExceeded:
    """Of a caller who reads too slowly."""
    return DeadlineExceeded("The deadline passed before the caller had taken the answer; read it faster, or give the call longer.")


def asked_timeout(said: str | None, default_s: float) -> float:
    """Seconds that the caller gives its request: what `x-request-timeout` says, else the default. Raises `InvalidRequest`."""
    if said is None:
        return default_s
    seconds = float(said) if len(said) <= 32 and _SECONDS.fullmatch(said) else 0.0
    if not 0 < seconds <= LONGEST_S:
        raise InvalidRequest(
            f"{TIMEOUT_HEADER} is a number of seconds above 0 and at most {LONGEST_S:.0f}, not {said[:40]!r}", param=TIMEOUT_HEADER
        )
    return seconds
