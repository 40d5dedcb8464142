"""Is a mean at most a limit? A p-value that holds for every sample size and distribution.

Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (J. R. Stat. Soc. B 86, 2024), section 4: whoever bets
against "the mean is above the limit" starts with 1 and, were that true, multiplies it by 1/p with a probability of at most p (Ville's
inequality). Nothing is assumed of the losses but that they are bounded and exchangeable.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p, sqrt
from typing import Final

_LARGEST_BET: Final = 0.75
"""Of what could be lost at once; with all of it one bad draw would end the game."""
_PRIOR_VARIANCE: Final = 0.25


def log_p_value(losses: Sequence[float], limit: float, delta: float) -> float:
    """The natural logarithm of the p-value of "the mean loss is above the limit", at most 0.

    `losses` are in [-1, 1], in an order that says nothing of them (shuffled); `limit` is in [0, 1). `delta`, at which it will be judged,
    only sizes the bets: the p-value holds for whatever it was. It is 1 where the losses' own mean is above the limit: the capital may have
    been high on the way there, but nobody would believe it.
    """
    if sum(losses) > limit * len(losses):
        return 0.0
    return -max(0.0, _highest_log_capital(losses, limit, 2 * log(1 / delta) / max(1, len(losses))))


def fewest(limit: float, delta: float) -> int:
    """With fewer losses than this nothing can be rejected at `delta`, not even if all are 0; it takes a few more, as bets begin small."""
    return int(log(1 / delta) / log1p(_LARGEST_BET / (1 - limit) * limit)) + 1 if limit > 0 else 1 << 62


def _highest_log_capital(losses: Sequence[float], limit: float, scale: float) -> float:
    """Each bet is sized by the losses before it alone (the paper's predictable plug-in)."""
    largest = _LARGEST_BET / (1 - limit)
    capital = highest = total = 0.0
    squares = variance = _PRIOR_VARIANCE
    for count, loss in enumerate(losses, 2):
        capital += log1p(min(largest, sqrt(scale / variance)) * (limit - loss))
        if capital > highest:
            highest = capital
        total += loss
        squares += (loss - total / count) ** 2
        variance = squares / count
    return highest
