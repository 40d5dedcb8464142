"""Whether the Redis that counts limits answers, by its own protocol: AUTH and PING."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from pointsman.cli.doctor.finding import Finding, ok, problem
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError, read_secret

_TIMEOUT_S: Final = 3.0
_PORT: Final = 6379
_ADVICE: Final = "start it, or correct gateway.redis_url; until then gateways do as gateway.on_limiter_failure says"


async def redis(settings: Settings) -> list[Finding]:
    """Nothing where the settings name none. The URL, which may hold a password, isn't told: only host and port."""
    own = settings.gateway
    try:
        named = own.redis_url or read_secret(own.redis_url_env, own.redis_url_file)
    except SettingsError as error:
        return [problem("redis", str(error), "set it for the gateway")]
    if not named:
        return []
    try:
        url = urlsplit(named)
        at = f"{url.hostname}:{url.port or _PORT}"
    except ValueError:
        return [problem("redis", "what gateway.redis_url_env or redis_url_file holds isn't a URL of Redis", "redis://host:6379/0")]
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            refused = await _asked(url)
    except TimeoutError:
        return [problem("redis", f"{at} doesn't answer in {_TIMEOUT_S:g} s", _ADVICE)]
    except OSError as error:
        said = os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
        return [problem("redis", f"{at} can't be reached: {said}", _ADVICE)]
    if refused:
        return [problem("redis", f"{at} refuses: {refused}", "correct user and password in the URL")]
    return [ok("redis", f"{at} answers")]


async def _asked(url: SplitResult) -> str:
    """The first word of its refusal; empty where it answers. Raises `OSError`."""
    tls = ssl.create_default_context() if url.scheme == "rediss" else None
    reader, writer = await asyncio.open_connection(url.hostname, url.port or _PORT, ssl=tls)
    try:
        if url.password:
            user = [unquote(url.username)] if url.username else []
            if (answer := await _answer(reader, writer, "AUTH", *user, unquote(url.password))) != "+OK":
                return answer.partition(" ")[0]
        answer = await _answer(reader, writer, "PING")
        return "" if answer == "+PONG" else answer.partition(" ")[0] or "no answer"
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *words: str) -> str:
    encoded = [word.encode() for word in words]
    writer.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    await writer.drain()
    return (await reader.readline()).decode(errors="replace").strip()
