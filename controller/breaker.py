"""A circuit breaker: a backend that keeps failing isn't called for a while, then by one request at a time until one succeeds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum

from pointsman.runtime.backend_settings import BreakerSettings

Clock = Callable[[], float]


class State(IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Permit:
    """One call that the breaker let through. Its outcome counts once; a failure after its success counts in the success's place."""

    def __init__(self, breaker: Breaker, generation: int, begun: float) -> None:
        self._breaker = breaker
        self._succeeded: bool | None = None
        self.generation = generation
        self.begun = begun

    def succeeded(self) -> None:
        """The backend answers."""
        if self._succeeded is None:
            self._succeeded = True
            self._breaker.count(self, ok=True)

    def failed(self) -> None:
        """It doesn't, or cut its answer."""
        if self._succeeded is not False:
            was, self._succeeded = self._succeeded, False
            self._breaker.count(self, ok=False, instead=was is True)

    def released(self) -> None:
        """It ended before an answer began, by its caller or its deadline. That says nothing of the backend's health, unless the
        wait was `slow_s` or longer: then it failed. Impatient callers alone can't open a breaker."""
        if self._succeeded is not None:
            return
        if self._breaker.is_slow(self):
            self.failed()
        else:
            self._breaker.release(self)


class Breaker:
    """Opens after so many failures in a row, or at a ratio of failures over a window; `clock` gives seconds."""

    def __init__(self, settings: BreakerSettings, clock: Clock, changed: Callable[[State], None] = lambda _: None) -> None:
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._state = State.CLOSED
        # Outcomes of calls let through before the last change don't count after it.
        self._generation = 0
        self._opened_at = 0.0
        self._probe_at: float | None = None
        self._in_a_row = 0
        self._seconds: deque[list[int]] = deque()  # [second, successes, failures] of the window, so at most one for each second

    @property
    def state(self) -> State:
        """An open breaker becomes half-open when the first call after `open_s` asks."""
        return self._state

    @property
    def retry_after_s(self) -> float:
        """When to ask again, in seconds."""
        if self._state is State.OPEN:
            return max(0.0, self._opened_at + self._settings.open_s - self._clock())
        return 1.0

    def admit(self) -> Permit | None:
        """A permit, or None where the backend isn't to be called."""
        now = self._clock()
        if self._state is State.OPEN and now >= self._opened_at + self._settings.open_s:
            self._move(State.HALF_OPEN)
        if self._state is State.OPEN:
            return None
        if self._state is State.HALF_OPEN:
            # A probe without an outcome doesn't keep the next one away for ever.
            if self._probe_at is not None and now < self._probe_at + self._settings.open_s:
                return None
            self._probe_at = now
        return Permit(self, self._generation, now)

    def count(self, permit: Permit, *, ok: bool, instead: bool = False) -> None:
        """A permit's outcome; `instead` of the success that it had before."""
        if permit.generation != self._generation:
            return
        if self._state is State.HALF_OPEN:
            self._move(State.CLOSED if ok else State.OPEN)
            return
        second = self._second()
        second[1 if ok else 2] += 1
        if instead and (counted := next((each for each in reversed(self._seconds) if each[1]), None)):
            counted[1] -= 1
        self._in_a_row = 0 if ok else self._in_a_row + 1
        if not ok and self._is_failing():
            self._move(State.OPEN)

    def is_slow(self, permit: Permit) -> bool:
        """Whether the call has waited as long as a sound backend should need to begin its answer."""
        return self._clock() - permit.begun >= self._settings.slow_s

    def release(self, permit: Permit) -> None:
        """A permit without an outcome; the next call may probe."""
        if permit.generation == self._generation:
            self._probe_at = None

    def _is_failing(self) -> bool:
        if self._in_a_row >= self._settings.failures:
            return True
        failures = sum(each[2] for each in self._seconds)
        requests = failures + sum(each[1] for each in self._seconds)
        return requests >= self._settings.min_requests and failures >= self._settings.failure_ratio * requests

    def _second(self) -> list[int]:
        """The counts of the current second; those that have left the window are dropped."""
        now = self._clock()
        while self._seconds and self._seconds[0][0] <= now - self._settings.window_s:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1][0] != int(now):
            self._seconds.append([int(now), 0, 0])
        return self._seconds[-1]

    def _move(self, state: State) -> None:
        self._state = state
        self._generation += 1
        self._opened_at = self._clock()
        self._probe_at = None
        self._in_a_row = 0
        self._seconds.clear()
        self._changed(state)
