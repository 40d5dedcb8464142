"""Coalescing towards scorers: how many calls one takes at once and what is too late to send, learned from its answers; and its metrics."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

flow: ContextVar[str] = ContextVar("flow", default="")
"""Whose prompts take turns with others': the caller by name, or the request where callers have none; a batch may hold a thousand."""

_KNOWN_S: Final = 15.0
"""A replica that hasn't answered for so long isn't counted: a scale-down is noticed within that, a new one by its first answer."""
_HELD_S: Final = 2.0
_RECENT_S: Final = 5.0
_RECENT: Final = 32
_LOOKED_AT_EVERY_S: Final = 0.05


class Slots:
    """One call for each replica that has answered lately; half as many, for a while, after one refused. At least one.

    Replicas take one batch at a time each, so more calls than that would wait there instead of growing here.
    """

    def __init__(self, clock: Callable[[], float], per_replica: int = 1) -> None:
        self._clock = clock
        self._per_replica = per_replica
        self._seen: dict[str, float] = {}
        self._held = 0
        self._held_until = 0.0

    def answered(self, replica: str) -> None:
        """An answer came from this replica; empty is one that doesn't say its name."""
        self._seen[replica] = self._clock()

    def refused(self) -> None:
        """An answer was RESOURCE_EXHAUSTED."""
        self._held = max(1, self.now() // 2)
        self._held_until = self._clock() + _HELD_S

    def now(self) -> int:
        """Calls that may be in flight."""
        now = self._clock()
        if any(at < now - _KNOWN_S for at in self._seen.values()):
            self._seen = {name: at for name, at in self._seen.items() if at >= now - _KNOWN_S}
        most = max(1, len(self._seen)) * self._per_replica
        return min(most, self._held) if now < self._held_until else most


class Quickest:
    """The shortest of the recent calls, in seconds: what has less time left than that can't be answered in time.

    0 where none is recent, so that a scorer that was slow for a while is tried again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._took: deque[tuple[float, float]] = deque(maxlen=_RECENT)
        self._least = 0.0
        self._looked_at = -_RECENT_S

    def took(self, seconds: float) -> None:
        """A call was answered after so long."""
        self._least = min(self._least, seconds) if self._took else seconds
        self._took.append((self._clock(), seconds))

    def now(self) -> float:
        """In seconds. Every prompt asks, so the calls are looked through anew twenty times a second at most."""
        now = self._clock()
        if now - self._looked_at >= _LOOKED_AT_EVERY_S:
            while self._took and self._took[0][0] < now - _RECENT_S:
                self._took.popleft()
            self._least, self._looked_at = min((seconds for _, seconds in self._took), default=0.0), now
        return self._least


class CoalescingMetrics:
    """What goes together, how long it waited for that, and how many embeddings were remembered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        sizes = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
        self._sizes = Histogram(
            "pointsman_scorer_batch_prompts", "Prompts in a call to a scorer.", ["strategy"], buckets=sizes, registry=registry
        )
        seconds = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
        what = "How long the oldest prompt of a call waited for it."
        self.waits = Histogram("pointsman_scorer_wait_seconds", what, ["strategy"], buckets=seconds, registry=registry)

        what = "Prompts whose embedding a scorer remembered (hit), and whose it computed (miss)."
        self._embeddings = Counter("pointsman_embedding_cache", what, ["strategy", "outcome"], registry=registry)

    def embedded(self, strategy: str, remembered: int, computed: int) -> None:
        """A call's embeddings."""
        self._embeddings.labels(strategy, "hit").inc(remembered)
        self._embeddings.labels(strategy, "miss").inc(computed)

    def of(self, strategy: str) -> Callable[[int, float], None]:
        """Takes a call's prompts and the seconds that its oldest waited."""
        size, wait = self._sizes.labels(strategy), self.waits.labels(strategy)

        def sent(prompts: int, waited_s: float) -> None:
            size.observe(prompts)
            wait.observe(waited_s)

        return sent
