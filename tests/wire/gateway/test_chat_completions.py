"""POST /v1/chat/completions: what goes to the controller and what comes back."""

from __future__ import annotations

import asyncio
import json

import httpx
import openai
import pytest

from gateway.service import Gateway
from tests.wire.gateway.scripted_controller import SSE, STREAMING, ScriptedController, sends

PATH = "/v1/chat/completions"
BODY = '{"model": "router-mf-0.5", "messages": [{"role": "user", "content": "你好, canary"}], "seed": 12345678901234567890}'.encode()
EVENTS = [
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"delta":{"content":"\xe4\xbd\xa0"}}]}\n\n',
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"delta":{"content":"!"}}]}\n\n',
    b"data: [DONE]\n\n",
]
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "big-model",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}


async def test_the_body_reaches_the_controller_byte_for_byte(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """Number formats, spaces and UTF-8 stay as the caller wrote them."""
    await rest.post(PATH, content=BODY)
    assert controller.requests[0].body == BODY
    assert controller.requests[0].endpoint == "chat/completions"


async def test_a_whole_answer_comes_with_its_status_length_and_decision(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """Status and headers are the backend's, and the decision stands beside them."""
    body = b'{"answer":  1}'
    headers = {"content-type": "application/json", "content-length": str(len(body)), "x-backend": "b", "connection": "close"}
    controller.relay = sends([body[:4], body[4:]], status=201, headers=headers)
    answer = await rest.post(PATH, content=BODY)
    assert (answer.status_code, answer.content) == (201, body)
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["x-backend"] == "b"
    assert "connection" not in answer.headers
    assert {name: answer.headers[f"x-pointsman-{name}"] for name in ("strategy", "tier", "model", "reason", "threshold")} == {
        "strategy": "mf",
        "tier": "strong",
        "model": "big-model",
        "reason": "comparison",
        "threshold": "0.5",
    }
    assert answer.headers["x-pointsman-strong-win-rate"] == "0.75"


async def test_a_backends_own_error_passes_unchanged(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """A 422 of the backend keeps its status and body."""
    controller.relay = sends([b'{"detail": "no"}'], status=422)
    answer = await rest.post(PATH, content=BODY)
    assert (answer.status_code, answer.content) == (422, b'{"detail": "no"}')


async def test_a_stream_comes_byte_for_byte(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """Wherever the backend cut it, also within a character; with the headers that keep proxies from holding it back."""
    pieces = [b"data: \xe4", b"\xbd\xa0\n", b"\ndata: x\r\n\r\n", *EVENTS]
    controller.relay = sends(pieces, headers={**SSE, "content-length": "3"})
    async with rest.stream("POST", PATH, content=STREAMING) as answer:
        got = [piece async for piece in answer.aiter_raw()]
    assert b"".join(got) == b"".join(pieces)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-length" not in answer.headers


async def test_each_piece_is_a_chunk_of_its_own(gateway: Gateway, controller: ScriptedController) -> None:
    """Nothing waits for what comes after it: HTTP's chunks are the backend's pieces, one for one."""
    pieces = [b"data: \xe4", b"\xbd\xa0\n", b"\n", *EVENTS]
    controller.relay = sends(pieces, headers=SSE)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.rest_port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(STREAMING)}\r\n\r\n".encode() + STREAMING)
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.read() == b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    writer.close()


async def test_the_official_client_reads_a_stream_and_a_whole_answer(gateway: Gateway, controller: ScriptedController) -> None:
    """RouteLLM's documented example, with the base URL and any key."""
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{gateway.rest_port}/v1", api_key="canary-key") as client:
        controller.relay = sends([json.dumps(ANSWER).encode()])
        whole = await client.chat.completions.create(model="router-mf-0.1", messages=[{"role": "user", "content": "你好"}])
        assert whole.choices[0].message.content == "hi"
        controller.relay = sends(EVENTS, headers=SSE)
        stream = await client.chat.completions.create(model="router-mf-0.1", messages=[{"role": "user", "content": "x"}], stream=True)
        text = [chunk.choices[0].delta.content async for chunk in stream]
    assert text == ["你", "!"]


async def test_keys_cookies_and_routing_headers_stay_at_the_edge(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """What goes on is named by an allow rule, in lower case."""
    said = {
        "Authorization": "Bearer canary",
        "Api-Key": "canary",
        "Cookie": "canary",
        "OpenAI-Organization": "canary",
        "X-Pointsman-Pair": "cheap",
        "OpenAI-Beta": "assistants=v2",
        "Content-Type": "application/json",
        "User-Agent": "me/1",
        "Traceparent": "00-aa-bb-01",
    }
    await rest.post(PATH, content=BODY, headers=said)
    forwarded = {header.name: header.value for header in controller.requests[0].headers}
    assert forwarded == {
        "accept": "*/*",
        "openai-beta": "assistants=v2",
        "content-type": "application/json",
        "user-agent": "me/1",
        "traceparent": "00-aa-bb-01",
    }
    assert controller.requests[0].routing.pair == "cheap"
    assert controller.metadata[0]["traceparent"] == "00-aa-bb-01"


async def test_the_callers_request_id_goes_all_the_way(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """To the controller as metadata and back as a header."""
    answer = await rest.post(PATH, content=BODY, headers={"x-request-id": "my-id_1.2"})
    assert answer.headers["x-pointsman-request-id"] == "my-id_1.2"
    assert controller.metadata[0]["x-pointsman-request-id"] == "my-id_1.2"


@pytest.mark.parametrize("said", ["", "with space", "ü", "x" * 129])
async def test_a_request_id_that_isnt_one_is_replaced(rest: httpx.AsyncClient, controller: ScriptedController, said: str) -> None:
    """A new one is made, and it too goes both ways."""
    answer = await rest.post(PATH, content=BODY, headers=[(b"x-request-id", said.encode("latin-1"))])
    made = answer.headers["x-pointsman-request-id"]
    assert len(made) == 32
    assert controller.metadata[0]["x-pointsman-request-id"] == made


async def test_the_timeout_header_is_the_deadline_of_the_call(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """With the header it holds, without it the settings'."""
    await rest.post(PATH, content=BODY, headers={"x-request-timeout": "7.5"})
    await rest.post(PATH, content=BODY)
    assert 0 < controller.time_remaining[0] < 8
    assert 8 < controller.time_remaining[1] < 31


async def test_a_receipt_that_was_asked_for_stands_in_a_header_of_a_whole_answer(
    rest: httpx.AsyncClient, controller: ScriptedController
) -> None:
    """As one line of ASCII JSON."""
    answer = await rest.post(PATH, content=BODY, headers={"x-pointsman-receipt": "true"})
    receipt = json.loads(answer.headers["x-pointsman-receipt"])
    assert receipt["decision"]["model"] == "big-model"
    assert receipt["version"] == "1.2.3 ü"
    assert answer.json() == {"ok": True}


async def test_a_receipt_that_was_asked_for_is_a_comment_at_the_end_of_a_stream(
    rest: httpx.AsyncClient, controller: ScriptedController
) -> None:
    """After the backend's last byte; a comment is nothing to an event reader."""
    controller.relay = sends(EVENTS, headers=SSE)
    answer = await rest.post(PATH, content=STREAMING, headers={"x-pointsman-receipt": "true"})
    events, _, receipt = answer.content.partition(b": pointsman-receipt ")
    assert events == b"".join(EVENTS)
    assert json.loads(receipt)["request_id"] == "from-controller"


async def test_nothing_is_added_where_no_receipt_was_asked_for(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """The backend's bytes and no others."""
    controller.relay = sends(EVENTS, headers=SSE)
    answer = await rest.post(PATH, content=STREAMING)
    assert answer.content == b"".join(EVENTS)
    assert "x-pointsman-receipt" not in answer.headers
