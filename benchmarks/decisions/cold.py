"""What a model's time and its use of memory cost everything around it: imitated models, one caller.

While a model works, everything else sleeps, and whoever sleeps for longer takes longer to wake up.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.imitated.service import Imitated, imitated_service
from pointsman.client import AsyncClient
from pointsman.client.failures import RouteError
from pointsman.loadtest import rpc
from pointsman.loadtest.driving import Load, drive
from pointsman.loadtest.prompts import made
from pointsman.loadtest.samples import Summary, summary


@dataclass(frozen=True, slots=True)
class _Model:
    """One that takes so long for every batch, by this `work` of `benchmarks.imitated`."""

    said: str
    work: str
    batch_ms: float


_MODELS: Final = {
    "none": _Model("takes no time", "sleep", 0),
    "short": _Model("sleeps for 2 ms", "sleep", 2),
    "sleep": _Model("sleeps for 10 ms", "sleep", 10),
    "compute": _Model("computes for 10 ms on 64 KiB, which fit a core's own cache", "compute", 10),
    "read": _Model("reads 24 MiB again and again for 10 ms, as a model reads its weights", "read", 10),
}
_READY_S: Final = 120.0


def tables(rounds: int, seconds: float, kinds: list[str], threads: int) -> Iterator[str]:
    """Markdown, line by line; kinds of prompts and threads of a model are nothing to it."""
    del kinds, threads
    found = asyncio.run(_measured(rounds, seconds))
    yield "\n## Imitated models, 1 caller\n"
    yield (
        "Route at the controller. What is added is the product's own. It does the same for each model, and takes longer where all of it"
        " has slept for longer, and where a model empties the caches.\n"
    )
    yield "| the model | p50, ms | p99, ms | added p50, ms | errors |\n|---|---|---|---|---|"
    for name, each in found.items():
        p50, p99 = (statistics.median(one.latency_ms[which] for one in each) for which in ("p50", "p99"))
        errors = sum(sum(one.errors.values()) for one in each)
        model = _MODELS[name]
        yield f"| {model.said} | {p50:.2f} | {p99:.2f} | {p50 - model.batch_ms:.2f} | {errors} |"


async def _measured(rounds: int, seconds: float) -> dict[str, list[Summary]]:
    strategies = {
        name: {"num_cpus": 0.1, "on_failure": "error", "options": {"batch_ms": model.batch_ms, "work": model.work}}
        for name, model in _MODELS.items()
    }
    found: dict[str, list[Summary]] = {name: [] for name in _MODELS}
    with tempfile.TemporaryDirectory() as folder:
        async with imitated_service(Path(folder), strategies, decision_cache=0) as running:
            await _all_there(running)
            for _ in range(rounds):
                for name, each in found.items():
                    each.append(await _asked(running, name, seconds))
    return found


async def _asked(running: Imitated, name: str, seconds: float) -> Summary:
    async with rpc.calls(AsyncClient(running.address), made(), kind="route", model=f"router-{name}-0.5", timeout_s=30) as call:
        return summary(await drive(call, Load(seconds, warmup_s=0.5, concurrency=1)), seconds)


async def _all_there(running: Imitated) -> None:
    async with AsyncClient(running.address) as client, asyncio.timeout(_READY_S):
        for name in _MODELS:
            while True:
                try:
                    await client.route("Are you there?", strategies=[name], threshold=0.5)
                except RouteError:
                    await asyncio.sleep(0.5)
                else:
                    break
