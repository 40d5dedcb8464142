"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and may not for long, or not as it is meant."""
    PROBLEM = "problem"
    """Something doesn't work as the settings want it."""
    SKIPPED = "skipped"
    """It couldn't be looked at, or there is nothing to look at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, and what to do about it. No secret is in either."""

    check: str
    state: State
    said: str
    advice: str = ""


def ok(check: str, said: str) -> Finding:
    """Nothing to do."""
    return Finding(check, State.OK, said)


def warning(check: str, said: str, advice: str = "") -> Finding:
    """See `State`."""
    return Finding(check, State.WARNING, said, advice)


def problem(check: str, said: str, advice: str = "") -> Finding:
    """See `State`."""
    return Finding(check, State.PROBLEM, said, advice)


def skipped(check: str, said: str, advice: str = "") -> Finding:
    """See `State`."""
    return Finding(check, State.SKIPPED, said, advice)
