"""`pointsman up --gateways 2 --controllers 2`: one product to its callers, with limits that are right across all of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from pointsman.v1 import route_service_pb2, route_service_pb2_grpc, routing_pb2
from tests.support.backend import echoing, scripted_backend
from tests.support.canary import KEY, PROMPT
from tests.support.product import Product, free_block, free_ports, running_product
from tests.support.redis_server import redis_server
from tests.support.unrefused import UNREFUSED
from tests.wire.cli.test_commands import pointsman_command
from tests.wire.identity.conftest import write_keys
from tests.wire.identity.test_limits import early_in_a_minute

LIMIT = 20
_BOT, _OPS = f"{KEY}-of-bot", f"{KEY}-of-ops"
_BODY = {"model": "router-random-0", "messages": [{"role": "user", "content": PROMPT}]}


@dataclass
class Scaled:
    """Two gateways and two controllers before one Ray, a Redis and a scripted backend."""

    product: Product
    folder: Path

    @property
    def own(self) -> list[str]:
        """The URL of each gateway alone."""
        rest = self.product.settings["gateway"]["rest_port"]
        return [f"http://127.0.0.1:{rest + 1 + number}" for number in range(2)]

    async def chat(self, base: str, key: str) -> int:
        """The status of a chat by a new connection."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            response = await client.post(f"{base}/v1/chat/completions", json=_BODY, headers={"authorization": f"Bearer {key}"})
            return response.status_code

    async def decided(self) -> list[int]:
        """By each controller, in its decision log."""
        files = [self.folder / name for name in ("decisions.jsonl", "decisions-2.jsonl")]
        return [len(file.read_text().splitlines()) if file.exists() else 0 for file in files]

    def pids(self, service: str) -> list[int]:
        """Of all processes of a service."""
        return self.product.pids(f"-m {service}")


@pytest.fixture(scope="module")
async def scaled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scaled]:
    """The product; random is its one strategy."""
    folder = tmp_path_factory.mktemp("scaled")
    write_keys(folder / "keys.yaml", {"bot": {"keys": [_BOT], "requests_per_minute": LIMIT}, "ops": {"keys": [_OPS], "admin": True}})
    first, serve = free_block(8), free_ports(2)
    async with redis_server(folder) as redis, scripted_backend("any", echoing) as backend:
        settings: dict[str, Any] = {
            "gateway": {
                "rest_port": first,  # and two more: each gateway's own
                "grpc_port": first + 3,
                "controllers": [f"127.0.0.1:{first + 4}"],
                "keys_file": str(folder / "keys.yaml"),
                "redis_url": redis.url,
                "redis_timeout_s": 5,
                "drain_s": 2,
                **UNREFUSED,
            },
            "controller": {
                "grpc_port": first + 4,
                "metrics_port": first + 5,
                "scorers": f"127.0.0.1:{serve[0]}",
                "decision_log": {"path": str(folder / "decisions.jsonl")},
                "drain_s": 2,
                **UNREFUSED,
            },
            "scorers": {"grpc_port": serve[0], "http_port": serve[1]},
            "strategies": {"random": {}},
            "backends": {name: {"base_url": backend.url, "model": name} for name in ("strong", "weak")},
        }
        with ExitStack() as stack:
            running = running_product(folder, "--gateways", "2", "--controllers", "2", **settings)
            product = await asyncio.to_thread(stack.enter_context, running)
            while "Ready after" not in product.output.read_text():
                await asyncio.sleep(0.1)
            yield Scaled(product, folder)
            assert await asyncio.to_thread(product.stop) == []


async def test_a_limit_is_one_limit_for_all_gateways_and_controllers_share_the_requests(scaled: Scaled) -> None:
    """To the request, whichever gateway they come through; each decision is in one controller's log."""
    await early_in_a_minute()
    bases = [*scaled.own, scaled.product.rest]
    statuses = Counter(await asyncio.gather(*(scaled.chat(bases[number % 3], _BOT) for number in range(2 * LIMIT))))
    assert statuses == {200: LIMIT, 429: LIMIT}
    assert [await scaled.chat(base, _BOT) for base in bases] == [429] * 3
    while sum(counts := await scaled.decided()) < LIMIT:
        await asyncio.sleep(0.05)
    assert sum(counts) == LIMIT
    assert all(counts)


async def test_a_pin_reaches_every_controller_and_statistics_are_their_sum(scaled: Scaled) -> None:
    """By a settings file that names the first alone."""
    at = ("--settings", str(scaled.folder / "settings.yaml"))
    before = sum(await scaled.decided())
    assert "(on 2 controllers)" in (await pointsman_command("pin", "default", "weak", *at)).out
    assert {decision.tier for decision in await _decisions(scaled, 10)} == {routing_pb2.TIER_WEAK}
    await pointsman_command("pin", "default", "release", *at)
    rows = json.loads((await pointsman_command("stats", "--json", *at)).out)["rows"]
    assert sum(int(row["requests"]) for row in rows) == before + 10


async def test_a_controller_that_is_killed_costs_no_decision_and_comes_back(scaled: Scaled) -> None:
    """And so does a gateway, whose callers find the other one as they connect anew."""
    killed = scaled.pids("controller")[1]
    asking = asyncio.create_task(_decisions(scaled, 300))
    await asyncio.sleep(0.1)
    os.kill(killed, signal.SIGKILL)
    assert len(await asking) == 300
    await _two_again(scaled, "controller", killed)
    killed = scaled.pids("gateway")[0]
    os.kill(killed, signal.SIGKILL)
    while psutil.pid_exists(killed):
        await asyncio.sleep(0.01)
    assert [await scaled.chat(scaled.product.rest, _OPS) for _ in range(10)] == [200] * 10
    await _two_again(scaled, "gateway", killed)
    for base in scaled.own:
        assert await scaled.chat(base, _OPS) == 200


async def _decisions(scaled: Scaled, times: int) -> list[routing_pb2.Decision]:
    """One after the other, over one connection."""
    request = route_service_pb2.RouteRequest(prompt=PROMPT, routing=routing_pb2.RoutingSpec(model="router-random-0"))
    async with grpc.aio.insecure_channel(scaled.product.grpc) as channel:
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        metadata = (("authorization", f"Bearer {_OPS}"),)
        return [(await stub.Route(request, metadata=metadata, timeout=20)).receipt.decision for _ in range(times)]


async def _two_again(scaled: Scaled, service: str, killed: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            pids = scaled.pids(service)
            if len(pids) == 2 and killed not in pids and all([await _answers(client, url) for url in _probes(scaled)]):
                return
            await asyncio.sleep(0.1)


def _probes(scaled: Scaled) -> list[str]:
    metrics = scaled.product.settings["controller"]["metrics_port"]
    return [*(f"{base}/readyz" for base in scaled.own), *(f"http://127.0.0.1:{metrics + 2 * number}/metrics" for number in range(2))]


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx.HTTPError:
        return False
