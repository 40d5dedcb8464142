"""How much a scorer has to do, for whoever decides how many of them there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

_HEARD_S: Final = 5.0
"""A caller that hasn't called for so long has nothing waiting: whose prompts wait calls all the time."""
_KEPT: Final = 0.995
"""Of what earlier runs told about the model's speed, at each further run."""
_TOLD: Final = 8
"""Runs, before they tell anything."""


@dataclass(slots=True, eq=False)
class _Run:
    """Of the model, under way; `counted` until that time."""

    prompts: int
    counted: float


class Load:
    """How busy the model is, how fast, and what waits for it. On the event loop alone.

    A run costs some time whatever is in it, and then some for each prompt (`Speed`). Prompts gather while a run lasts, so a model whose
    runs cost the same whatever is in them, as a GPU's nearly do, runs all the time at a tenth of its throughput, with a tenth of a batch
    each time. So what counts is the time that the same prompts would have taken in full batches.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.max_batch = 1
        """Prompts in a full batch."""
        self._clock = clock
        self._speed = Speed()
        self._running: set[_Run] = set()
        self._busy_s = 0.0
        self._since = clock()
        self._heard: dict[str, tuple[float, int]] = {}

    def heard(self, caller: str, waiting: int) -> None:
        """A call came, whose caller says how many more prompts wait for this strategy; one without a name says nothing."""
        if caller and caller not in self._heard:
            self._forget()
        if caller:
            self._heard[caller] = (self._clock(), waiting)

    @contextmanager
    def running(self, prompts: int) -> Iterator[None]:
        """While the model runs with so many prompts."""
        begun = self._clock()
        run = _Run(prompts, begun)
        self._running.add(run)
        try:
            yield
            self._speed.took(prompts, self._clock() - begun)
        finally:
            self._count(run)
            self._running.discard(run)

    def stats(self) -> dict[str, float]:
        """Since they were last asked for. `busy`: the share of time that full batches of the same prompts would have taken, 0 to 1.
        `seconds_per_prompt`: what a prompt takes in a full batch, 0 where nobody knows. `waiting`: the prompts that callers last said
        wait with them."""
        for run in self._running:
            self._count(run)
        now = self._clock()
        busy = min(1.0, self._busy_s / max(1e-9, now - self._since))
        self._busy_s, self._since = 0.0, now
        self._forget()
        waiting = sum(waiting for _, waiting in self._heard.values())
        return {"busy": busy, "seconds_per_prompt": self._speed.of(self.max_batch) / self.max_batch, "waiting": float(waiting)}

    def _count(self, run: _Run) -> None:
        now = self._clock()
        took, full = self._speed.of(run.prompts), self._speed.of(self.max_batch)
        in_full_batches = full * run.prompts / self.max_batch / took if took else 1.0
        self._busy_s += (now - run.counted) * min(1.0, in_full_batches)
        run.counted = now

    def _forget(self) -> None:
        oldest = self._clock() - _HEARD_S
        self._heard = {caller: heard for caller, heard in self._heard.items() if heard[0] >= oldest}


class Speed:
    """What a run takes by its prompts: a straight line through the latest few hundred, by least squares."""

    def __init__(self) -> None:
        self._runs = self._prompts = self._seconds = self._squares = self._products = 0.0
        """Sums, in which what is older counts less."""

    def took(self, prompts: int, seconds: float) -> None:
        """A run of so many prompts took so long."""
        self._runs = self._runs * _KEPT + 1
        self._prompts = self._prompts * _KEPT + prompts
        self._seconds = self._seconds * _KEPT + seconds
        self._squares = self._squares * _KEPT + prompts * prompts
        self._products = self._products * _KEPT + prompts * seconds

    def of(self, prompts: int) -> float:
        """Seconds that a run of so many takes. More prompts never take less, nor more each than fewer do; runs that were all of a size say
        nothing of others, for which each prompt counts as it does in those. 0 before there were any."""
        if not self._runs:
            return 0.0
        mean, seconds = self._prompts / self._runs, self._seconds / self._runs
        spread = self._squares / self._runs - mean * mean
        each = seconds / mean
        if self._runs >= _TOLD and spread > 1e-6:
            slope = (self._products / self._runs - mean * seconds) / spread
            each = min(each, max(0.0, slope))
        return seconds + each * (prompts - mean)
