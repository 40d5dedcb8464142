"""Which threshold loses at most so much quality: Learn-then-Test with fixed-sequence testing.

Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: calibrating predictive algorithms to achieve risk control" (2021): the
thresholds are tried in an order that was fixed before the labels were seen, from all strong on, each by a p-value of "it loses more than
the limit"; the last before the first that isn't rejected is certified. So the chance that the certified one loses more is at most delta.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Final

from pointsman.calibration.betting import log_p_value
from pointsman.runtime.decide import is_strong

STEPS: Final = 100
"""Thresholds that are tried, one for each percent of weak share."""
_BOUND_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Label:
    """One prompt: its strong win rate, and what each tier's answer was worth, in [0, 1]."""

    strong_win_rate: float
    strong: float
    weak: float

    def loss(self, threshold: float) -> float:
        """Quality lost against always-strong, in [-1, 1]: none where the threshold sends it to strong, a gain where weak was better."""
        return 0.0 if is_strong(self.strong_win_rate, threshold) else self.strong - self.weak


@dataclass(frozen=True, slots=True)
class Certified:
    """The largest threshold that passed, and what the labels say of it."""

    threshold: float
    weak_share: float
    loss: float
    """The labels' mean, a point estimate."""
    bound: float
    """The smallest limit that this threshold by itself would still pass, at the same confidence: at most the limit that was asked for."""
    sample_size: int


def certify(labels: Sequence[Label], grid: Sequence[float], limit: float, delta: float, *, seed: int = 0) -> Certified | None:
    """The largest threshold of `grid` whose expected loss is at most `limit` with confidence 1 - delta; None where not even the first is.

    `grid` rises, and comes from elsewhere than these labels. The labels are exchangeable with the traffic; their order is shuffled.
    """
    shuffled = list(labels)
    random.Random(seed).shuffle(shuffled)
    enough = log(delta)
    passed: float | None = None
    for threshold in grid:
        if log_p_value([label.loss(threshold) for label in shuffled], limit, delta) > enough:
            break
        passed = threshold
    return None if passed is None else _described(shuffled, passed, limit, delta)


def _described(labels: Sequence[Label], threshold: float, limit: float, delta: float) -> Certified:
    losses = [label.loss(threshold) for label in labels]
    weak = sum(not is_strong(label.strong_win_rate, threshold) for label in labels)
    return Certified(threshold, weak / len(labels), sum(losses) / len(labels), _bound(losses, limit, delta), len(labels))


def _bound(losses: Sequence[float], limit: float, delta: float) -> float:
    """By halving, rounded up."""
    low, high, enough = 0.0, limit, log(delta)
    while high - low > 10**-_BOUND_DIGITS / 2:
        middle = (low + high) / 2
        low, high = (low, middle) if log_p_value(losses, middle, delta) <= enough else (middle, high)
    return min(limit, -(-high * 10**_BOUND_DIGITS // 1) / 10**_BOUND_DIGITS)


def grid_of(win_rates: Sequence[float]) -> list[float]:
    """Thresholds at every percent of weak share, by win rates of other prompts than the labelled ones."""
    ordered = sorted(win_rates)
    return sorted({ordered[min(len(ordered) - 1, len(ordered) * step // STEPS)] for step in range(1, STEPS + 1)})
