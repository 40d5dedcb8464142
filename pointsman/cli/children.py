"""A supervised child: what it is (`ChildSpec`), how it is now (`Child`), and how patient the supervisor is with it (`Pace`)."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from pointsman.runtime.probes import Probe

_TAIL_LINES: Final = 15
_TAIL_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child: its command, how its readiness is asked, and whose readiness it waits for before it starts."""

    name: str
    argv: Sequence[str]
    ready: Probe
    after: Sequence[str] = ()
    stop_grace_s: float = 10
    """From SIGTERM to SIGKILL."""
    changes: Mapping[str, object] = field(default_factory=dict)
    """Settings of its own over the file's, by their dotted keys; told by its environment."""
    reloads: bool = False
    """Whether SIGHUP makes it read its settings again; another child would end by it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the supervisor is; seconds."""

    probe_s: float = 0.2
    first_backoff_s: float = 0.5
    max_backoff_s: float = 10
    backoff_reset_s: float = 30
    """A child that lived this long starts again after the first backoff."""
    start_deadline_s: float = 180
    """From a child's first start to its first readiness."""
    tries: int = 3
    """As many deaths before the first readiness mean that the start has failed."""


class Backoff:
    """How long a child that died waits for its next start: twice as long each time, until it has lived long enough."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._next_s = pace.first_backoff_s

    def after(self, lived_s: float) -> float:
        """The wait in seconds after a life of `lived_s`."""
        if lived_s >= self._pace.backoff_reset_s:
            self._next_s = self._pace.first_backoff_s
        wait_s, self._next_s = self._next_s, min(self._next_s * 2, self._pace.max_backoff_s)
        return wait_s


class State(StrEnum):
    """Where a child is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DIED = "died"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(slots=True)
class Child:
    """A child as it is now."""

    spec: ChildSpec
    log: Path
    state: State = State.WAITING
    detail: str = ""
    """What a starting child is waiting for, or how a dead one ended."""
    process: subprocess.Popen[bytes] | None = None
    """Its keeper."""
    began: float = 0
    """Its last start, monotonic."""
    took_s: float = 0
    """From its last start to its readiness."""
    deaths: int = 0
    log_from: int = 0
    """Where the log of its last start begins, in bytes."""
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the first readiness and for good."""

    @property
    def name(self) -> str:
        return self.spec.name

    def log_tail(self) -> str:
        """The last lines since its last start."""
        with self.log.open("rb") as log:
            log.seek(max(self.log_from, self.log.stat().st_size - _TAIL_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])


class StartFailed(Exception):
    """A child can't be started; `exit_code` is its own, None where it runs and doesn't become ready."""

    def __init__(self, child: Child, exit_code: int | None, message: str) -> None:
        super().__init__(message)
        self.child = child
        self.exit_code = exit_code
