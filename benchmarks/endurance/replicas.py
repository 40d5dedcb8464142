"""Decisions a second by 1, 2 and 4 replicas whose model takes a fixed time a batch, by Ray Serve and the controller's own coalescing."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.imitated.service import Imitated, imitated_service
from pointsman.client import AsyncClient
from pointsman.loadtest import rpc
from pointsman.loadtest.driving import Load, drive
from pointsman.loadtest.prompts import made
from pointsman.loadtest.samples import Summary, summary

TITLE: Final = "From one to four replicas of a simulated GPU"
_READY_S: Final = 120.0
_LONGEST: Final = 16
"""Prompts in a batch."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of replicas."""

    replicas: int
    callers: int
    summary: Summary
    prompts_a_call: float
    """In the controller's calls to scorers."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of this measurement."""
    parser.add_argument("--seconds", type=float, default=20, help="measured of each number of replicas")
    parser.add_argument("--batch-ms", type=float, default=100, help="of each batch of at most 16, whatever is in it")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--callers", type=int, default=40, help="for each replica; each waits for its decision and asks again")
    parser.add_argument("--calls-per-replica", type=int, default=1, help="controller.calls_per_replica")


def measured(options: argparse.Namespace) -> list[str]:
    """The table."""
    return _table([uvloop.run(_cell(count, options)) for count in options.replicas], options)


async def _cell(replicas: int, options: argparse.Namespace) -> Cell:
    callers = options.callers * replicas
    with tempfile.TemporaryDirectory() as work:
        async with imitated_service(Path(work), {"sleeping": _scale(replicas, options)}, **_controller(options)) as running:
            await _all_there(running, replicas, options)
            client = AsyncClient(running.address)
            async with rpc.calls(client, made(), kind="route", model="router-sleeping-0.5", timeout_s=30) as call:
                samples = await drive(call, Load(options.seconds, warmup_s=3, concurrency=callers))
            size = await asyncio.to_thread(_mean, running.metrics_port, "pointsman_scorer_batch_prompts")
    found = Cell(replicas, callers, summary(samples, options.seconds), size)
    print(found, file=sys.stderr)
    return found


def _scale(replicas: int, options: argparse.Namespace) -> dict[str, Any]:
    count = {"min_replicas": replicas, "max_replicas": replicas, "num_cpus": 0.1, "max_batch": _LONGEST}
    return {**count, "on_failure": "error", "options": {"batch_ms": options.batch_ms}}


def _controller(options: argparse.Namespace) -> dict[str, Any]:
    return {"calls_per_replica": options.calls_per_replica, "max_batch": _LONGEST, "max_waiting": 4096, "max_lag_s": None}


async def _all_there(running: Imitated, replicas: int, options: argparse.Namespace) -> None:
    """Until all decisions are scored and come as fast as one replica fewer could hardly make them. Raises `TimeoutError`."""
    until = time.monotonic() + _READY_S
    while time.monotonic() < until:
        async with rpc.calls(AsyncClient(running.address), made(), kind="route", model="router-sleeping-0.5", timeout_s=30) as call:
            samples = await drive(call, Load(1, concurrency=_LONGEST * 2 * replicas))
        good = sum(not sample.error for sample in samples)
        print(f"{replicas} replicas: {good} decisions in a second", file=sys.stderr)
        if good > (replicas - 0.9) * _LONGEST / (options.batch_ms / 1000) * 0.8 and good == len(samples):
            return
        await asyncio.sleep(0.5)
    raise TimeoutError(f"{replicas} replicas weren't there within {_READY_S:.0f} s")


def _mean(port: int, histogram: str) -> float:
    import urllib.request

    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(str(answer.read(), "utf-8")))
    values = {sample.name: sample.value for family in families if family.name == histogram for sample in family.samples}
    return values[f"{histogram}_sum"] / max(1, values[f"{histogram}_count"])


def _table(cells: list[Cell], options: argparse.Namespace) -> list[str]:
    ideal = _LONGEST / (options.batch_ms / 1000)
    lines = [
        f"RouteService.Route on the controller by gRPC, {options.callers} callers for each replica, each of whom waits for the decision;"
        f" {options.seconds:g} s after 3 s of warm-up. A replica sleeps {options.batch_ms:g} ms a batch of at most {_LONGEST}, so that it"
        f" decides {ideal:.0f} a second at most. controller.calls_per_replica is {options.calls_per_replica}.",
        "",
        "| replicas | callers | decisions/s | times the first | of what the replicas can | p50 ms | p99 ms | prompts a call | errors |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        found = cell.summary
        latency = " | ".join(f"{found.latency_ms.get(name, float('nan')):.0f}" for name in ("p50", "p99"))
        times, share = found.per_second / cells[0].summary.per_second, found.per_second / (ideal * cell.replicas)
        errors = sum(found.errors.values())
        counts = f"{cell.replicas} | {cell.callers} | {found.per_second:.0f} | {times:.2f} | {share:.0%}"
        lines.append(f"| {counts} | {latency} | {cell.prompts_a_call:.1f} | {errors} |")
    return lines
