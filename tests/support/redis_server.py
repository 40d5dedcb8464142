"""A real Redis on a port of its own, which can be stopped and started again."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.support.product import free_ports


@dataclass
class RedisServer:
    """Keeps nothing on disk: what is started again is empty."""

    port: int
    folder: Path
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Until it answers."""
        nothing_kept = ("--save", "", "--appendonly", "no", "--dir", str(self.folder))
        command = ("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", *nothing_kept)
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
        async with asyncio.timeout(20), Redis.from_url(self.url) as client:
            while not await _answers(client):
                await asyncio.sleep(0.02)

    def pause(self) -> None:
        """Connected and silent, until it is stopped."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    async def stop(self) -> None:
        """At once, as a machine that is gone."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


async def _answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False


@asynccontextmanager
async def redis_server(folder: Path) -> AsyncIterator[RedisServer]:
    """One that runs; the test is skipped where Redis isn't installed."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server isn't installed (make debian)")
    server = RedisServer(free_ports(1)[0], folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
