"""Each request within its key's limits, on both protocols: looked at before it is worked on, accounted for when it has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from gateway.exchange import Exchange
from gateway.headers import Headers
from gateway.identity.keyring import Caller
from gateway.limiting.limiter import Limiter
from gateway.observer import Observation

_BYTES_PER_TOKEN: Final = 4
Handler = Callable[[Exchange], Awaitable[None]]


class Admission:
    """Lets requests in. Those of a key without limits, and all where no keys are asked for, cost nothing."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    @asynccontextmanager
    async def admitted(self, caller: Caller | None, seen: Observation, told: Callable[[Headers], object]) -> AsyncIterator[None]:
        """While a request is under way; `told` gets the headers for its answer, also where it is refused.

        Raises `RateLimited`, and `Unavailable` where nothing counts and the settings say refuse.
        """
        if caller is None or not caller.entry.is_limited:
            yield
            return
        verdict = await self._limiter.admit(caller.entry)
        told(verdict.headers)
        if verdict.refused:
            raise verdict.refused
        try:
            yield
        finally:
            await self._limiter.settle(caller.entry, verdict, seen.tokens)

    def over(self, handler: Handler) -> Handler:
        """A REST handler within its caller's limits."""

        async def limited(exchange: Exchange) -> None:
            if exchange.caller is None or not exchange.caller.entry.is_limited:
                await handler(exchange)
                return
            async with self.admitted(exchange.caller, exchange.seen, exchange.always.extend):
                await handler(exchange)

        return limited


def tokens_when_cut(seen: Observation) -> int:
    """What an answer took that its caller cut off, so that the controller never told: hanging up isn't free.

    Four bytes of the request are a token, and each piece that was sent is one; an answer that hadn't begun took none.
    """
    return seen.bytes_in // _BYTES_PER_TOKEN + seen.pieces if seen.pieces else 0
