"""Many slow streams at once through one gateway and one controller: errors, and memory per stream."""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import uvloop

from benchmarks.endurance.services import Services, services
from benchmarks.endurance.watching import Look, look
from benchmarks.proxies import arms
from pointsman.loadtest.driving import Call
from pointsman.loadtest.prompts import made
from pointsman.loadtest.rest import chats

TITLE: Final = "Thousands of slow streams"
_SERVICES: Final = ("gateway", "controller")
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Streamed:
    """What was seen, with all streams under way and before and after."""

    looks: dict[str, Look]
    errors: Counter[str]
    lasted_s: list[float]
    """Each stream, from its request to its end."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of this measurement."""
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=30, help="of each stream, and chunks")
    parser.add_argument("--begin-per-second", type=float, default=100, help="how fast they begin")


def own_settings(count: int) -> dict[str, dict[str, int | None]]:
    """What the defaults would refuse: a gateway takes 2,000 requests, a controller 4,000, and a backend 1,000 connections. Without
    `max_lag_s` no other work of the machine has a stream refused: all of them are to be there."""
    return {
        "gateway": {"max_concurrent": count + 100, "max_lag_s": None},
        "controller": {"max_concurrent": count + 1000, "max_lag_s": None},
    }


def measured(options: argparse.Namespace) -> list[str]:
    """The table."""
    # Each stream takes a file here and two in the gateway's and the controller's processes, which inherit this limit.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * options.streams + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, needed), hard), hard))
    # They last until all have begun and have been looked at, and the asked time beside.
    ramp_s = options.streams / options.begin_per_second
    chunks = int(options.seconds + ramp_s) + 1
    own, backend = own_settings(options.streams), {"max_connections": options.streams + 100}
    with services(chunks=chunks, own=own, backend=backend) as running:
        arms.behave(running.backend, gap_ms=1000)
        found = uvloop.run(streamed(running, options.streams, options.begin_per_second))
    raised = {**{f"{service}.{key}": value for service, keys in own.items() for key, value in keys.items()}, **backend}
    return _table(found, options, chunks, raised, min(max(soft, needed), hard))


async def streamed(running: Services, count: int, per_second: float) -> Streamed:
    """All of them, begun at that rate."""
    looks, lasted, errors = dict[str, Look](), list[float](), Counter[str]()
    pids, metrics = running.pids(), running.metrics_urls()

    async def one(call: Call, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        asked = time.monotonic()
        _, error = await call()
        errors[error or ""] += 1
        lasted.append(time.monotonic() - asked)

    async with chats(running.rest, made(), model="router-random-0.5", stream=True, headers={}, timeout_s=600) as call:
        await asyncio.gather(*(one(call, 0.0) for _ in range(10)))  # connections, caches and code that the first requests make
        errors.clear()
        lasted.clear()
        looks["before"] = await asyncio.to_thread(look, pids, metrics)
        tasks = [asyncio.ensure_future(one(call, number / per_second)) for number in range(count)]
        await asyncio.sleep(count / per_second + 5)
        looks["all under way"] = await asyncio.to_thread(look, pids, metrics)
        await asyncio.gather(*tasks)
    await asyncio.sleep(2)
    looks["after"] = await asyncio.to_thread(look, pids, metrics)
    return Streamed(looks, errors, lasted)


def _table(found: Streamed, options: argparse.Namespace, chunks: int, raised: dict[str, int | None], files: int) -> list[str]:
    count = options.streams
    told = ", ".join(f"{key} {'null' if value is None else value}" for key, value in raised.items())
    lines = [
        f"{count:,} streams over REST through one gateway and one controller, begun at {options.begin_per_second:g} a second, each of"
        f" {chunks} chunks, one a second, so that all are under way together. Settings other than the defaults:"
        f" {told}. Limit of open files: {files}.",
        "",
        "| | before | all under way | after | a stream |",
        "|---|---|---|---|---|",
    ]
    for name in _SERVICES:
        sizes = [found.looks[when].rss_bytes[name] for when in ("before", "all under way", "after")]
        files_open = [found.looks[when].descriptors[name] for when in ("before", "all under way", "after")]
        tasks = [found.looks[when].loops[name].tasks for when in ("before", "all under way", "after")]
        each = f"{(sizes[1] - sizes[0]) / found.errors[''] / 1024:.1f} KiB"
        lines.append(f"| {name}, RSS MiB | {' | '.join(f'{size / _MIB:.0f}' for size in sizes)} | {each} |")
        lines.append(f"| {name}, files | {' | '.join(map(str, files_open))} | |")
        lines.append(f"| {name}, tasks | {' | '.join(map(str, tasks))} | |")
        lines.append(
            f"| {name}, looks over 100 ms behind | {' | '.join(str(each.loops[name].stalls) for each in found.looks.values())} | |"
        )
    wrong = ", ".join(f"{number} × {what}" for what, number in found.errors.items() if what) or "none"
    longest = max(found.lasted_s)
    return [
        *lines,
        "",
        f"- Whole streams: {found.errors['']:,} of {count:,}; errors: {wrong}.",
        f"- The longest stream took {longest:.1f} s, where its chunks take {chunks} s.",
    ]
