"""`python -m controller` as a process: how it takes over settings, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pointsman.v1 import route_service_pb2, route_service_pb2_grpc, routing_pb2
from tests.support.backend import Received, ScriptedBackend, hanging, streaming
from tests.support.canary import KEY, PROMPT
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Spec

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
STREAM = json.dumps({"model": "router-mf-1", "messages": [{"role": "user", "content": PROMPT}], "stream": True}).encode()


@dataclass
class ControllerProcess:
    """A controller, its settings file, and a channel to it."""

    process: Process
    file: Path
    values: dict[str, Any]
    channel: grpc.aio.Channel
    stub: route_service_pb2_grpc.RouteServiceAsyncStub

    async def tier(self, model: str) -> str:
        """Of a decision."""
        answer = await self.stub.Route(route_service_pb2.RouteRequest(prompt=PROMPT, routing=Spec(model=model)))
        return routing_pb2.Tier.Name(answer.decision.tier)

    def write(self, **parts: Any) -> None:
        """Other settings, as an operator should write them: renamed into place."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps({**self.values, **parts}))
        new.replace(self.file)


async def logged(process: Process, event: str) -> dict[str, Any]:
    """The next line of the log with the event."""
    assert process.stderr is not None
    async for line in process.stderr:
        record: dict[str, Any] = json.loads(line)
        if record["event"] == event:
            return record
    raise AssertionError(f"the process ended before it logged {event!r}")


@asynccontextmanager
async def controller_process(
    folder: Path, backends: tuple[ScriptedBackend, ScriptedBackend], scorers: ScriptedScorers, own: Mapping[str, Any]
) -> AsyncIterator[ControllerProcess]:
    """One that serves, and whose strategies are ready."""
    file = folder / "settings.yaml"
    values = _values(folder, backends, scorers, own)
    file.write_text(json.dumps(values))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "controller", "--settings", str(file), stderr=PIPE)
    try:
        address = (await logged(process, "controller ready"))["grpc"]
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
            running = ControllerProcess(process, file, values, channel, stub)
            listed = route_service_pb2.ListStrategiesResponse()
            while not listed.strategies or not all(each.ready for each in listed.strategies):
                listed = await running.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
                await asyncio.sleep(0.02)
            yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _values(
    folder: Path, backends: tuple[ScriptedBackend, ScriptedBackend], scorers: ScriptedScorers, own: Mapping[str, Any]
) -> dict[str, Any]:
    (key := folder / "key").write_text(KEY)
    return {
        "log": {"format": "json"},
        "controller": {"grpc_port": 0, "metrics_port": 0, "scorers": scorers.address, "probe_interval_s": 0.1, "drain_s": 10, **own},
        "strategies": {"mf": {}, "random": {}},
        "backends": {each.name: {"base_url": each.url, "model": f"{each.name}-model", "key_file": str(key)} for each in backends},
        "records_dir": str(folder / "records"),
    }


@pytest.mark.parametrize("told", [True, False])
async def test_a_changed_file_is_taken_over_and_a_wrong_one_is_refused_and_named(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path, told: bool
) -> None:
    """On SIGHUP at once, and without it soon; what needs a restart is named."""
    policy = {"strategies": ["mf"], "threshold": 0.9}
    async with controller_process(tmp_path, (strong, weak), scorers, {}) as running:
        assert os.sched_getscheduler(running.process.pid) == os.SCHED_BATCH

        def write(**parts: Any) -> None:
            running.write(**parts)
            if told:
                running.process.send_signal(signal.SIGHUP)

        own = {**running.values["controller"], "max_waiting": 7}
        write(policies={"cheap": policy}, controller=own, scheduling="normal")
        assert (await logged(running.process, "settings read again"))["in_force"] == ["policies.cheap"]
        waits = await logged(running.process, "settings that need a restart have changed")
        assert waits["keys"] == ["scheduling", "controller.max_waiting"]
        assert await running.tier("router:cheap") == "TIER_WEAK"
        write(policies={"cheap": {**policy, "treshold": 0.1}})
        refused = await logged(running.process, "settings refused, the old ones stay")
        assert "policies.cheap.treshold: unknown key; did you mean 'threshold'?" in refused["error"]
        assert await running.tier("router:cheap") == "TIER_WEAK"
        write(policies={"cheap": {**policy, "threshold": 0.1}})
        assert (await logged(running.process, "settings read again"))["in_force"] == ["policies.cheap.threshold"]
        assert await running.tier("router:cheap") == "TIER_STRONG"


async def test_on_sigterm_health_says_so_streams_finish_and_new_calls_are_refused(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """Exit code 0 once the last answer is whole, long before the time to drain is over; who watches health doesn't hold it up."""
    go_on = asyncio.Event()

    async def waits(_: Received, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n")

    weak.script = streaming([b"data: {}\n\n"], then=waits)
    async with controller_process(tmp_path, (strong, weak), scorers, {"drain_s": 100}) as running:
        health: Any = health_pb2_grpc.HealthStub(running.channel)
        watching = health.Watch(health_pb2.HealthCheckRequest(service="pointsman.v1.RouteService"))
        while (await watching.read()).status != SERVING:
            pass
        call = aiter(running.stub.Relay(route_service_pb2.RelayRequest(endpoint="chat/completions", body=STREAM)))
        assert (await anext(call)).started.status == 200
        running.process.send_signal(signal.SIGTERM)
        assert (await watching.read()).status == NOT_SERVING
        await _until_refused(running)
        go_on.set()
        events = [event async for event in call]
        assert b"".join(event.bytes for event in events) == b"data: {}\n\ndata: [DONE]\n\n"
        assert not events[-1].finished.receipt.error
        assert await watching.read() is grpc.aio.EOF
        assert await running.process.wait() == 0


async def _until_refused(running: ControllerProcess) -> None:
    while True:
        try:
            await running.tier("router-mf-1")
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return


async def test_a_stream_that_outlasts_the_drain_is_cut_and_accounted_for(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """The backend is hung up on, and the decision log has the request as its last line."""
    weak.script = streaming([b"data: {}\n\n"], then=hanging)
    own = {"drain_s": 0.2, "decision_log": {"path": str(tmp_path / "decisions.jsonl")}}
    async with controller_process(tmp_path, (strong, weak), scorers, own) as running:
        await running.tier("router-mf-1")
        call = aiter(running.stub.Relay(route_service_pb2.RelayRequest(endpoint="chat/completions", body=STREAM)))
        assert (await anext(call)).started.status == 200
        running.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError):
            async for _ in call:
                pass
        await weak.gone.wait()
        assert await running.process.wait() == 0
    lines = [json.loads(line) for line in (await asyncio.to_thread((tmp_path / "decisions.jsonl").read_text)).splitlines()]
    assert [line.get("error") for line in lines] == [None, "CANCELLED"]


async def test_a_log_on_a_full_disk_fails_no_request(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """Answers come, and it stops as it should."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps(_values(tmp_path, (strong, weak), scorers, {"grpc_port": port})))
    with open("/dev/full", "w") as full:  # noqa: ASYNC230 - not even a file
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "controller", "--settings", str(file), stderr=full)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = route_service_pb2_grpc.RouteServiceStub(channel)
            request = route_service_pb2.RouteRequest(prompt=PROMPT, routing=Spec(model="router-mf-1"))
            for _ in range(3):
                assert (await stub.Route(request, wait_for_ready=True)).decision.pair == "default"
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
