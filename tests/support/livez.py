"""What a gateway's /livez answers to whoever connects anew."""

from __future__ import annotations

import asyncio


async def livez(port: int) -> str:
    """The status, or how there was none, by a new connection."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
    except OSError as error:
        return type(error).__name__
    return answer.decode().partition(" ")[2][:3] or "closed without an answer"
