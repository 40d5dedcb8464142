"""A backend that is well until it is told otherwise: `python -m tests.support.faults.backend PORT CONTROL_PORT`.

POST {"fault": NAME} to the control port: none, refusing, slow, resetting, limited, failing or hanging. Every answer has an id of its
own in each of its pieces. A body's own `pieces`, `pad` and `pause_s` make longer answers.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.faults.outcomes import pieces_of

PIECES, PAUSE_S = 9, 0.1
SLOW_S = 4.0
"""The first byte of a slow backend, later than its `first_byte_timeout_s`."""


@dataclass
class FaultyBackend:
    """Answers on one port, unless it refuses; is told what to do on another."""

    port: int
    fault: str = "none"
    site: web.TCPSite | None = None
    runner: web.AppRunner | None = None
    asked: int = 0
    hung_up_on: int = 0
    open: dict[int, web.Request] = field(default_factory=dict)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        body = await request.json()
        self.asked += 1
        self.open[id(request)] = request
        try:
            return await self._failing(request, body)
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up_on += 1
            raise
        finally:
            del self.open[id(request)]

    async def _failing(self, request: web.Request, body: Any) -> web.StreamResponse:
        match self.fault:
            case "hanging":
                await asyncio.Event().wait()
            case "slow":
                await asyncio.sleep(SLOW_S)
            case "limited":
                return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "1"})
            case "failing" if random.random() < 0.3:
                return web.json_response({"error": {"message": "broken"}}, status=500)
        return await (_streamed if body.get("stream") else _whole)(request, body, cut=self.fault == "resetting")

    async def told(self, request: web.Request) -> web.Response:
        """What fails from now on."""
        self.fault = (await request.json())["fault"]
        if self.fault == "refusing" and self.site:
            await self.site.stop()
            self.site = None
            for each in list(self.open.values()):
                if each.transport:
                    each.transport.abort()
            if self.runner and self.runner.server:
                await self.runner.server.shutdown(0.1)  # idle connections too: nothing is left to talk to
        elif self.fault != "refusing" and not self.site:
            await self.listen()
        return web.json_response({})

    async def state(self, _: web.Request) -> web.Response:
        """How many have asked, are answered now, and hung up."""
        return web.json_response({"asked": self.asked, "open": len(self.open), "hung_up_on": self.hung_up_on})

    async def listen(self) -> None:
        """On its port."""
        assert self.runner
        self.site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await self.site.start()


async def _whole(request: web.Request, body: Any, *, cut: bool) -> web.StreamResponse:
    await asyncio.sleep(_number(body, "pause_s", PAUSE_S) * PIECES)
    message = {"role": "assistant", "content": "".join(_pieces(body))}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {**_head(body, "chat.completion"), "choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": PIECES}}
    content = json.dumps(answer).encode()
    if not cut:
        return web.Response(body=content, content_type="application/json")
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": str(len(content))})
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    return await _reset(request, response)


async def _streamed(request: web.Request, body: Any, *, cut: bool) -> web.StreamResponse:
    pause_s, base = _number(body, "pause_s", PAUSE_S), _head(body, "chat.completion.chunk")
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for number, piece in enumerate(_pieces(body)):
        if cut and number == PIECES // 2:
            return await _reset(request, response)
        await response.write(_event({**base, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}))
        if pause_s:
            await asyncio.sleep(pause_s)
    await response.write(_event({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _reset(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await asyncio.sleep(0.02)  # what was written goes out first
    if request.transport:
        request.transport.abort()
    return response


def _pieces(body: Any) -> list[str]:
    asked = body["messages"][-1]["content"]
    return pieces_of(uuid.uuid4().hex, asked, int(_number(body, "pieces", PIECES)), int(_number(body, "pad", 0)))


def _number(body: Any, name: str, default: float) -> float:
    return float(body.get(name, default))


def _head(body: Any, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


async def serve(port: int, control_port: int) -> None:
    """Until the process ends."""
    backend = FaultyBackend(port)
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/chat/completions", backend.chat)
    backend.runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await backend.runner.setup()
    control = web.Application()
    control.router.add_post("/", backend.told)
    control.router.add_get("/", backend.state)
    controls = web.AppRunner(control, access_log=None)
    await controls.setup()
    await backend.listen()
    await web.TCPSite(controls, "127.0.0.1", control_port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
