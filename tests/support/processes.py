"""The gateway and the controller as processes of their own, before scripted backends: their memory, ports and pids are theirs alone."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.support.backend import ScriptedBackend
from tests.support.scorers import ScriptedScorers
from tests.support.unrefused import UNREFUSED


@dataclass(frozen=True)
class Service:
    """A process that serves; its log is a file, since a pipe that nobody reads would stop it."""

    process: Process
    log: Path

    @property
    def rss(self) -> int:
        """Its resident memory in bytes."""
        resident: int = psutil.Process(self.process.pid).memory_info().rss
        return resident

    async def stop(self) -> None:
        """SIGTERM, and a minute for it to end by; whoever started it kills it then."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                await self.process.wait()

    async def logged(self, event: str) -> dict[str, Any]:
        """The first line of the log with the event."""
        while True:
            for line in self.log.read_text().splitlines(keepends=True):
                if line.endswith("\n") and (record := json.loads(line))["event"] == event:
                    return dict(record)
            assert self.process.returncode is None, self.log.read_text()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def service(module: str, folder: Path, settings: Mapping[str, Any], name: str = "") -> AsyncIterator[Service]:
    """`python -m module` with these settings; killed on leaving if it still runs."""
    file, log = folder / f"{name or module}.yaml", folder / f"{name or module}.log"
    file.write_text(json.dumps({"log": {"format": "json"}, **settings}))
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, "--settings", str(file), stdin=DEVNULL, stdout=DEVNULL, stderr=written
        )
    try:
        yield Service(process, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def controller_process(
    folder: Path, backends: Sequence[ScriptedBackend], scorers: ScriptedScorers, name: str = "controller", **own: Any
) -> AsyncIterator[tuple[Service, str]]:
    """A controller and its address; mf alone."""
    base = {"grpc_port": 0, "metrics_port": 0, "scorers": scorers.address, "probe_interval_s": 0.1, "drain_s": 1, **UNREFUSED}
    settings = {
        "controller": {**base, **own},
        "strategies": {"mf": {}},
        "backends": {each.name: {"base_url": each.url, "model": f"{each.name}-model"} for each in backends},
        "pairs": {"default": {"strong": "strong", "weak": "weak", "fallback": "none"}},
        "records_dir": str(folder / "records"),
    }
    async with service("controller", folder, settings, name) as running:
        address: str = (await running.logged("controller ready"))["grpc"]
        yield running, address


@asynccontextmanager
async def gateway_process(folder: Path, *controllers: str, **own: Any) -> AsyncIterator[tuple[Service, str, str]]:
    """A gateway, its REST URL and its gRPC address, once it is ready."""
    settings = {"gateway": {"rest_port": 0, "grpc_port": 0, "controllers": list(controllers), "drain_s": 1, **UNREFUSED, **own}}
    async with service("gateway", folder, settings) as running:
        at = await running.logged("gateway serves")
        while True:
            state = await running.logged("readiness")
            if state["ready"]:
                break
            await asyncio.sleep(0.02)
        yield running, at["rest"].removesuffix("/v1"), at["grpc"]
