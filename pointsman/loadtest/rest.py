"""Chats over the OpenAI-compatible REST: whole, or streamed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from pointsman.loadtest.driving import Call

# Callers who wait longer than this are errors of the service's, not measurements.
_DONE = b"data: [DONE]"


@asynccontextmanager
async def chats(
    base_url: str, prompts: Iterator[str], *, model: str, stream: bool, headers: Mapping[str, str], timeout_s: float
) -> AsyncIterator[Call]:
    """Calls of POST `base_url`/chat/completions, over as many kept connections as they need at once."""
    extra = {"stream": True} if stream else {}
    url = f"{base_url.rstrip('/')}/chat/completions"
    sent = {"content-type": "application/json", **headers}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=timeout_s), headers=sent) as session:
        clock = asyncio.get_running_loop().time

        async def call() -> tuple[float, str]:
            body = json.dumps({"model": model, "messages": [{"role": "user", "content": next(prompts)}], **extra})
            first_byte, last = 0.0, b""
            try:
                async with session.post(url, data=body) as response:
                    async for piece in response.content.iter_any():
                        first_byte = first_byte or clock()
                        last = (last + piece)[-64:]
                    if response.status != 200:
                        when = " without Retry-After" if response.status in (429, 503) and "retry-after" not in response.headers else ""
                        return first_byte, f"HTTP {response.status}{when}"
            except (aiohttp.ClientError, TimeoutError) as error:
                return first_byte, type(error).__name__
            return first_byte, "" if not stream or _DONE in last else "cut stream"

        yield call
