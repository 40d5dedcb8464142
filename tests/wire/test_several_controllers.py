"""Several controllers behind one gateway, and an operator who means all of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.service import Gateway, serving
from pointsman.runtime.each_controller import each_controller
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, route_service_pb2, route_service_pb2_grpc, routing_pb2
from tests.support.backend import echoing, scripted_backend
from tests.support.canary import KEY, PROMPT
from tests.support.controllers import RunningController, running_controller
from tests.support.gateways import gateway_before
from tests.support.product import free_ports
from tests.support.scorers import scripted_scorers
from tests.wire.cli.test_commands import pointsman_command
from tests.wire.identity.conftest import write_keys

WEAK, NONE = routing_pb2.TIER_WEAK, routing_pb2.TIER_UNSPECIFIED


@dataclass
class Several:
    """Two controllers, a gateway before them, and a settings file of an operator's that names but the first."""

    controllers: list[RunningController]
    gateway: Gateway
    settings: str
    stop_second: AsyncExitStack

    async def pinned(self) -> list[int]:
        """To what each has the pair pinned."""
        request = route_service_pb2.ListStrategiesRequest()
        return [(await each.stub.ListStrategies(request)).pairs[0].pinned for each in self.controllers]

    async def route(self, times: int) -> list[routing_pb2.Decision]:
        """Decisions through the gateway."""
        request = route_service_pb2.RouteRequest(prompt=PROMPT, routing=routing_pb2.RoutingSpec(model="router-mf-0"))
        async with self.channel() as channel:
            stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
            return [(await stub.Route(request, metadata=_KEY, wait_for_ready=True)).receipt.decision for _ in range(times)]

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        """AdminService at the gateway."""
        async with self.channel() as channel:
            yield admin_service_pb2_grpc.AdminServiceStub(channel)

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.gateway.grpc_port}")


_KEY = (("authorization", f"Bearer {KEY}"),)


@pytest.fixture
async def several(tmp_path: Path) -> AsyncIterator[Several]:
    """All of it; a scripted mf says 0.4."""
    ports = free_ports(2)
    addresses = [f"127.0.0.1:{port}" for port in ports]
    write_keys(tmp_path / "keys.yaml", {"ops": {"keys": [KEY], "admin": True}})
    own = gateway_before(*addresses, admin=True, keys_file=tmp_path / "keys.yaml")
    settings = tmp_path / "settings.yaml"
    settings.write_text(json.dumps({"gateway": {"controllers": addresses[:1]}}))
    async with (
        scripted_backend("any", echoing) as backend,
        scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers,
        AsyncExitStack() as first,
        AsyncExitStack() as second,
    ):
        backends = {"strong": backend.settings, "weak": backend.settings}
        controllers = [
            await stack.enter_async_context(running_controller(backends, scorers.address, own={"grpc_port": port}, gateway=own))
            for stack, port in zip((first, second), ports, strict=True)
        ]
        async with serving(own) as gateway:
            yield Several(controllers, gateway, str(settings), second)


async def test_the_commands_reach_controllers_that_only_another_controller_names(several: Several) -> None:
    """A pin that held on one of two would split every caller's traffic; and statistics are the sum."""
    at = ("--settings", several.settings)
    assert (await pointsman_command("pin", "default", "weak", *at)).out == (
        "default is pinned to weak until it is released or the controller stops (on 2 controllers)\n"
    )
    assert await several.pinned() == [WEAK, WEAK]
    assert {decision.tier for decision in await several.route(10)} == {WEAK}
    stats = await pointsman_command("stats", *at)
    assert "10 decided by 2 controllers, 0.0 % to strong, 10 of them without a call" in stats.out
    [row] = json.loads((await pointsman_command("stats", "--json", *at)).out)["rows"]
    assert row["requests"] == "10"
    for each in several.controllers:
        alone = json.loads((await pointsman_command("stats", "--json", "--address", each.address)).out)
        assert 0 < int(alone["rows"][0]["requests"]) < 10
    one = await pointsman_command("pin", "default", "release", "--address", several.controllers[1].address)
    assert one.out == "default is not pinned\n"
    assert await several.pinned() == [WEAK, NONE]


async def test_an_address_that_is_none_is_told_apart_from_one_where_nobody_is() -> None:
    """Exit codes 2 and 3."""
    for address, code in (("127.0.0.1", 2), ("no-such-name.invalid:50052", 3), ("127.0.0.1:1", 3)):
        done = await pointsman_command("pin", "default", "weak", "--address", address, "--timeout", "5")
        assert (done.code, done.out) == (code, "")
        assert "Traceback" not in done.err


async def test_a_controller_that_cannot_be_told_is_named_and_the_others_are_told(several: Several) -> None:
    """Exit code 3, so that no script takes half a pin for a whole one."""
    await several.stop_second.aclose()
    done = await pointsman_command("pin", "default", "weak", "--settings", several.settings, "--timeout", "5")
    gone = several.controllers[1].address
    assert (done.code, done.out) == (3, "")
    assert f"1 of 2 controllers did it; not the one at {gone} (--address names those to be asked):" in done.err
    assert "can't be reached" in done.err
    async with several.admin() as admin:
        with pytest.raises(grpc.aio.AioRpcError, match=f"1 of 2 controllers did it; not the one at {gone}") as caught:
            await admin.Pin(admin_service_pb2.PinRequest(tier=WEAK), metadata=_KEY, timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_gateway_passes_pins_on_to_every_controller_and_sums_what_they_counted(several: Several) -> None:
    """And what each of them refuses is refused in its own words."""
    await several.route(6)
    async with several.admin() as admin:
        answer = await admin.Pin(admin_service_pb2.PinRequest(tier=WEAK), metadata=_KEY)
        assert (answer.pair, answer.tier) == ("default", WEAK)
        assert await several.pinned() == [WEAK, WEAK]
        stats = await admin.Stats(admin_service_pb2.StatsRequest(), metadata=_KEY)
        assert [row.requests for row in stats.rows] == [6]
        assert [(row.caller, row.requests) for row in stats.callers] == [("ops", 6)]
        # One prompt: each controller scores it once and then remembers it.
        assert [(each.name, each.count, each.buckets[-1].count) for each in stats.scoring] == [("mf", 2, 2)]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.Pin(admin_service_pb2.PinRequest(pair="nope", tier=WEAK), metadata=_KEY)
        assert caught.value.details() == "No pair is named 'nope'; there are: default."


def test_a_name_is_every_address_that_it_stands_for_and_nobody_is_there_twice() -> None:
    """Of localhost's two versions one; an address that is no address is told."""
    [local] = each_controller(["localhost:50052", "127.0.0.1:50052"])
    assert (local.address, local.numeric, local.server_name) == ("localhost:50052", "127.0.0.1:50052", None)
    assert [each.numeric for each in each_controller(["127.0.0.1:1", "[::1]:1", "127.0.0.1:2"])] == ["127.0.0.1:1", "::1:1", "127.0.0.1:2"]
    assert [each.address for each in each_controller(["unix:/a.sock"])] == ["unix:/a.sock"]
    for wrong in ("127.0.0.1", "no-such-name.invalid:1"):
        with pytest.raises(OSError):
            each_controller([wrong])
