"""Calls of RouteService: decisions, chats, and streamed chats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from pointsman.client import AsyncClient, RouteError
from pointsman.client.failures import from_status
from pointsman.loadtest.driving import Call


@asynccontextmanager
async def calls(client: AsyncClient, prompts: Iterator[str], *, kind: str, model: str, timeout_s: float) -> AsyncIterator[Call]:
    """Calls of one kind: `route`, `chat` or `stream`, on one channel."""
    clock = asyncio.get_running_loop().time

    async def route() -> float:
        await client.route(next(prompts), model=model, timeout=timeout_s)
        return clock()

    async def chat() -> float:
        await client.chat([{"role": "user", "content": next(prompts)}], model=model, timeout=timeout_s)
        return clock()

    async def stream() -> float:
        first = 0.0
        async with client.stream_chat([{"role": "user", "content": next(prompts)}], model=model, timeout=timeout_s) as answer:
            async for event in answer:
                first = first or clock()
                if event.HasField("error"):
                    raise from_status(event.error)
        return first

    chosen = {"route": route, "chat": chat, "stream": stream}[kind]

    async def call() -> tuple[float, str]:
        try:
            return await chosen(), ""
        except RouteError as error:
            return 0.0, error.reason

    async with client:
        yield call
