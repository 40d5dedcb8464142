"""What goes to strong because scoring couldn't answer (rule 4): how much of it there has been lately, its cap, and who is told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

log = structlog.get_logger()
WINDOW_S: Final = 3600.0
FREE: Final = 100
"""Requests of a window that may go strong unscored whatever their share, so that little traffic has some too."""
_PART_S: Final = 60.0
_OVER_S: Final = 60.0  # without a capped request; at an hour's edge the cap is hit and not hit by turns


@dataclass(slots=True)
class _Part:
    """Counts of a minute."""

    begun: float
    requests: int = 0
    to_strong: int = 0


class UnscoredSpending:
    """Counts the requests that were to be scored, over the latest hour, and those of them that went strong without a score.

    Of this process, and kept when the settings change.
    """

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parts: deque[_Part] = deque()
        self._capped_at: float | None = None
        self._capped = 0
        self._outcomes = Counter(
            "pointsman_unscored",
            "Requests that scoring couldn't answer; outcome is strong, weak, refused, or capped_weak and capped_refused past the cap.",
            ["strategy", "reason", "outcome"],
            registry=registry,
        )
        registry.register(_UnscoredCollector(self))

    def scoring(self) -> None:
        """A request is to be scored."""
        self._part().requests += 1
        self._end_if_over()

    def take(self, cap: float) -> bool:
        """Whether one more may go strong unscored, by a share from 0 to 1 of the hour's requests; if so, it is counted.

        Where traffic began less than an hour ago, of as many as an hour has at the rate since then: a restart is no reason to absorb less.
        """
        part = self._part()
        requests, to_strong = self._sums()
        lasted = min(WINDOW_S, max(_PART_S, self._clock() - self._parts[0].begun))
        if cap >= 1 or (cap > 0 and to_strong < max(FREE, cap * requests * WINDOW_S / lasted)):
            part.to_strong += 1
            return True
        self._capped += 1
        if self._capped_at is None:
            log.warning("cap on unscored spending reached", cap=cap, requests=requests, to_strong=to_strong, window_s=WINDOW_S)
        self._capped_at = self._clock()
        return False

    def count(self, strategy: str, reason: str, outcome: str) -> None:
        """What became of a request that wasn't scored."""
        self._outcomes.labels(strategy, reason, outcome).inc()

    @property
    def share(self) -> float:
        """Of the hour's requests, 0 to 1."""
        requests, to_strong = self._sums()
        return to_strong / requests if requests else 0.0

    @property
    def is_capped(self) -> bool:
        """Whether the cap was hit within the latest minute."""
        at = self._capped_at
        return at is not None and self._clock() < at + _OVER_S

    def _end_if_over(self) -> None:
        if self._capped_at is not None and not self.is_capped:
            log.info("cap on unscored spending no longer reached", capped=self._capped)
            self._capped_at, self._capped = None, 0

    def _part(self) -> _Part:
        """The current minute's; those that have left the window are dropped."""
        now = self._clock()
        while self._parts and self._parts[0].begun <= now - WINDOW_S:
            self._parts.popleft()
        if not self._parts or now >= self._parts[-1].begun + _PART_S:
            self._parts.append(_Part(now))
        return self._parts[-1]

    def _sums(self) -> tuple[int, int]:
        since = self._clock() - WINDOW_S
        parts = [part for part in tuple(self._parts) if part.begun > since]
        return sum(part.requests for part in parts), sum(part.to_strong for part in parts)


class _UnscoredCollector(Collector):
    """Computed when it is asked for, in the metrics server's thread."""

    def __init__(self, spending: UnscoredSpending) -> None:
        self._spending = spending

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The families."""
        share = "Share of the latest hour's requests that went strong because scoring couldn't answer."
        yield GaugeMetricFamily("pointsman_unscored_strong_share", share, self._spending.share)
        capped = "1 where scorer_failure_to_strong_cap was hit within the latest minute."
        yield GaugeMetricFamily("pointsman_unscored_strong_capped", capped, float(self._spending.is_capped))
