"""Tokens and money: estimated before anything is asked, counted from receipts, and kept below a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from pointsman.runtime.backend_settings import Prices
from pointsman.runtime.settings_part import Part
from pointsman.v1 import routing_pb2
from scorers.offline.label.judge import Chat

_CHARS_PER_TOKEN: Final = 4
_TOKENS_OF_A_TEMPLATE: Final = 64  # what a chat template puts around two messages, generously


class Spent(Part):
    """What one call took. `cost` is None where there is no price or the backend counted no tokens."""

    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    currency: str


@dataclass
class Tally:
    """Calls, added up."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: dict[str, float] = field(default_factory=dict)
    """By currency."""
    unpriced: int = 0
    """Calls whose cost nobody knows."""

    def add(self, spent: Spent) -> None:
        """One more."""
        self.calls += 1
        self.prompt_tokens += spent.prompt_tokens
        self.completion_tokens += spent.completion_tokens
        if spent.cost is None:
            self.unpriced += 1
        else:
            self.money[spent.currency] = self.money.get(spent.currency, 0.0) + spent.cost


def tokens_about(text: str) -> int:
    """An estimate: English has some four characters to a token, code and other languages fewer."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def tokens_at_most(chat: Chat) -> int:
    """No tokenizer in use makes more tokens than a text has bytes."""
    return sum(len(message["content"].encode()) for message in chat) + _TOKENS_OF_A_TEMPLATE


def priced(prompt_tokens: int, completion_tokens: int, prices: Prices | None) -> Spent:
    """The tokens at these prices."""
    if prices is None:
        return Spent(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost=None, currency="")
    cost = (prompt_tokens * prices.prompt_per_million + completion_tokens * prices.completion_per_million) / 1e6
    return Spent(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost=cost, currency=prices.currency)


def spent_of(receipt: routing_pb2.Receipt, prices: Prices | None) -> Spent:
    """By the receipt; where it has tokens and no cost (the pair's other backend has no price), by the settings' prices."""
    usage = receipt.usage
    if not receipt.HasField("usage"):
        return Spent(prompt_tokens=0, completion_tokens=0, cost=None, currency="")
    if not receipt.HasField("cost"):
        return priced(usage.prompt_tokens, usage.completion_tokens, prices)
    cost = receipt.cost
    return Spent(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens, cost=cost.amount, currency=cost.currency)


def totals(tallies: Iterable[Tally]) -> dict[str, float]:
    """Money by currency over all calls."""
    found: dict[str, float] = {}
    for tally in tallies:
        for currency, amount in tally.money.items():
            found[currency] = found.get(currency, 0.0) + amount
    return found


class LimitReached(Exception):
    """The next call might take the run over its limit."""


class Budget:
    """Lets a call begin only where all that is spent and under way, at its dearest, stays within the limit (None: no limit)."""

    def __init__(self, limit: float | None, spent: float) -> None:
        self._limit = limit
        self._spent = spent
        self._reserved: list[float] = []
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def call(self, at_most: float) -> AsyncIterator[Callable[[float | None], None]]:
        """Gives what is told the call's cost; one that nobody knows counts as `at_most`, and a call that failed as nothing.

        Raises `LimitReached` once the calls under way have ended and it still doesn't fit.
        """
        async with self._changed:
            while self._reserved and not self._fits(at_most):
                await self._changed.wait()
            if not self._fits(at_most):
                raise LimitReached
            self._reserved.append(at_most)
        try:
            yield lambda cost: self._count(at_most if cost is None else cost)
        finally:
            self._reserved.remove(at_most)
            async with self._changed:
                self._changed.notify_all()

    def _fits(self, more: float) -> bool:
        return self._limit is None or self._spent + sum(self._reserved) + more <= self._limit

    def _count(self, cost: float) -> None:
        self._spent += cost
