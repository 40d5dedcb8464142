"""`python -m gateway` as a process: how it starts, refuses to start, and stops."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from pointsman.v1 import route_service_pb2
from tests.wire.gateway.scripted_controller import SSE, STREAMING, Context, Event, ScriptedController, finished, started


def _written(folder: Path, level: str = "info", /, **gateway: object) -> Path:
    new, settings = folder / "new.yaml", folder / "settings.yaml"
    new.write_text(
        json.dumps({"log": {"format": "json", "level": level}, "gateway": {"rest_port": 0, "grpc_port": 0, "drain_s": 10, **gateway}})
    )
    return new.replace(settings)


@asynccontextmanager
async def _process(folder: Path, **gateway: object) -> AsyncIterator[Process]:
    settings = _written(folder, **gateway)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", "--settings", str(settings), stderr=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _logged(process: Process, event: str) -> dict[str, object]:
    assert process.stderr is not None
    async for line in process.stderr:
        record: dict[str, object] = json.loads(line)
        if record["event"] == event:
            return record
    raise AssertionError(f"the process ended before it logged {event!r}")


async def test_it_logs_its_addresses_and_stops_when_told(tmp_path: Path, controller: ScriptedController) -> None:
    """Exit code 0, and nothing on standard error but its log."""
    async with _process(tmp_path, controllers=[f"127.0.0.1:{controller.port}"]) as process:
        address = str((await _logged(process, "gateway serves"))["rest"])
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.post(f"{address}/chat/completions", content=b"{}")).json() == {"ok": True}
        process.send_signal(signal.SIGTERM)
        _, rest_of_log = await process.communicate()
        assert process.returncode == 0
        assert all(json.loads(line)["level"] == "info" for line in rest_of_log.splitlines())


async def test_limits_change_on_sighup_and_a_wrong_file_is_refused(tmp_path: Path, controller: ScriptedController) -> None:
    """From the next request on; what waits for a restart is named, and a file that is wrong changes nothing."""
    at = [f"127.0.0.1:{controller.port}"]
    async with _process(tmp_path, controllers=at, max_body_bytes=1024) as process, httpx.AsyncClient(trust_env=False) as client:
        address = str((await _logged(process, "gateway serves"))["rest"])

        async def status() -> int:
            return (await client.post(f"{address}/chat/completions", content=b'{"x": "' + b"x" * 2000 + b'"}')).status_code

        assert await status() == 413
        _written(tmp_path, "warning", controllers=at, max_body_bytes=4096, drain_s=5)
        process.send_signal(signal.SIGHUP)
        assert (await _logged(process, "settings read again"))["in_force"] == ["gateway.max_body_bytes"]
        waits = await _logged(process, "settings that need a restart have changed")
        assert waits["keys"] == ["gateway.drain_s", "gateway.max_body_bytes (on gRPC)", "log.level"]
        assert await status() == 200
        _written(tmp_path, controllers=at, max_body_bites=1)
        process.send_signal(signal.SIGHUP)
        assert "did you mean 'max_body_bytes'?" in str((await _logged(process, "settings refused, the old ones stay"))["error"])
        assert await status() == 200


async def test_a_running_stream_finishes_after_sigterm(tmp_path: Path, controller: ScriptedController) -> None:
    """While it drains: not ready, then no new connections, and the old answer comes whole."""
    go_on = asyncio.Event()

    async def waits(request: route_service_pb2.RelayRequest, context: Context) -> None:
        await context.write(started(headers=SSE))
        await context.write(Event(bytes=b"data: 1\n\n"))
        await go_on.wait()
        await context.write(Event(bytes=b"data: 2\n\n"))
        await context.write(finished())

    controller.relay = waits
    async with _process(tmp_path, controllers=[f"127.0.0.1:{controller.port}"]) as process, httpx.AsyncClient(trust_env=False) as client:
        address = str((await _logged(process, "gateway serves"))["rest"])
        async with client.stream("POST", f"{address}/chat/completions", content=STREAMING) as answer:
            pieces = answer.aiter_raw()
            assert await anext(pieces) == b"data: 1\n\n"
            process.send_signal(signal.SIGTERM)
            await _logged(process, "gateway stops")
            ready = await client.get(address.removesuffix("/v1") + "/readyz")
            assert (ready.status_code, ready.json()["gateway"]) == (503, "stopping")
            await _until_refused(address)
            go_on.set()
            assert [piece async for piece in pieces] == [b"data: 2\n\n"]
        assert await process.wait() == 0


async def _until_refused(address: str) -> None:
    while True:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.get(f"{address}/models")
        except httpx.ConnectError:
            return
        except httpx.RemoteProtocolError:
            continue  # let in, and the gateway stopped listening before it had asked


async def test_a_request_that_outlasts_the_drain_is_told_so(tmp_path: Path, controller: ScriptedController) -> None:
    """503 in shape instead of a cut connection; its call is cancelled and the process exits cleanly."""

    async def hangs(request: route_service_pb2.RelayRequest, context: Context) -> None:
        await asyncio.Event().wait()

    controller.relay = hangs
    async with _process(tmp_path, controllers=[f"127.0.0.1:{controller.port}"], drain_s=0) as process:
        address = str((await _logged(process, "gateway serves"))["rest"])
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            request = asyncio.create_task(client.post(f"{address}/chat/completions", content=b"{}"))
            await controller.running.wait()
            process.send_signal(signal.SIGTERM)
            answer = await request
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        await controller.cancelled.wait()
        assert await process.wait() == 0


@pytest.mark.parametrize("key", ["rest_port", "grpc_port"])
async def test_a_taken_port_is_one_sentence_and_exit_code_1(tmp_path: Path, key: str) -> None:
    """It names the address; there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with _process(tmp_path, **{key: port}) as process:
            _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().splitlines()[-1].startswith(f"gateway: 127.0.0.1:{port} can't be bound")
    assert b"Traceback" not in errors


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rest_prot": 1}, "did you mean 'rest_port'?"),
        ({"controllers": ["nowhere"]}, "an address reads host:port"),
        ({"controllers": ["one:1", "two:2"]}, "one DNS name for all of them"),
    ],
)
async def test_wrong_settings_are_named_and_exit_code_2(tmp_path: Path, wrong: dict[str, object], sentence: str) -> None:
    """Before anything is bound."""
    async with _process(tmp_path, **wrong) as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert sentence in errors.decode()
    assert b"Traceback" not in errors
