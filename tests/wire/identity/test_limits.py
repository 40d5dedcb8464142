"""A key's limits on both protocols, in one process and over two gateways that share a Redis."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from gateway.service import Gateway
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.backend import ScriptedBackend, hanging, streaming
from tests.support.redis_server import RedisServer
from tests.wire.identity.asking import Answered, Grpc, Rest
from tests.wire.identity.conftest import Protocol, Serve, write_keys

KEY = "key-of-alice"
Limited = Callable[..., Awaitable[tuple[Gateway, Gateway]]]


@pytest.fixture
async def two_gateways(serve: Serve, keys_file: Path, redis: RedisServer) -> AsyncIterator[Limited]:
    """Two gateways with one Redis, and a key with limits."""
    async with AsyncExitStack() as stack:

        async def start(on_limiter_failure: str = "allow", **limits: int) -> tuple[Gateway, Gateway]:
            write_keys(keys_file, {"alice": {"keys": [KEY], **limits}})
            shared: dict[str, Any] = {"redis_url": redis.url, "on_limiter_failure": on_limiter_failure, "redis_timeout_s": 5}
            return await stack.enter_async_context(serve(**shared)), await stack.enter_async_context(serve(**shared))

        yield start


async def early_in_a_minute() -> None:
    """What counts in a process turns over with the clock's minute, and a request more may fit in at that moment."""
    while time.time() % 60 > 55:
        await asyncio.sleep(0.05)


def assert_limited(answered: Answered, limit: str) -> None:
    """429 or RESOURCE_EXHAUSTED with the sentence."""
    assert answered.reason == "rate_limited"
    assert re.fullmatch(rf"This key's limit of {limit} is reached; try again in \d+ s\.", answered.message)
    assert answered.status in ("429", "RESOURCE_EXHAUSTED")
    if answered.status == "429":
        assert 1 <= int(answered.told["retry-after"]) <= 120


async def test_requests_are_counted_once_for_both_gateways_and_protocols(two_gateways: Limited, backend: ScriptedBackend) -> None:
    """And every answer says what is left."""
    one, other = await two_gateways(requests_per_minute=3)
    answers = [await asks.ask(KEY) for asks in (Rest(one), Grpc(other), Grpc(one), Rest(other), Grpc(other))]
    assert [each.reason for each in answers[:3]] == ["", "", ""]
    for refused in answers[3:]:
        assert_limited(refused, "3 requests per minute")
    assert [each.told["x-ratelimit-remaining-requests"] for each in answers] == ["2", "1", "0", "0", "0"]
    assert {each.told["x-ratelimit-limit-requests"] for each in answers} == {"3"}
    assert all(each.told["x-ratelimit-reset-requests"].endswith("s") for each in answers)
    assert len(backend.received) == 3


async def test_tokens_are_counted_after_the_answer_for_both_gateways(two_gateways: Limited, protocol: Protocol) -> None:
    """Ten for each answer of this backend, by its usage; what calls no backend takes none."""
    one, other = await two_gateways(tokens_per_minute=15)
    assert (await protocol(one).ask(KEY)).told["x-ratelimit-remaining-tokens"] == "15"
    await _charged(other, "5")
    assert (await protocol(other).ask(KEY)).reason == ""
    await _charged(one, "0")
    assert_limited(await protocol(one).ask(KEY), "15 tokens per minute")


async def _charged(gateway: Gateway, remaining: str) -> None:
    """Until so much is left: an answer is charged a moment after its end."""
    async with httpx.AsyncClient(base_url=Rest(gateway).base_url, headers={"api-key": KEY}, trust_env=False) as client:
        while (await client.get("/v1/models")).headers["x-ratelimit-remaining-tokens"] != remaining:
            await asyncio.sleep(0.02)


async def test_requests_at_once_are_counted_for_both_gateways(two_gateways: Limited, protocol: Protocol, backend: ScriptedBackend) -> None:
    """A stream holds its place until it ends or its caller hangs up."""
    one, other = await two_gateways(concurrent_streams=1)
    echoing, backend.script = backend.script, streaming([b"data: {}\n\n"], then=hanging)
    body = {"model": "router-mf-1", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    async with (
        httpx.AsyncClient(base_url=Rest(one).base_url, timeout=20, trust_env=False) as client,
        client.stream("POST", "/v1/chat/completions", json=body, headers={"api-key": KEY}) as response,
    ):
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"data: {}\n\n"
        backend.script = echoing
        assert_limited(await protocol(other).ask(KEY), "1 requests in progress")
    while (await protocol(other).ask(KEY)).reason:
        await asyncio.sleep(0.05)


async def test_a_grpc_stream_that_is_cut_off_is_charged_and_gives_its_place_back(
    serve: Serve, keys_file: Path, backend: ScriptedBackend
) -> None:
    """By an estimate, since nobody has told its usage."""
    write_keys(keys_file, {"alice": {"keys": [KEY], "concurrent_streams": 1, "tokens_per_minute": 1_000_000}})
    async with serve() as gateway, grpc.aio.insecure_channel(Grpc(gateway).address) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        echoing, backend.script = backend.script, streaming([b"data: {}\n\n"], then=hanging)
        body = {"model": "router-mf-1", "stream": True, "messages": [{"role": "user", "content": "x" * 4000}]}
        request = route_service_pb2.StreamChatCompletionRequest(body=json.dumps(body).encode())
        call = stub.StreamChatCompletion(request, metadata=(("authorization", f"Bearer {KEY}"),))
        await call.read()
        call.cancel()
        backend.script = echoing
        while (answered := await Rest(gateway).ask(KEY)).reason:
            await asyncio.sleep(0.02)
        assert 1_000 <= 1_000_000 - int(answered.told["x-ratelimit-remaining-tokens"]) < 1_100


async def test_while_redis_is_gone_each_gateway_counts_by_itself(two_gateways: Limited, redis: RedisServer, protocol: Protocol) -> None:
    """No request fails over it, and once it is back it counts again."""
    await early_in_a_minute()
    one, other = await two_gateways(requests_per_minute=2)
    assert [(await protocol(each).ask(KEY)).reason for each in (one, other, one)] == ["", "", "rate_limited"]
    await redis.stop()
    assert [(await protocol(one).ask(KEY)).reason for _ in range(3)] == ["", "", "rate_limited"]
    assert [(await protocol(other).ask(KEY)).reason for _ in range(3)] == ["", "", "rate_limited"]
    await redis.start()
    while (await protocol(one).ask(KEY)).reason:
        await asyncio.sleep(0.05)
    while (await protocol(other).ask(KEY)).reason:
        await asyncio.sleep(0.05)
    assert (await protocol(one).ask(KEY)).reason == "rate_limited"


async def test_or_limited_keys_are_refused_meanwhile(
    two_gateways: Limited, keys_file: Path, redis: RedisServer, protocol: Protocol, capfd: Any
) -> None:
    """Where the settings say so; the log says once that it began and that it is over, without Redis's address."""
    one, _ = await two_gateways("refuse", requests_per_minute=100)
    await redis.stop()
    answers = [await protocol(one).ask(KEY) for _ in range(3)]
    assert {each.reason for each in answers} == {"unavailable"}
    assert {each.status for each in answers} <= {"503", "UNAVAILABLE"}
    await redis.start()
    while (await protocol(one).ask(KEY)).reason:
        await asyncio.sleep(0.05)
    said = "".join(capfd.readouterr())
    assert (said.count("limits can't be counted in Redis"), said.count("limits are counted in Redis again")) == (1, 1)
    assert str(redis.port) not in said


async def test_a_redis_that_says_nothing_isnt_waited_for(serve: Serve, keys_file: Path, redis: RedisServer, protocol: Protocol) -> None:
    """Each time for `redis_timeout_s` at most, and not at all once that is known."""
    write_keys(keys_file, {"alice": {"keys": [KEY], "requests_per_minute": 2, "tokens_per_minute": 100, "concurrent_streams": 1}})
    await early_in_a_minute()
    async with serve(redis_url=redis.url) as gateway:
        redis.pause()
        assert [(await protocol(gateway).ask(KEY)).reason for _ in range(3)] == ["", "", "rate_limited"]
