"""Whether recent win rates are still spread as a record's sample was: the population stability index.

PSI = sum over the parts of (live - sample) · ln(live / sample), the parts being the sample's own deciles (Siddiqi, Credit Risk Scorecards,
2006). By custom less than 0.1 is no shift, more than 0.25 a clear one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from math import log
from typing import Final

from pointsman.calibration.quantiles import quantile

FEWEST: Final = 100
"""Win rates of which the index says something: of n that are spread as the sample is, chance alone makes it about 9/n."""
_PARTS: Final = 10
_SMOOTHING: Final = 0.5  # added to every count, or a part without any would make the index infinite


class Drift:
    """The last `window` win rates, counted by the sample's deciles."""

    def __init__(self, quantiles: Sequence[float], window: int) -> None:
        # A decile that many win rates share is one edge, so that its part holds more than a tenth.
        self._edges = sorted({quantile(quantiles, part / _PARTS) for part in range(1, _PARTS)})
        expected = [0] * (len(self._edges) + 1)
        for value in quantiles:
            expected[bisect_right(self._edges, value)] += 1
        self._expected = [(count + _SMOOTHING) / (len(quantiles) + _SMOOTHING * len(expected)) for count in expected]
        self._counts = [0] * len(expected)
        self._window = window
        self._recent: deque[int] = deque(maxlen=window)

    @property
    def seen(self) -> int:
        """How many win rates are counted."""
        return len(self._recent)

    def add(self, win_rate: float) -> None:
        """Counts one; where the window is full, the oldest goes."""
        if len(self._recent) == self._recent.maxlen:
            self._counts[self._recent[0]] -= 1
        part = bisect_right(self._edges, win_rate)
        self._recent.append(part)
        self._counts[part] += 1

    @property
    def index(self) -> float:
        """The population stability index, from 0; 0 where nothing was counted."""
        if not self._recent:
            return 0.0
        total = len(self._recent) + _SMOOTHING * len(self._counts)
        pairs = [((count + _SMOOTHING) / total, expected) for count, expected in zip(self._counts, self._expected, strict=True)]
        return sum((live - expected) * log(live / expected) for live, expected in pairs)

    @property
    def is_telling(self) -> bool:
        """Whether enough win rates are counted for the index to say something: `FEWEST`, or a whole window that is smaller."""
        return self.seen >= min(FEWEST, self._window)

    def is_past(self, limit: float) -> bool:
        """Whether the index is above `limit`; not before half of the window has been seen, since few win rates always look odd."""
        return self.is_telling and 2 * self.seen >= self._window and self.index > limit
