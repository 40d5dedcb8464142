"""Mixed load: whole answers, streams, callers who leave, requests that fail, over REST and gRPC."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp

from benchmarks.proxies.backend import FAILS
from pointsman.client import AsyncClient
from pointsman.loadtest import rpc
from pointsman.loadtest.driving import Call
from pointsman.loadtest.rest import chats

_MODEL: Final = "router-random-0.5"
SHARES: Final = {
    "json": 30,
    "sse": 20,
    "route": 10,
    "chat": 10,
    "stream": 10,
    "left early": 8,
    "left a stream": 7,
    "wrong model": 2,
    "backend failed": 3,
}
"""Of a hundred requests."""


@asynccontextmanager
async def mixture(rest: str, grpc: str, prompts: Iterator[str], asked: Counter[str]) -> AsyncIterator[Call]:
    """A call of one kind or another; `asked` counts them. What it says went wrong is what shouldn't have."""
    async with AsyncExitStack() as stack:
        calls: dict[str, Call] = {
            kind: await stack.enter_async_context(
                chats(rest, prompts, model=_MODEL, stream=kind == "sse", headers={}, timeout_s=60)
            )
            for kind in ("json", "sse")
        }  # fmt: skip
        for kind in ("route", "chat", "stream"):
            client = AsyncClient(grpc)
            calls[kind] = await stack.enter_async_context(rpc.calls(client, prompts, kind=kind, model=_MODEL, timeout_s=60))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        own = _Own(session, f"{rest}/chat/completions", prompts)
        calls |= {
            "left early": own.left_early,
            "left a stream": own.left_a_stream,
            "wrong model": lambda: own.refused({"model": "router-mf-2"}, 400),
            "backend failed": lambda: own.refused({"user": FAILS}, 502),
        }
        draw, kinds, weights = random.Random(0), list(SHARES), list(SHARES.values())

        async def call() -> tuple[float, str]:
            kind = draw.choices(kinds, weights)[0]
            asked[kind] += 1
            first, error = await calls[kind]()
            return first, f"{kind}: {error}" if error else ""

        yield call


class _Own:
    """Requests that don't come to a good end, on purpose."""

    def __init__(self, session: aiohttp.ClientSession, url: str, prompts: Iterator[str]) -> None:
        self._session = session
        self._url = url
        self._prompts = prompts

    def _post(self, **more: Any) -> Any:
        body = {"model": _MODEL, "messages": [{"role": "user", "content": next(self._prompts)}], **more}
        return self._session.post(self._url, data=json.dumps(body), headers={"content-type": "application/json"})

    async def left_early(self) -> tuple[float, str]:
        """Hangs up before the answer."""
        try:
            async with asyncio.timeout(0.01), self._post() as response:
                await response.read()
        except TimeoutError:
            pass
        except aiohttp.ClientError as error:
            return 0.0, type(error).__name__
        return 0.0, ""

    async def left_a_stream(self) -> tuple[float, str]:
        """Hangs up in the middle."""
        try:
            async with self._post(stream=True) as response:
                await response.content.readany()
                response.close()
                return 0.0, "" if response.status == 200 else f"HTTP {response.status}"
        except aiohttp.ClientError as error:
            return 0.0, type(error).__name__

    async def refused(self, more: dict[str, str], status: int) -> tuple[float, str]:
        """Is answered with an error."""
        try:
            async with self._post(**more) as response:
                await response.read()
                return 0.0, "" if response.status == status else f"HTTP {response.status}"
        except aiohttp.ClientError as error:
            return 0.0, type(error).__name__
