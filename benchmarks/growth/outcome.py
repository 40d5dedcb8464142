"""What a simulation counts, and the figures that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Outcome:
    """Times in seconds, shares from 0 to 1; of the prompts after the warm-up."""

    p50: float
    """From a prompt's arrival at the controller to its answer."""
    p99: float
    mean_wait: float
    """That, less what the model took for the batch that the prompt was in."""
    wait_p50: float
    wait_p99: float
    refused: float
    timed_out: float
    utilisation: float
    """Of the replicas, warm-up included."""
    call_size: float
    """Prompts in a call, in the mean."""
    batch_size: float
    """Prompts in a batch of the model, in the mean."""
    calls_per_s: float
    most_in_flight: int
    """Calls of one controller."""

    @property
    def lost(self) -> float:
        """The share without a win rate."""
        return self.refused + self.timed_out


class Tally:
    """Gathers as the simulation goes."""

    def __init__(self, count: int, skipped: int) -> None:
        self._answered_at = [np.nan] * count
        self._model_s = [np.nan] * count
        self._refused = [False] * count
        self._skipped = skipped
        self._calls = self._called = self._batches = self._batched = self._most = 0

    def refused(self, item: int) -> None:
        """By a full queue."""
        self._refused[item] = True

    def sent(self, prompts: int, in_flight: int) -> None:
        """A call, one of so many that its controller has in flight."""
        self._calls += 1
        self._called += prompts
        self._most = max(self._most, in_flight)

    def batched(self, items: Sequence[int], model_s: float) -> None:
        """A batch of the model."""
        self._batches += 1
        self._batched += len(items)
        for item in items:
            self._model_s[item] = model_s

    def answered(self, item: int, now: float) -> None:
        """In time."""
        self._answered_at[item] = now

    def outcome(self, arrivals: Sequence[float], busy_s: float) -> Outcome:
        """`busy_s` is a replica's in the mean. What was neither answered nor refused was too late."""
        counted = slice(self._skipped, None)
        latency = np.array(self._answered_at[counted]) - np.array(arrivals[counted])
        ok, refused = ~np.isnan(latency), np.array(self._refused[counted])
        wait = (latency - np.array(self._model_s[counted]))[ok]
        span = max(arrivals[-1], float(np.nanmax(self._answered_at, initial=0.0))) - arrivals[0]
        p50, p99 = _quantiles(latency[ok])
        wait_p50, wait_p99 = _quantiles(wait)
        return Outcome(
            p50=p50,
            p99=p99,
            mean_wait=float(wait.mean()) if len(wait) else np.inf,
            wait_p50=wait_p50,
            wait_p99=wait_p99,
            refused=float(refused.mean()),
            timed_out=float((~ok & ~refused).mean()),
            utilisation=busy_s / span,
            call_size=self._called / max(1, self._calls),
            batch_size=self._batched / max(1, self._batches),
            calls_per_s=self._calls / span,
            most_in_flight=self._most,
        )


def _quantiles(seconds: np.ndarray) -> tuple[float, float]:
    """Infinite where nothing was answered."""
    if not len(seconds):
        return np.inf, np.inf
    p50, p99 = np.quantile(seconds, [0.5, 0.99])
    return float(p50), float(p99)
