"""What `pointsman up`, doctor and images' health checks say of an HTTP service that isn't ready."""

from __future__ import annotations

import asyncio
import json

import pytest

from pointsman.runtime.probes import http_ready

_STATES = {"mf": "not deployed", "bert": "ready", "sw_ranking": "not deployed"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"ready": False, "gateway": "ok", "controller": "ok", "strategies": _STATES}, "mf, sw_ranking: not deployed"),
        ({"ready": False, "gateway": "ok", "controller": "unreachable: nobody", "strategies": {}}, "controller unreachable: nobody"),
        ({"ready": False, "gateway": "stopping", "controller": "ok", "strategies": {}}, '{"ready": false, "gateway": "stopping", '),
        ({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, "Loading model"),
        ("not\n  JSON", '"not\\n JSON"'),
        ("", '""'),
    ],
)
async def test_what_is_missing_is_said_in_words(body: object, said: str) -> None:
    """Where the body is known to have them; any other is shown as it came, on one line."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 503 Service Unavailable\r\n\r\n" + json.dumps(body).encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        missing = await http_ready("127.0.0.1", server.sockets[0].getsockname()[1], "/readyz")()
    assert missing is not None
    assert missing.startswith(said)
