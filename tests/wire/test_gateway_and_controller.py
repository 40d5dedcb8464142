"""The gateway before a real controller: what neither can show alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import openai
import pytest

from gateway.service import serving
from tests.support.backend import ScriptedBackend, answering, echoing, hanging, scripted_backend, streaming
from tests.support.canary import PROMPT
from tests.support.controllers import running_controller
from tests.support.gateways import gateway_before
from tests.support.product import free_ports
from tests.support.scorers import scripted_scorers

_PAIRS = {"default": {"strong": "strong", "weak": "weak", "fallback": "none"}}


@pytest.fixture
async def weak() -> AsyncIterator[ScriptedBackend]:
    """The weak backend."""
    async with scripted_backend("weak", echoing) as backend:
        yield backend


@pytest.fixture
async def rest(weak: ScriptedBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway, a controller and a scripted mf that says 0.4, with the weak backend as both."""
    async with (
        scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers,
        running_controller({"strong": weak.settings, "weak": weak.settings}, scorers.address, pairs=_PAIRS) as controller,
        serving(gateway_before(controller.address, drain_s=1)) as gateway,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=20) as client,
    ):
        yield client


def _body(**fields: object) -> bytes:
    return json.dumps({"model": "router-mf-1", "messages": [{"role": "user", "content": PROMPT}], **fields}).encode()


async def test_bytes_arrive_as_they_were_sent_both_ways(rest: httpx.AsyncClient, weak: ScriptedBackend) -> None:
    """Only the value of `model` differs."""
    answer = b'{ "id":"x", "choices":[ ],"n": 1.0,"u":"\\u4f60" }\n'
    weak.script = answering(200, answer)
    body = b'{"model":"router-mf-1" ,"messages":[{"role":"user","content":"\xe4\xbd\xa0"}],"seed":9007199254740993}'
    response = await rest.post("/v1/chat/completions", content=body)
    assert response.content == answer
    assert weak.received[0].body == body.replace(b"router-mf-1", b"weak-model")


async def test_a_failed_backend_is_called_once(rest: httpx.AsyncClient, weak: ScriptedBackend) -> None:
    """The channel's retries are for a controller that isn't there; one that reports a failure has tried enough, and says what it
    had decided."""
    weak.script = answering(500, b"no")
    response = await rest.post("/v1/chat/completions", content=_body())
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "backend_failed"
    assert len(weak.received) == 1
    assert response.headers["x-pointsman-tier"] == "weak"
    assert response.headers["x-pointsman-reason"] == "comparison"


async def test_a_rest_client_who_goes_away_hangs_up_on_the_backend(rest: httpx.AsyncClient, weak: ScriptedBackend) -> None:
    """Through both services, mid-stream."""
    weak.script = streaming([b"data: {}\n\n"], then=hanging)
    async with rest.stream("POST", "/v1/chat/completions", content=_body(stream=True)) as response:
        assert await anext(response.aiter_raw()) == b"data: {}\n\n"
    await weak.gone.wait()


async def test_a_rest_client_who_goes_away_before_the_first_byte_does_too(rest: httpx.AsyncClient, weak: ScriptedBackend) -> None:
    """While the backend is still thinking."""
    weak.script = hanging
    with pytest.raises(httpx.ReadTimeout):
        await rest.post("/v1/chat/completions", content=_body(), timeout=0.5)
    await weak.gone.wait()


async def test_the_callers_timeout_is_the_one_deadline(rest: httpx.AsyncClient, weak: ScriptedBackend) -> None:
    """`x-request-timeout` ends the backend's call too, as a 504 in shape."""
    weak.script = hanging
    response = await rest.post("/v1/chat/completions", content=_body(), headers={"x-request-timeout": "0.5"})
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "deadline_exceeded"
    await weak.gone.wait()


async def test_a_stream_that_pauses_is_kept_alive_and_one_that_hangs_still_ends(weak: ScriptedBackend) -> None:
    """Comments are nothing to the official client; the backend's idle limit ends the stream with a typed error."""
    chunk = b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    weak.script = streaming([chunk, chunk], pause_s=0.3, then=hanging)
    idle = weak.settings.model_copy(update={"idle_timeout_s": 1.5})
    async with (
        scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers,
        running_controller({"strong": idle, "weak": idle}, scorers.address, pairs=_PAIRS) as controller,
        serving(gateway_before(controller.address, heartbeat_s=0.05)) as gateway,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=20) as rest,
        openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{gateway.rest_port}/v1", api_key="any", max_retries=0) as client,
    ):
        posting = asyncio.create_task(rest.post("/v1/chat/completions", content=_body(stream=True)))
        stream = await client.chat.completions.create(model="router-mf-1", messages=[{"role": "user", "content": "x"}], stream=True)
        got: list[str | None] = []

        async def read() -> None:
            async for piece in stream:
                got.append(piece.choices[0].delta.content)

        with pytest.raises(openai.APIError, match=r"sent nothing for 1\.5 s"):
            await read()
        raw = (await posting).content
    assert got == ["a", "a"]
    heartbeat = b": keep-alive\n\n"
    assert raw.startswith(chunk + heartbeat)
    events = raw.replace(heartbeat, b"").split(b"\n\n")
    assert events[:2] == [chunk.strip()] * 2
    assert b'"code": "backend_timeout"' in events[2]


async def test_what_waited_for_a_controller_that_was_away_is_no_overload(weak: ScriptedBackend) -> None:
    """It waited in the gateway, which tried again until a controller was there, and not behind others."""
    weak.script = answering(200, b"{}")
    (port,) = free_ports(1)
    async with (
        scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers,
        serving(gateway_before(f"127.0.0.1:{port}", drain_s=1)) as gateway,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=20) as rest,
    ):
        asked = asyncio.create_task(rest.post("/v1/chat/completions", content=_body()))
        await asyncio.sleep(0.6)
        own = {"grpc_port": port, "max_lag_s": 0.25}
        backends = {"strong": weak.settings, "weak": weak.settings}
        async with running_controller(backends, scorers.address, ready=False, own=own, pairs=_PAIRS):
            assert (await asked).status_code == 200
