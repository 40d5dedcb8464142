"""Connections that grow old and controllers that die, under calls that go on: none is lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import psutil

from gateway.service import serving
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc, routing_pb2
from tests.support.backend import echoing, hanging, scripted_backend, streaming
from tests.support.controllers import running_controller
from tests.support.gateways import gateway_before
from tests.support.processes import Service, controller_process
from tests.support.scorers import scripted_scorers

SPEC: Final = routing_pb2.RoutingSpec(model="router-mf-1")
STREAM: Final = b'{"model":"router-mf-1","messages":[{"role":"user","content":"hi"}],"stream":true}'


@dataclass
class Callers:
    """Who ask for decisions without a pause: how many came, and what was lost."""

    answered: int = 0
    lost: list[str] = field(default_factory=list)

    async def ask(self, stub: Any) -> None:
        """For ever."""
        while True:
            try:
                await stub.Route(route_service_pb2.RouteRequest(routing=SPEC, prompt="hi"))
                self.answered += 1
            except grpc.aio.AioRpcError as error:
                self.lost.append(f"{error.code().name}: {error.details()}")


@asynccontextmanager
async def asking(stub: Any, at_once: int) -> AsyncIterator[Callers]:
    """So many of them."""
    callers = Callers()
    tasks = [asyncio.create_task(callers.ask(stub)) for _ in range(at_once)]
    try:
        yield callers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def connected_to(port: int) -> set[int]:
    """The other ends of this process's connections to one of its own ports."""
    connections = psutil.Process().net_connections("tcp")
    return {each.laddr.port for each in connections if each.raddr and each.raddr.port == port and each.status == psutil.CONN_ESTABLISHED}


async def test_old_connections_are_left_for_new_ones_and_no_call_is_lost() -> None:
    """On both hops, under steady calls; a stream that is older than its connection goes on to its end."""
    async with (
        scripted_backend("weak", streaming([b"data: {}\n\n"], then=hanging)) as weak,
        scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers,
        running_controller({"strong": weak.settings, "weak": weak.settings}, scorers.address, own={"max_connection_age_s": 0.7}) as behind,
        serving(gateway_before(behind.address, max_connection_age_s=0.7)) as gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        hops = gateway.grpc_port, int(behind.address.rpartition(":")[2])
        seen: dict[int, set[int]] = {port: set() for port in hops}
        stream = stub.StreamChatCompletion(route_service_pb2.StreamChatCompletionRequest(body=STREAM))
        assert (await stream.read()).chunk.raw
        first = {port: connected_to(port) for port in hops}
        async with asking(stub, 8) as callers:
            while callers.answered < 100 or any(len(ports) < 3 for ports in seen.values()):
                for port in hops:
                    seen[port] |= connected_to(port)
                await asyncio.sleep(0.05)
        assert callers.lost == []
        assert all(connected_to(port) & first[port] for port in hops)
        assert not stream.done()
        stream.cancel()
        await weak.gone.wait()


async def test_two_controllers_share_the_calls_and_the_death_of_one_loses_no_decision(tmp_path: Path) -> None:
    """Killed while fifty callers wait: what it hadn't answered the other answers."""
    async with (
        scripted_backend("strong", echoing) as strong,
        scripted_backend("weak", echoing) as weak,
        scripted_scorers({"mf": lambda _: 0.4}) as scorers,
        controller_process(tmp_path, [strong, weak], scorers, "one", decision_cache=0) as (one, first),
        controller_process(tmp_path, [strong, weak], scorers, "two", decision_cache=0) as (two, second),
        serving(gateway_before(first, second)) as gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
        scorers.delay_s = 0.02  # so that calls are under way when it dies
        async with asking(stub, 50) as callers:
            while not (_decided(one) > 50 and _decided(two) > 50):
                await asyncio.sleep(0.05)
            one.process.send_signal(signal.SIGKILL)
            await one.process.wait()
            by_then, answered = _decided(two), callers.answered
            while callers.answered < answered + 300:
                await asyncio.sleep(0.05)
        assert callers.lost == []
        assert _decided(two) >= by_then + 300 - 50


def _decided(controller: Service) -> int:
    return controller.log.read_text().count('"event":"routed"')
