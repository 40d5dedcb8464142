"""Load that rises, stays and falls, on a controller before both strategies; and what was seen meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pointsman.client import AsyncClient
from pointsman.loadtest import rpc
from pointsman.loadtest.driving import drive_at
from pointsman.loadtest.prompts import made
from pointsman.loadtest.samples import Sample
from tests.support.processes import Service, service
from tests.support.product import free_ports

SURGE: Final = "surge"
STEADY: Final = "steady"
LONGEST: Final = 16
"""Prompts in a batch."""
_READY_S: Final = 180.0
_OUTSTANDING: Final = 5_000


@dataclass(frozen=True, slots=True)
class Course:
    """Decisions a second over time, in seconds from the beginning."""

    low: float
    high: float
    before_s: float
    ramp_s: float
    high_s: float
    after_s: float

    @property
    def rises(self) -> float:
        """When it begins to."""
        return self.before_s

    @property
    def falls(self) -> float:
        """When it falls, at once."""
        return self.before_s + self.ramp_s + self.high_s

    @property
    def ends(self) -> float:
        """When it's over."""
        return self.falls + self.after_s

    def rate(self, at: float) -> float:
        """Of the strategy that surges."""
        if at < self.rises or at >= self.falls:
            return self.low
        return self.low + (self.high - self.low) * min(1.0, (at - self.rises) / max(1e-9, self.ramp_s))

    def arrivals(self, begin: float, seed: int) -> Iterator[float]:
        """A Poisson process of that rate: one of the highest rate, thinned."""
        draw, at = random.Random(seed), 0.0
        while (at := at + draw.expovariate(self.high)) < self.ends:
            if draw.random() < self.rate(at) / self.high:
                yield begin + at


@dataclass(frozen=True, slots=True)
class Replicas:
    """Of the strategy that surges, at one time, in seconds from the beginning."""

    at: float
    running: int
    target: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Times in samples count from the beginning too."""

    course: Course
    surge: list[Sample]
    steady: list[Sample]
    replicas: list[Replicas]


async def surge(course: Course, steady_rate: float, scale: dict[str, Any], batch_ms: float, folder: Path) -> Seen:
    """Runs it. `scale` are the surging strategy's settings."""
    async with _services(folder, scale, batch_ms) as controller:
        clock = asyncio.get_running_loop().time
        begin, wall = clock() + 1, time.time() + 1
        flat = Course(steady_rate, steady_rate, course.ends, 0, 0, 0)

        async def drive(strategy: str, own: Course, seed: int) -> list[Sample]:
            async with rpc.calls(AsyncClient(controller), made(), kind="route", model=f"router-{strategy}-0.5", timeout_s=30) as call:
                samples = await drive_at(call, own.arrivals(begin, seed), _OUTSTANDING)
            return [_from(sample, begin) for sample in samples]

        surging, steady = await asyncio.gather(drive(SURGE, course, 1), drive(STEADY, flat, 2))
        replicas = [_replicas(line, wall) for line in (folder / "replicas.jsonl").read_text().splitlines()]
    return Seen(course, surging, steady, [each for each in replicas if 0 <= each.at <= course.ends])


@contextlib.asynccontextmanager
async def _services(folder: Path, scale: dict[str, Any], batch_ms: float) -> AsyncIterator[str]:
    """The cluster and a ready controller before it: its address."""
    serve, http, grpc, metrics = free_ports(4)
    shared = {"num_cpus": 1, "max_batch": LONGEST, "on_failure": "error", "options": {"batch_ms": batch_ms}}
    backend = {"base_url": "http://127.0.0.1:9/v1", "model": "none"}
    settings: dict[str, Any] = {
        # Replicas on several nodes of one machine would bind the same port, and HAProxy take one for another.
        "scorers": {"grpc_port": serve, "http_port": http, "haproxy": False},
        "strategies": {SURGE: {**shared, **scale}, STEADY: shared},
        "controller": {"grpc_port": grpc, "metrics_port": metrics, "scorers": f"127.0.0.1:{serve}"},
        "backends": {"strong": backend, "weak": backend},
        "records_dir": str(folder / "records"),
    }
    module = "benchmarks.scaling.cluster"
    async with service(module, folder, settings) as scorers, service("controller", folder, settings) as controller:
        try:
            await _ready(f"127.0.0.1:{grpc}", scorers)
            yield f"127.0.0.1:{grpc}"
        finally:
            await controller.stop()
            await scorers.stop()


async def _ready(address: str, scorers: Service) -> None:
    """Until both strategies decide for a second without an error. Raises `TimeoutError`."""
    async with asyncio.timeout(_READY_S):
        for strategy in (SURGE, STEADY):
            async with rpc.calls(AsyncClient(address), made(), kind="route", model=f"router-{strategy}-0.5", timeout_s=30) as call:
                while any(error for _, error in await asyncio.gather(*(call() for _ in range(4)))):
                    assert scorers.process.returncode is None, scorers.log.read_text()
                    await asyncio.sleep(1)


def _from(sample: Sample, begin: float) -> Sample:
    return Sample(sample.due - begin, sample.began - begin, sample.first_byte - begin, sample.ended - begin, sample.error)


def _replicas(line: str, begin: float) -> Replicas:
    said = json.loads(line)
    own = said.get(SURGE, {"running": 0, "target": 0, "nodes": 0})
    return Replicas(said["at"] - begin, own["running"], own["target"], own["nodes"])
