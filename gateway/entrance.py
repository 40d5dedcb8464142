"""Builds what stands at the entrance of both protocols, identity and limits, from the gateway's settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from gateway.identity.door import Door
from gateway.identity.guard import Guard
from gateway.identity.key_book import KeyBook
from gateway.limiting.admission import Admission
from gateway.limiting.limiter import Limiter
from gateway.limiting.meter import MemoryMeter
from gateway.limiting.metrics import LimiterMetrics
from gateway.limiting.redis_meter import RedisMeter
from gateway.observer import Observer
from pointsman.runtime.addresses import is_loopback
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.reloading import Change
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError, read_secret

log = structlog.get_logger()
Reload = Callable[[Settings], Awaitable[Change]]


@dataclass(frozen=True, slots=True)
class Entrance:
    """Lives as long as the gateway."""

    guard: Guard
    door: Door
    admission: Admission
    book: KeyBook | None
    tasks: tuple[asyncio.Task[None], ...]

    def reloading(self, reload: Reload) -> Reload:
        """`reload`, with the keys file looked at too: SIGHUP has it read at once."""

        async def both(settings: Settings) -> Change:
            if self.book:
                await asyncio.to_thread(self.book.look)
            return await reload(settings)

        return both


@asynccontextmanager
async def entrance_of(settings: GatewaySettings, observer: Observer, open_paths: Set[str]) -> AsyncIterator[Entrance]:
    """The entrance; of REST `open_paths` are apart from it. It follows the keys file inside the context.

    Raises `SettingsError` for a file or a URL that can't be used.
    """
    book = KeyBook(settings.keys_file) if settings.keys_file else None
    if book is None and not is_loopback(settings.host):
        log.warning("anybody who reaches the gateway may call it: gateway.keys_file names no file of keys", host=settings.host)
    if book and settings.shared_ports and not any((settings.redis_url, settings.redis_url_env, settings.redis_url_file)):
        log.warning("gateways that share ports count limits each by itself, whole: gateway.redis_url names no Redis")
    guard = Guard(book)
    async with AsyncExitStack() as stack:
        shared = _redis(settings)
        metrics = LimiterMetrics(observer.registry, observer.callers)
        limiter = Limiter(shared, MemoryMeter(), metrics, on_failure=settings.on_limiter_failure, wait_s=settings.redis_timeout_s)
        if shared:
            stack.push_async_callback(shared.close)
        stack.push_async_callback(limiter.close)
        loop = asyncio.get_running_loop()
        works = [*([book.follow()] if book else []), *([shared.keep_renewing()] if shared else [])]
        tasks = tuple(loop.create_task(work) for work in works)
        try:
            yield Entrance(guard, Door(guard, open_metrics=settings.open_metrics, open_paths=open_paths), Admission(limiter), book, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _redis(settings: GatewaySettings) -> RedisMeter | None:
    url = settings.redis_url or read_secret(settings.redis_url_env, settings.redis_url_file, "gateway.redis_url")
    if not url:
        return None
    try:
        return RedisMeter(url, wait_s=settings.redis_timeout_s)
    except ValueError:
        # Without the library's own words, which may quote the URL and so a password.
        raise SettingsError("gateway.redis_url: not a URL of Redis; it reads redis://host:6379/0") from None
