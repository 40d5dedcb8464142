"""What a model's use of memory costs everything around it: three imitated models that take the same time, one caller."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.imitated.service import Imitated, imitated_service
from pointsman.client import AsyncClient
from pointsman.client.failures import RouteError
from pointsman.loadtest import rpc
from pointsman.loadtest.driving import Load, drive
from pointsman.loadtest.prompts import made
from pointsman.loadtest.samples import Summary, summary

_BATCH_MS: Final = 10.0
_MODELS: Final = {
    "sleep": "sleeps",
    "compute": "computes on 64 KiB, which fit a core's own cache",
    "read": "reads 24 MiB again and again, as a model reads its weights",
}
_READY_S: Final = 120.0


def tables(rounds: int, seconds: float, kinds: list[str], threads: int) -> Iterator[str]:
    """Markdown, line by line; kinds of prompts and threads of a model are nothing to it."""
    del kinds, threads
    found = asyncio.run(_measured(rounds, seconds))
    yield f"\n## Imitated models that take {_BATCH_MS:g} ms, 1 caller\n"
    yield "Route at the controller. What is added is the product's own; it is more after a model that empties the caches.\n"
    yield "| the model | p50, ms | p99, ms | added p50, ms | errors |\n|---|---|---|---|---|"
    for work, each in found.items():
        p50, p99 = (statistics.median(one.latency_ms[which] for one in each) for which in ("p50", "p99"))
        errors = sum(sum(one.errors.values()) for one in each)
        yield f"| {_MODELS[work]} | {p50:.2f} | {p99:.2f} | {p50 - _BATCH_MS:.2f} | {errors} |"


async def _measured(rounds: int, seconds: float) -> dict[str, list[Summary]]:
    strategies = {work: {"num_cpus": 0.1, "on_failure": "error", "options": {"batch_ms": _BATCH_MS, "work": work}} for work in _MODELS}
    found: dict[str, list[Summary]] = {work: [] for work in _MODELS}
    with tempfile.TemporaryDirectory() as folder:
        async with imitated_service(Path(folder), strategies, decision_cache=0) as running:
            await _all_there(running)
            for _ in range(rounds):
                for work, each in found.items():
                    each.append(await _asked(running, work, seconds))
    return found


async def _asked(running: Imitated, work: str, seconds: float) -> Summary:
    async with rpc.calls(AsyncClient(running.address), made(), kind="route", model=f"router-{work}-0.5", timeout_s=30) as call:
        return summary(await drive(call, Load(seconds, warmup_s=0.5, concurrency=1)), seconds)


async def _all_there(running: Imitated) -> None:
    async with AsyncClient(running.address) as client, asyncio.timeout(_READY_S):
        for work in _MODELS:
            while True:
                try:
                    await client.route("Are you there?", strategies=[work], threshold=0.5)
                except RouteError:
                    await asyncio.sleep(0.5)
                else:
                    break
