"""Several gateways of one machine on the same ports: connections are dealt out among them, and each has a port of its own."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import structlog

from gateway.service import Gateway, serving
from pointsman.runtime.errors import Unavailable
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc
from tests.support.livez import livez
from tests.support.product import free_ports
from tests.wire.gateway.conftest import settings_for
from tests.wire.gateway.scripted_controller import ScriptedController

_ASKED = "chat/completions|ListStrategies"
_BODY = {"model": "router-mf-0.5", "messages": [{"role": "user", "content": "x"}]}


@asynccontextmanager
async def _gateway(controller: ScriptedController, rest: int, grpc_port: int, **more: Any) -> AsyncIterator[Gateway]:
    base = settings_for(controller.port, shared_ports=True, own_port=0, **more)
    async with serving(base.model_copy(update={"rest_port": rest, "grpc_port": grpc_port})) as gateway:
        yield gateway


async def _answered(gateway: Gateway) -> dict[str, float]:
    """By protocol, as the gateway's own metrics have them."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.own_port}", trust_env=False) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    counted = [line for line in lines if line.startswith("pointsman_gateway_requests_total{") and re.search(_ASKED, line)]
    of = {protocol: [line for line in counted if f'protocol="{protocol}"' in line] for protocol in ("rest", "grpc")}
    return {protocol: sum(float(line.rpartition(" ")[2]) for line in lines) for protocol, lines in of.items()}


async def _connect_and_ask(rest: int, grpc_port: int, times: int) -> None:
    """Each time by new connections."""
    for number in range(times):
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            assert (await client.post(f"http://127.0.0.1:{rest}/v1/chat/completions", json=_BODY)).status_code == 200
        # Otherwise identical channels share one connection.
        options = [("grpc.use_local_subchannel_pool", 1), ("number", number)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}", options=options) as channel:
            stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
            await stub.ListStrategies(route_service_pb2.ListStrategiesRequest(), timeout=10, wait_for_ready=True)


async def test_connections_are_dealt_out_and_the_rest_go_on_when_one_stops(controller: ScriptedController) -> None:
    """On both protocols; whoever connects after the stop finds the one that is left."""
    rest, grpc_port = free_ports(2)
    async with _gateway(controller, rest, grpc_port) as stays:
        async with _gateway(controller, rest, grpc_port) as stops:
            await _connect_and_ask(rest, grpc_port, 40)
            first, second = await _answered(stays), await _answered(stops)
            assert first["rest"] + second["rest"] == first["grpc"] + second["grpc"] == 40
            # Of 40 by a fair coin none at all would be one in 10 to the 12.
            assert all(0 < each[protocol] < 40 for each in (first, second) for protocol in each)
        await _connect_and_ask(rest, grpc_port, 10)
        assert await _answered(stays) == {protocol: count + 10 for protocol, count in first.items()}


async def test_a_port_is_shared_with_those_alone_who_say_so(controller: ScriptedController) -> None:
    """Somebody else's port, or a second gateway by mistake, is found out as ever."""
    rest, grpc_port, other = free_ports(3)
    async with _gateway(controller, rest, grpc_port):
        for taken in ({"rest_port": rest, "grpc_port": other}, {"rest_port": other, "grpc_port": grpc_port}):
            with pytest.raises(Unavailable, match="another process"):
                async with serving(settings_for(controller.port).model_copy(update=taken)):
                    pass


async def test_the_own_port_asks_for_keys_as_the_shared_one_does(controller: ScriptedController, tmp_path: Path) -> None:
    """It is no way round."""
    (tmp_path / "keys.yaml").write_text("keys: []\n")
    rest, grpc_port = free_ports(2)
    with_keys = _gateway(controller, rest, grpc_port, keys_file=tmp_path / "keys.yaml")
    async with with_keys as gateway, httpx.AsyncClient(trust_env=False) as client:
        own = f"http://127.0.0.1:{gateway.own_port}"
        assert (await client.get(f"{own}/readyz")).json()["gateway"] == "ok"
        assert (await client.get(f"{own}/metrics")).status_code == 401
        assert (await client.post(f"{own}/v1/chat/completions", json=_BODY)).status_code == 401


async def test_who_connects_while_one_of_them_stops_is_answered(controller: ScriptedController) -> None:
    """By the one that stops, or by the other: the queue of those who wait is emptied before it is closed.

    One connection may be made between the last look and the close; without the emptying it is a queue full.
    """
    rest, grpc_port = free_ports(2)
    outcomes, stopped = Counter[str](), asyncio.Event()

    async def connect() -> None:
        while not stopped.is_set():
            outcomes[await livez(rest)] += 1

    async with _gateway(controller, rest, grpc_port):
        async with _gateway(controller, rest, grpc_port, drain_s=2):
            connecting = [asyncio.create_task(connect()) for _ in range(16)]
            await asyncio.sleep(0.3)
            before = outcomes["200"]
        stopped.set()
        await asyncio.gather(*connecting)
    assert outcomes["200"] > before > 0
    assert outcomes.total() - outcomes["200"] <= 1


@pytest.mark.parametrize(("redis", "warnings"), [(None, 1), ("redis://127.0.0.1:1", 0)], ids=["no Redis", "one Redis"])
async def test_gateways_that_each_allow_the_whole_limit_say_so(
    controller: ScriptedController, tmp_path: Path, redis: str | None, warnings: int
) -> None:
    """In the log, at the start; the keys file may get limits later on."""
    (tmp_path / "keys.yaml").write_text("keys: []\n")
    rest, grpc_port = free_ports(2)
    with structlog.testing.capture_logs() as logs:
        async with _gateway(controller, rest, grpc_port, keys_file=tmp_path / "keys.yaml", redis_url=redis):
            pass
    assert sum("gateway.redis_url names no Redis" in line["event"] for line in logs) == warnings
