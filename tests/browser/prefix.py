"""A reverse proxy that has the gateway under paths of its own, beside whatever else its host serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import web

_HOP_BY_HOP: Final = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


@asynccontextmanager
async def under(url: str, *prefixes: str) -> AsyncIterator[str]:
    """Gives the proxy's own address, without a prefix; each (`/pointsman`) is taken off what is passed on, and anything else is a 404."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def pass_on(request: web.Request) -> web.StreamResponse:
            path = request.raw_path.split("/", 2)[2]
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
            asked = session.request(request.method, f"{url}{path}", headers=headers, data=await request.read(), allow_redirects=False)
            async with asked as answer:
                passed = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                response = web.StreamResponse(status=answer.status, headers=passed)
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response

        app = web.Application()
        for prefix in prefixes:
            app.router.add_route("*", prefix + "/{path:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()
