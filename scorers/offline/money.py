"""What routed requests cost: a straight line from all weak to all strong."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.runtime.no_such import no_such
from pointsman.runtime.settings import Settings
from scorers.errors import InvalidData


@dataclass(frozen=True, slots=True)
class Cost:
    """Of 1,000 requests on each tier; strong costs more."""

    strong: float
    weak: float
    currency: str = ""
    """As in USD; empty where nobody said."""

    def of_share(self, strong_share: float) -> float:
        """What 1,000 requests cost of which that share goes to strong."""
        return self.weak + strong_share * (self.strong - self.weak)


def cost_of(strong: float, weak: float, currency: str = "") -> Cost:
    """Raises `InvalidData` unless strong costs more: else there is nothing to save."""
    if not weak < strong:
        raise InvalidData(f"Strong must cost more than weak; 1,000 requests cost {strong:g} on strong and {weak:g} on weak.")
    return Cost(strong, weak, currency)


def cost_by_prices(settings: Settings, pair: str, prompt_tokens: int, answer_tokens: int) -> Cost:
    """By the prices of the pair's backends, for requests and answers of so many tokens on both tiers.

    Raises `InvalidData` where a backend has no prices, or the two have other currencies.
    """
    if pair not in settings.pairs:
        raise InvalidData(f"--pair: {no_such('pair', pair, settings.pairs)} (in the settings).")
    costs, currencies = list[float](), set[str]()
    for name in (settings.pairs[pair].strong, settings.pairs[pair].weak):
        if not (backend := settings.backends.get(name)) or not (prices := backend.prices):
            raise InvalidData(f"--tokens: backends.{name}.prices isn't set in the settings; --cost takes costs themselves.")
        costs.append((prompt_tokens * prices.prompt_per_million + answer_tokens * prices.completion_per_million) / 1000)
        currencies.add(prices.currency)
    if len(currencies) > 1:
        raise InvalidData(f"--tokens: the prices of pair {pair} are in {' and '.join(sorted(currencies))}; --cost takes costs in one.")
    strong, weak = costs
    return cost_of(strong, weak, currencies.pop())
