"""One Redis that counts for all gateways: the only module that speaks to it.

Requests in progress are leases: a gateway that is killed renews none of its own, and their places are free again after `LEASE_S`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.limiting.meter import WINDOW_S, MeterDown, Windows
from gateway.limiting.window import Window

LEASE_S: Final = 30.0
PREFIX: Final = "pointsman"
_CONNECTIONS: Final = 64

# By the server's clock, so that gateways whose clocks differ agree.
_NOW: Final = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000); "
_TAKE: Final = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
)
_RENEW: Final = (
    _NOW
    + """
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
)


@contextmanager
def _answering() -> Iterator[None]:
    """Redis's own errors, whose words may name its address, become `MeterDown`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise MeterDown(type(error).__name__) from None


class RedisMeter:
    """Counts in a Redis. Raises `ValueError` for a URL that isn't one."""

    def __init__(self, url: str, *, wait_s: float, window_s: int = WINDOW_S, lease_s: float = LEASE_S) -> None:
        # One retry: of a connection that Redis has closed meanwhile, nothing else shows it.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=wait_s,
            socket_timeout=wait_s,
            socket_connect_timeout=wait_s,
            retry=Retry(NoBackoff(), 1),
        )
        self._redis: Any = Redis(connection_pool=pool)
        options: dict[str, Any] = {"connection_pool": pool}
        storage = RedisStorage(f"async+{url}", implementation="redispy", key_prefix=PREFIX, **options)
        self._windows = Windows(storage, window_s)
        self._lease_ms = int(lease_s * 1000)
        self._held: defaultdict[str, set[str]] = defaultdict(set)
        self._take = self._redis.register_script(_TAKE)
        self._renew = self._redis.register_script(_RENEW)

    async def close(self) -> None:
        """Ends the connections."""
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def ping(self) -> None:
        """Asks for a sign of life."""
        with _answering():
            await self._redis.ping()

    async def hit(self, kind: str, name: str, limit: int) -> bool:
        """See `Meter`."""
        with _answering():
            return await self._windows.hit(kind, name, limit)

    async def charge(self, kind: str, name: str, amount: int) -> None:
        """See `Meter`."""
        with _answering():
            await self._windows.charge(kind, name, amount)

    async def window(self, kind: str, name: str) -> Window:
        """See `Meter`."""
        with _answering():
            return await self._windows.window(kind, name)

    async def take_place(self, name: str, limit: int) -> str | None:
        """See `Meter`."""
        with _answering():
            place = secrets.token_hex(8)
            if not await self._take(keys=[_key(name)], args=[limit, self._lease_ms, place]):
                return None
            self._held[name].add(place)
            return place

    async def leave_place(self, name: str, place: str) -> None:
        """See `Meter`."""
        with _answering():
            self.forget_place(name, place)
            await self._redis.zrem(_key(name), place)

    def forget_place(self, name: str, place: str) -> None:
        """Renews it no more, without asking Redis."""
        self._held[name].discard(place)
        if not self._held[name]:
            del self._held[name]

    async def renew(self) -> None:
        """Prolongs the leases of what is in progress here; to be called several times in each `lease_s`."""
        with _answering():
            for name, held in [(name, list(held)) for name, held in self._held.items()]:
                await self._renew(keys=[_key(name)], args=[self._lease_ms, *held])
                if ended := set(held) - self._held.get(name, set()):
                    # It ended while its lease was on the way.
                    await self._redis.zrem(_key(name), *ended)

    async def keep_renewing(self) -> None:
        """Renews until it is cancelled; a Redis that is down is somebody else's to tell."""
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            try:
                await self.renew()
            except MeterDown:
                continue


def _key(name: str) -> str:
    return f"{PREFIX}:places/{name}"
